"""A data set of one's own: its section of params.yaml, made from the data."""
