"""The network: its hyperparameters, layers, optimisers and file."""
