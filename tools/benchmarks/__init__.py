"""Measurements of speed and memory. They judge no result, and no test runs them."""
