"""Wording of messages: names in them, which may be many."""

from collections.abc import Sequence

MOST_NAMES = 5


def join_names(names: Sequence[str], most: int = MOST_NAMES, separator: str = ", ") -> str:
    """Return the first few names, and how many more there are."""
    more = len(names) - most
    return separator.join([*names[:most], *([f"and {more:,} more"] if more > 0 else [])])
