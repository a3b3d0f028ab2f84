"""The search for better hyperparameters, on one machine or many."""
