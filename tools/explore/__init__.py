"""A page to look at the mistakes of a network, and to try it."""
