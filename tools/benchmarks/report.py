"""What the benchmarks write: tables, and whether targets are met."""

from collections.abc import Sequence
from typing import NamedTuple

from tools.common.markdown import number_table


class Target(NamedTuple):
    """A number that was aimed at.

    Attributes:
        what: is measured.
        limit: that it should not exceed, or, if `at_least`, should reach.
        found: the measurement.
        at_least: whether more is better.
    """

    what: str
    limit: float
    found: float
    at_least: bool = False

    def row(self) -> tuple[str, ...]:
        """Its row of the table of targets."""
        met = self.found >= self.limit if self.at_least else self.found <= self.limit
        sign = "at least" if self.at_least else "at most"
        return self.what, f"{sign} {self.limit:g}", f"{self.found:.2f}", "yes" if met else "**no**"


class Section(NamedTuple):
    """A part of the results: a title, Markdown, and the targets that it decides."""

    title: str
    text: str
    targets: Sequence[Target] = ()


def page(introduction: str, sections: Sequence[Section]) -> str:
    """All of the results in Markdown, the targets first."""
    targets = [target.row() for section in sections for target in section.targets]
    parts = [introduction, "## Targets", number_table(("what", "target", "measured", "met"), targets)]
    for section in sections:
        parts += [f"## {section.title}", section.text]
    return "\n\n".join(parts) + "\n"
