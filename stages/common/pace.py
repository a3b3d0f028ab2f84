"""Limit on the share of the time that something optional takes."""

import time
from collections.abc import Callable


def limit_share(action: Callable[[], None], share: float) -> Callable[[], None]:
    """Return a function that calls an action, or does nothing if the action has had its share of the time.

    Args:
        action: what takes the time, such as a write to disk.
        share: of all time, from 0 to 1; after a call of a second, 0.02 means 50 seconds without one.
    """
    next_call = time.monotonic()

    def call_if_due() -> None:
        nonlocal next_call
        start = time.monotonic()
        if start < next_call:
            return
        action()
        end = time.monotonic()
        next_call = end + (end - start) / share

    return call_if_due
