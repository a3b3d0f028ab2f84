"""The study: the accuracy of each configuration, measured with several seeds, for docs/accuracy.md."""
