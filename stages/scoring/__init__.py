"""Scores, tables and pictures of predictions."""
