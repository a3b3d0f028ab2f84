"""Splits of a data set: their arrays on disk, and batches of them, distorted or not."""
