"""Two revisions, data set by data set: all that a review says of them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import ValidationError

from stages import parameters
from stages.common.errors import UserError
from tools.common.revision import Revision
from tools.review import changes, statistics
from tools.review.seeds import Spread
from tools.review.statistics import Difference


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
        untested: why the gate stops it, or None: there should have been something to test.
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
    untested: str | None = None
    before: pd.DataFrame = field(default_factory=pd.DataFrame)
    after: pd.DataFrame = field(default_factory=pd.DataFrame)
    differences: list[Difference] = field(default_factory=list)
    spreads: list[Spread] = field(default_factory=list)
    pictures: list[Path] = field(default_factory=list)


def datasets(base: Revision, later: Revision) -> list[str]:
    """The data sets of either revision, in the order of params.yaml."""
    return list(dict.fromkeys(name for revision in (later, base) for name in _keys(revision)))


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
        {
            revision.name: changes.stale(revision, dataset) if dataset in _keys(revision) else []
            for revision in (base, later)
        },
    )
    before, after = (
        revision.predictions(dataset) if dataset in _keys(revision) else None for revision in (base, later)
    )
    if after is None:
        comparison.nothing_to_test = f"{later.name} has no predictions for it"
        if before is not None and dataset in _keys(later):
            comparison.untested = comparison.nothing_to_test
    elif before is None:
        comparison.nothing_to_test = f"{base.name} has no predictions for it"
    elif before["actual"].tolist() != after["actual"].tolist() or changes.test_split(
        base, dataset
    ) != changes.test_split(later, dataset):
        comparison.nothing_to_test = "the test images or the names of their classes are not the same"
        comparison.untested = comparison.nothing_to_test
    elif before.equals(after):
        comparison.nothing_to_test = f"the same predictions for all {len(after):,} test images"
    else:
        comparison.before, comparison.after = before, after
        comparison.differences = statistics.compare(before, after, bins)
    if comparison.stale[later.name]:
        comparison.untested = "its results are out of date"
    return comparison


def _keys(revision: Revision) -> dict[str, Any]:
    return revision.section(parameters.FILE, "datasets")


def rules(base: Revision, later: Revision) -> tuple[dict[str, float], int]:
    """The tolerance of each metric and the number of bins of the calibration error.

    They are those of the base, so that a change cannot loosen its own gate; those of the later revision
    where the base has none.
    """
    revision = base if base.section(parameters.FILE, "review") else later
    try:
        gate = parameters.Gate.model_validate(revision.section(parameters.FILE, "review"))
        evaluation = parameters.Evaluation.model_validate(revision.section(parameters.FILE, "evaluation"))
    except ValidationError as error:
        detail = error.errors()[0]
        key = ".".join(map(str, detail["loc"]))
        raise UserError(
            f"{parameters.FILE} at {revision.name}: {error.title.lower()}: {key}: {detail['msg']}"
        ) from None
    return gate.tolerance.model_dump(), evaluation.calibration_bins


@dataclass(frozen=True)
class Review:
    """Two revisions and how their data sets compare.

    Attributes:
        base: the earlier revision.
        later: the later one.
        comparisons: one for each data set of either.
        shared: the old and the new value of each parameter that differs and belongs to no data set.
        pipeline: the files that differ and that every stage depends on.
        tolerance: by metric, how much worse it may get.
    """

    base: Revision
    later: Revision
    comparisons: list[Comparison]
    shared: dict[str, tuple[Any, Any]]
    pipeline: list[str]
    tolerance: dict[str, float]

    def too_much_worse(self) -> list[tuple[str, Difference]]:
        """What stops the change: each data set and metric significantly worse by more than its tolerance."""
        return [
            (comparison.dataset, difference)
            for comparison in self.comparisons
            for difference in comparison.differences
            if difference.worse_than(self.tolerance[difference.metric])
        ]

    @property
    def stopped(self) -> bool:
        """Whether the gate stops the change."""
        return bool(self.too_much_worse()) or any(one.untested for one in self.comparisons)
