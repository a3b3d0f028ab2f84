"""Trained networks in use: predictions for images in files, and model cards."""
