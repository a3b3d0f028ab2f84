"""Two revisions, data set by data set: all that a review says of them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from compare import changes, statistics
from compare.revision import Revision
from compare.seeds import Spread
from compare.statistics import Difference
from stages import parameters


@dataclass
class Comparison:
    """What changed in a data set.

    Attributes:
        dataset: its key.
        parameters: the old and the new value of each that differs.
        code: the files that differ and that one of its stages depends on.
        data: the raw files and splits that differ.
        stale: by revision, what its results were not made with.
        nothing_to_test: why there are no differences to test, or None if there are.
        before: the predictions at the base.
        after: the predictions at the later revision.
        differences: one for each metric.
        spreads: one for each metric, where training was repeated.
        pictures: the files that were drawn.
    """

    dataset: str
    parameters: dict[str, tuple[Any, Any]]
    code: list[str]
    data: list[str]
    stale: dict[str, list[str]]
    nothing_to_test: str | None = None
    before: pd.DataFrame = field(default_factory=pd.DataFrame)
    after: pd.DataFrame = field(default_factory=pd.DataFrame)
    differences: list[Difference] = field(default_factory=list)
    spreads: list[Spread] = field(default_factory=list)
    pictures: list[Path] = field(default_factory=list)


def datasets(base: Revision, later: Revision) -> list[str]:
    """The data sets of either revision, in the order of params.yaml."""
    names = [
        name for revision in (later, base) for name in revision.yaml(parameters.FILE).get("datasets", {})
    ]
    return list(dict.fromkeys(names))


def compare(
    dataset: str, base: Revision, later: Revision, changed: dict[str, tuple[Any, Any]], bins: int
) -> Comparison:
    """Compare a data set at two revisions.

    Args:
        dataset: its key.
        base: the earlier revision.
        later: the later one.
        changed: parameters of any data set, as `compare.changes.changed_parameters` gives them.
        bins: of the calibration error.
    """
    comparison = Comparison(
        dataset,
        {name: values for name, values in changed.items() if name.startswith(f"datasets.{dataset}.")},
        changes.changed_code(base, later, dataset),
        changes.changed_data(base, later, dataset),
        {revision.name: changes.stale(revision, dataset) for revision in (base, later)},
    )
    before, after = base.predictions(dataset), later.predictions(dataset)
    if after is None:
        comparison.nothing_to_test = f"{later.name} has no predictions for it"
    elif before is None:
        comparison.nothing_to_test = f"{base.name} has no predictions for it"
    elif before["actual"].tolist() != after["actual"].tolist():
        comparison.nothing_to_test = "the test images are not the same"
    elif before.equals(after):
        comparison.nothing_to_test = f"the same predictions for all {len(after):,} test images"
    else:
        comparison.before, comparison.after = before, after
        comparison.differences = statistics.compare(before, after, bins)
    return comparison


@dataclass(frozen=True)
class Review:
    """Two revisions and how their data sets compare.

    Attributes:
        base: the earlier revision.
        later: the later one.
        comparisons: one for each data set of either.
        shared: the old and the new value of each parameter that differs and belongs to no data set.
        tolerance: by metric, how much worse it may get.
    """

    base: Revision
    later: Revision
    comparisons: list[Comparison]
    shared: dict[str, tuple[Any, Any]]
    tolerance: dict[str, float]

    def too_much_worse(self) -> list[tuple[str, Difference]]:
        """What stops the change: each data set and metric significantly worse by more than its tolerance."""
        return [
            (comparison.dataset, difference)
            for comparison in self.comparisons
            for difference in comparison.differences
            if difference.worse_than(self.tolerance[difference.metric])
        ]
