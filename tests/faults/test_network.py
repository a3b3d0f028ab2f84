"""Mirrors that fail in every way: the right bytes, or an error of one line, and never anything else."""

from collections.abc import Callable
from pathlib import Path

import pytest
import servers
from faults.conftest import Tally
from servers import CONTENT, NAME, Answer, Server, expected

from stages.common.errors import UserError
from stages.sources.mirrors import Timeouts, download

BAD: list[Answer] = [
    servers.other_content, servers.page, servers.bomb, servers.encoded_bomb, servers.endless, servers.half,
    servers.half_without_length, servers.hang, servers.drip, servers.reset, servers.slam, servers.elsewhere,
    servers.in_circles, servers.missing, servers.forbidden, servers.busy, servers.broken,
]  # fmt: skip
FOR_GOOD = 0.3  # of the answers


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_mirror_that_fails(tally: Tally, tmp_path: Path, serve: Callable[..., Server]) -> None:
    def unreliable(request: object) -> None:
        answer = servers.good if tally.random.random() < FOR_GOOD else tally.random.choice(BAD)
        answers.append(answer.__name__)
        answer(request)

    answers: list[str] = []
    mirrors = [serve(unreliable).url for _ in range(3)]
    timeouts = Timeouts(silence_seconds=0.2, bytes_per_second=1_000_000, pause_seconds=0.001)
    target = tmp_path / "file"
    outcomes = set()
    for number in range(tally.number(30, 300)):
        answers.clear()
        with tally.case(f"download {number}, answered {answers}"):
            try:
                download(mirrors, NAME, expected(CONTENT[NAME]), target, timeouts)
            except UserError as error:
                assert "\n" not in str(error)
                assert all(mirror in str(error) for mirror in mirrors)
                outcomes.add("error")
            else:
                assert target.read_bytes() == CONTENT[NAME]
                assert answers[-1] == "good"
                outcomes.add("file")
    assert outcomes == {"error", "file"}
