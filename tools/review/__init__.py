"""Comparison of the results of two revisions of the project, from git alone."""
