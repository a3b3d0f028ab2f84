"""Data and models for others: a remote of DVC."""
