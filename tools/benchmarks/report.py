"""Report of the benchmarks as Markdown: tables, and targets that are met or missed."""

from collections.abc import Sequence
from typing import NamedTuple

from tools.common.markdown import number_table


class Target(NamedTuple):
    """A target for a measurement.

    Attributes:
        title: of the quantity.
        limit: the largest value that meets the target, or the smallest if `at_least`.
        value: the measured value.
        at_least: whether larger values are better.
    """

    title: str
    limit: float
    value: float
    at_least: bool = False

    def row(self) -> tuple[str, ...]:
        """Return the row of the target in the table of targets."""
        is_met = self.value >= self.limit if self.at_least else self.value <= self.limit
        sign = "at least" if self.at_least else "at most"
        return self.title, f"{sign} {self.limit:g}", f"{self.value:.2f}", "yes" if is_met else "**no**"


class Section(NamedTuple):
    """A section of the report: its title, its Markdown, and its targets."""

    title: str
    text: str
    targets: Sequence[Target] = ()


def build_page(introduction: str, sections: Sequence[Section]) -> str:
    """Return the whole report as Markdown, with the targets of all sections first."""
    targets = [target.row() for section in sections for target in section.targets]
    parts = [introduction, "## Targets", number_table(("quantity", "target", "measured", "met"), targets)]
    for section in sections:
        parts += [f"## {section.title}", section.text]
    return "\n\n".join(parts) + "\n"
