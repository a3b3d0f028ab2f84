"""Faults, injected for real: a sample of each in the test suite, and many more with `make torture`."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest


@dataclass
class Tally:
    """The cases of one kind of fault, and what became of them."""

    fault: str
    many: bool
    random: random.Random
    cases: int = 0
    lost: list[str] = field(default_factory=list)

    def number(self, sample: int, torture: int) -> int:
        """How many cases to try."""
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
    config = request.config
    seed = f"{request.node.nodeid} {config.getoption('--seed')}"
    name = request.node.originalname.removeprefix("test_").replace("_", " ")
    counted = Tally(name, config.getoption("--torture"), random.Random(seed))
    yield counted
    request.node.user_properties.append(("fault", (counted.fault, counted.cases, len(counted.lost))))
    assert counted.cases
    assert not counted.lost, "\n\n".join(counted.lost)
