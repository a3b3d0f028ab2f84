"""The limit on the share of the time that something optional takes."""

import time

import pytest

from stages.common.pace import limit_share


def test_an_action_takes_no_more_than_its_share() -> None:
    durations = []

    def action() -> None:
        start = time.monotonic()
        time.sleep(0.002)
        durations.append(time.monotonic() - start)

    act_sparingly = limit_share(action, 0.2)
    start = time.monotonic()
    while len(durations) < 5:
        act_sparingly()
    elapsed = time.monotonic() - start
    assert sum(durations[:-1]) <= 0.2 * elapsed


@pytest.mark.parametrize(("share", "expected"), [(float("inf"), 9), (1e-9, 1)])
def test_the_first_call_acts_always_and_the_others_by_the_share(share: float, expected: int) -> None:
    calls = []
    act_sparingly = limit_share(lambda: calls.append(time.monotonic()), share)
    for _ in range(9):
        act_sparingly()
    assert len(calls) == expected
