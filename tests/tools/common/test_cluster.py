"""Clusters on this machine end at once, whatever their workers do."""

import time

import pytest

from tools.common import cluster

MOST_SECONDS = 2.0


def test_workers_that_are_busy_end_at_once_and_in_silence(capfd: pytest.CaptureFixture[str]) -> None:
    with cluster.connect(2) as client:
        future = client.submit(time.sleep, 60)
        while future.key not in str(client.processing()):
            time.sleep(0.05)
        start = time.monotonic()
    assert time.monotonic() - start < MOST_SECONDS
    assert capfd.readouterr() == ("", "")
