"""Charts of DVC's plots: a page that opens without the internet, and PNG files."""
