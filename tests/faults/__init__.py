"""Faults of machines, networks and people, injected."""
