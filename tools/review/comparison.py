"""Comparison of two revisions, one data set after the other."""

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import pandas as pd

from stages.common import params_file
from tools.common.revision import Revision
from tools.review import gate, inputs, statistics
from tools.review.seeds import Spread
from tools.review.statistics import Difference


class Outcome(Enum):
    """Outcomes of looking for predictions to compare; a value is the template of a reason in words."""

    COMPARED = "the predictions differ"
    SAME_PREDICTIONS = "the same predictions for all {images:,} test images"
    NEW = "no predictions at {base}"
    REMOVED = "no such data set at {later}"
    NEVER_EVALUATED = "no predictions at either revision"
    PREDICTIONS_MISSING = "no predictions at {later}"
    OTHER_IMAGES = "the test images or the names of the classes differ"

    @property
    def stops(self) -> bool:
        """Return whether the gate stops the change: there should have been predictions to compare."""
        return self in (Outcome.PREDICTIONS_MISSING, Outcome.OTHER_IMAGES)


@dataclass
class Comparison:
    """The changes of a data set.

    Attributes:
        dataset: the key.
        parameters: the old and the new value of each parameter that differs.
        code: the files that differ and that a stage of the data set depends on.
        data: the raw files and splits that differ.
        stale: by the name of the revision, the inputs and results that have changed since the results were
            made.
        outcome: whether the predictions are compared, or why not.
        reason: the outcome in words.
        obstacle: the reason for which the gate stops the change untested, or None.
        before: the predictions at the base.
        after: the predictions at the later revision.
        differences: for each metric, if the predictions are compared.
        spreads: for each metric, if training was repeated with several seeds.
        pictures: the paths of the pictures.
    """

    dataset: str
    parameters: dict[str, tuple[Any, Any]]
    code: list[str]
    data: list[str]
    stale: dict[str, list[str]]
    outcome: Outcome
    reason: str
    obstacle: str | None
    before: pd.DataFrame = field(default_factory=pd.DataFrame)
    after: pd.DataFrame = field(default_factory=pd.DataFrame)
    differences: list[Difference] = field(default_factory=list)
    spreads: list[Spread] = field(default_factory=list)
    pictures: list[Path] = field(default_factory=list)


@dataclass(frozen=True)
class Review:
    """The comparison of all data sets of two revisions.

    Attributes:
        base: the earlier revision.
        later: the later revision.
        comparisons: for each data set of either revision.
        shared: the old and the new value of each parameter that differs and belongs to no data set.
        pipeline: the files that differ and that every stage depends on.
        tolerance: by metric, how much worse the metric may get; a metric without a tolerance stops nothing.
    """

    base: Revision
    later: Revision
    comparisons: list[Comparison]
    shared: dict[str, tuple[Any, Any]]
    pipeline: list[str]
    tolerance: dict[str, float]

    def find_regressions(self) -> list[tuple[str, Difference]]:
        """Return each data set and metric that is significantly worse by more than the tolerance."""
        return [
            (comparison.dataset, difference)
            for comparison in self.comparisons
            for difference in comparison.differences
            if difference.metric in self.tolerance
            and difference.is_worse_than(self.tolerance[difference.metric])
        ]

    @property
    def stopped(self) -> bool:
        """Return whether the gate stops the change."""
        return bool(self.find_regressions()) or any(comparison.obstacle for comparison in self.comparisons)


def list_datasets(base: Revision, later: Revision) -> list[str]:
    """Return the keys of the data sets of either revision, in the order of params.yaml."""
    return list(dict.fromkeys(name for revision in (later, base) for name in _read_datasets(revision)))


def compare_revisions(base: Revision, later: Revision, tolerance: dict[str, float]) -> Review:
    """Compare every data set of two revisions.

    Args:
        base: the earlier revision.
        later: the later revision.
        tolerance: by metric, a tolerance that replaces the setting in tools.yaml.
    """
    allowed, bins = gate.read_tolerance(base, later), gate.read_calibration_bins(base, later)
    changed = inputs.find_changed_parameters(base, later)
    comparisons = [
        compare_dataset(dataset, base, later, changed, bins) for dataset in list_datasets(base, later)
    ]
    of_datasets = {name for comparison in comparisons for name in comparison.parameters}
    shared = {name: values for name, values in changed.items() if name not in of_datasets}
    return Review(
        base,
        later,
        comparisons,
        {**shared, **gate.find_changed_tolerance(base, later)},
        inputs.find_changed_pipeline(base, later),
        {**allowed, **tolerance},
    )


def compare_dataset(
    dataset: str, base: Revision, later: Revision, changed: dict[str, tuple[Any, Any]], bins: int
) -> Comparison:
    """Compare a data set at two revisions.

    Args:
        dataset: the key.
        base: the earlier revision.
        later: the later revision.
        changed: parameters of any data set, as `inputs.find_changed_parameters` returns them.
        bins: the number of bins of the calibration error.
    """
    stale = {
        revision.name: inputs.find_stale(revision, dataset) if dataset in _read_datasets(revision) else []
        for revision in (base, later)
    }
    before, after = (_read_predictions(revision, dataset) for revision in (base, later))
    outcome = _find_outcome(dataset, base, later, before, after)
    images = 0 if after is None else len(after)
    reason = outcome.value.format(base=base.name, later=later.name, images=images)
    comparison = Comparison(
        dataset,
        {name: values for name, values in changed.items() if name.startswith(f"datasets.{dataset}.")},
        inputs.find_changed_code(base, later, dataset),
        inputs.find_changed_data(base, later, dataset),
        stale,
        outcome,
        reason,
        "its results are out of date" if stale[later.name] else reason if outcome.stops else None,
    )
    if outcome is Outcome.COMPARED and before is not None and after is not None:
        comparison.before, comparison.after = before, after
        comparison.differences = statistics.compare(before, after, bins)
    return comparison


def _find_outcome(
    dataset: str, base: Revision, later: Revision, before: pd.DataFrame | None, after: pd.DataFrame | None
) -> Outcome:
    if after is None:
        if dataset not in _read_datasets(later):
            return Outcome.REMOVED
        return Outcome.NEVER_EVALUATED if before is None else Outcome.PREDICTIONS_MISSING
    if before is None:
        return Outcome.NEW
    test_splits = {inputs.find_test_split(revision, dataset) for revision in (base, later)}
    if before["actual"].tolist() != after["actual"].tolist() or len(test_splits) > 1:
        return Outcome.OTHER_IMAGES
    return Outcome.SAME_PREDICTIONS if before.equals(after) else Outcome.COMPARED


def _read_predictions(revision: Revision, dataset: str) -> pd.DataFrame | None:
    """Return the predictions, None also for those that a removed data set has left behind."""
    return revision.predictions(dataset) if dataset in _read_datasets(revision) else None


def _read_datasets(revision: Revision) -> dict[str, Any]:
    return revision.section(params_file.FILE, "datasets")
