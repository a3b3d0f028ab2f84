"""Import of a new data set: its sections of params.yaml and tools.yaml, built from its files."""
