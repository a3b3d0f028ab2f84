"""Faults, injected for real: a sample of each in the test suite, and many more with `make torture`."""

import random
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from helpers import ROOT

LOST_SHOWN = 5
DOCUMENT = ROOT / "docs/reliability.md"
TABLE = re.compile(r"(?<=<!-- made by make torture -->\n).*(?=<!-- end -->)", re.DOTALL)


@dataclass
class Tally:
    """The cases of one kind of fault, and what became of them."""

    fault: str
    many: bool
    random: random.Random
    cases: int = 0
    lost: list[str] = field(default_factory=list)

    def number(self, sample: int, torture: int) -> int:
        """Return the number of cases to try."""
        return torture if self.many else sample

    @contextmanager
    def case(self, description: str) -> Iterator[None]:
        """Count one case, which is lost if an assertion fails in it."""
        self.cases += 1
        try:
            yield
        except AssertionError as error:
            self.lost.append(f"{description}: {error}")


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Iterator[Tally]:
    """Count cases; fails at the end if one was lost."""
    name = request.node.originalname.removeprefix("test_").replace("_", " ")
    counted = Tally(name, request.config.getoption("--torture"), random.Random(request.node.nodeid))
    yield counted
    request.node.user_properties.append(("fault", (counted.fault, counted.cases, len(counted.lost))))
    assert counted.cases
    if counted.lost:
        pytest.fail("\n\n".join(counted.lost[:LOST_SHOWN]), pytrace=False)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what became of the faults; and, if it was all of them, write it into the documentation."""
    if not config.getoption("--torture"):
        return
    cases, lost = Counter[str](), Counter[str]()
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()):
                if name == "fault" and report.when == "teardown":
                    fault, tried, failed = value
                    cases[fault] += tried
                    lost[fault] += failed
    rows = ["| fault | cases | survived | lost |", "|---|---:|---:|---:|"]
    rows += [f"| {fault} | {n:,} | {n - lost[fault]:,} | {lost[fault]:,} |" for fault, n in cases.items()]
    terminalreporter.write_line("\n".join(rows))
    if not config.option.keyword and config.args == ["tests/faults"]:
        text = TABLE.sub("\n".join(rows) + "\n", DOCUMENT.read_text(encoding="utf-8"))
        DOCUMENT.write_text(text, encoding="utf-8")
