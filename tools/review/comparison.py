"""Comparison of two revisions, one data set after the other."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from stages.common import params_file
from tools.common.revision import Result, Revision
from tools.review import gate, inputs, statistics
from tools.review.statistics import Difference


class Outcome(Enum):
    """Outcomes of looking for predictions to compare; a value is the template of a reason in words."""

    COMPARED = "the predictions differ"
    SAME_PREDICTIONS = "the same predictions for all {images:,} {split} images"
    NEW = "no predictions for {split} images at {base}"
    REMOVED = "no such data set at {later}"
    PREDICTIONS_MISSING = "no predictions for {split} images at {later}; run dvc repro evaluate@{dataset}"
    OTHER_IMAGES = "the {split} images, or the names of the classes, differ"


# The option by which a person accepts an outcome that stops a change.
OPTIONS = {Outcome.REMOVED: "--removed", Outcome.OTHER_IMAGES: "--new-images"}


@dataclass(frozen=True)
class Rules:
    """The rules of a review.

    Attributes:
        split: whose predictions are compared, `validation` or `test`.
        tolerance: by metric, a tolerance that replaces the setting in tools.yaml.
        accepted: the data sets for which a person accepts an outcome of `OPTIONS`.
    """

    split: str
    tolerance: dict[str, float] = field(default_factory=dict)
    accepted: dict[Outcome, frozenset[str]] = field(default_factory=dict)

    def accept(self, outcome: Outcome, dataset: str) -> bool:
        """Return whether a person accepts the outcome for the data set."""
        return dataset in self.accepted.get(outcome, frozenset())


@dataclass(frozen=True)
class Picture:
    """A picture for the page of a review.

    Attributes:
        path: of the PNG file.
        caption: in words.
        is_half_wide: whether the picture may stand beside the next one.
    """

    path: Path
    caption: str
    is_half_wide: bool = False


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
        obstacles: the reasons for which the gate stops the change, whatever the predictions.
        before: the results at the base, one for each training seed.
        after: the results at the later revision.
        differences: for each metric that both revisions have, if the predictions are compared.
        classes: the names of the classes that occur or are predicted, in the order of params.yaml.
        pictures: for the page.
    """

    dataset: str
    parameters: dict[str, tuple[Any, Any]]
    code: list[str]
    data: list[str]
    stale: dict[str, list[str]]
    outcome: Outcome
    reason: str
    obstacles: list[str]
    before: list[Result] = field(default_factory=list)
    after: list[Result] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)

    @property
    def is_shown_alone(self) -> bool:
        """Return whether the later results are shown without a comparison."""
        return bool(self.after) and not self.before

    def list_other_metrics(self) -> list[tuple[str, float | None, float | None]]:
        """Return name, old and new value of each metric without a difference, None at a revision without it.

        Values are means over training seeds.
        """
        compared = {difference.metric for difference in self.differences}
        sides = [_average(results) for results in (self.before, self.after)]
        names = [name for name in dict.fromkeys([*sides[1], *sides[0]]) if name not in compared]
        return [(name, sides[0].get(name), sides[1].get(name)) for name in names]


@dataclass(frozen=True)
class Review:
    """The comparison of all data sets of two revisions.

    Attributes:
        base: the earlier revision.
        later: the later revision.
        split: whose predictions are compared.
        comparisons: for each data set of either revision.
        shared: the old and the new value of each parameter that differs and belongs to no data set.
        pipeline: which of dvc.yaml and requirements.lock differ.
        tolerance: by metric, how much worse the metric may get; a metric without a tolerance stops nothing.
    """

    base: Revision
    later: Revision
    split: str
    comparisons: list[Comparison]
    shared: dict[str, tuple[Any, Any]]
    pipeline: list[str]
    tolerance: dict[str, float]

    @property
    def seeds(self) -> int:
        """Return the number of training seeds of each revision."""
        return max((len(comparison.after) for comparison in self.comparisons), default=1)

    def find_regressions(self) -> list[tuple[str, Difference]]:
        """Return each data set and metric for which all of the interval is beyond the tolerance."""
        return [
            (comparison.dataset, difference)
            for comparison in self.comparisons
            for difference in comparison.differences
            if difference.is_beyond_tolerance
        ]

    @property
    def stopped(self) -> bool:
        """Return whether the gate stops the change."""
        return bool(self.find_regressions()) or any(comparison.obstacles for comparison in self.comparisons)


def list_datasets(base: Revision, later: Revision) -> list[str]:
    """Return the keys of the data sets of either revision, in the order of params.yaml."""
    return list(dict.fromkeys(name for revision in (later, base) for name in _read_datasets(revision)))


def compare_revisions(
    base: Revision, later: Revision, changed: dict[str, tuple[Any, Any]], rules: Rules
) -> Review:
    """Compare every data set of two revisions.

    Args:
        base: the earlier revision.
        later: the later revision.
        changed: parameters, as `inputs.find_changed_parameters` returns them.
        rules: of the review.
    """
    tolerance = {**gate.read_tolerance(base, later), **rules.tolerance}
    comparisons = []
    for dataset in list_datasets(base, later):
        comparison = compare_dataset(dataset, base, later, changed, rules)
        if comparison.outcome is Outcome.COMPARED:
            comparison.differences = compare_results(comparison.before, comparison.after, tolerance)
        comparisons.append(comparison)
    of_datasets = {name for comparison in comparisons for name in comparison.parameters}
    shared = {name: values for name, values in changed.items() if name not in of_datasets}
    return Review(
        base,
        later,
        rules.split,
        comparisons,
        {**shared, **gate.find_changed_tolerance(base, later)},
        inputs.find_changed_pipeline(base, later),
        tolerance,
    )


def compare_results(
    before: Sequence[Result], after: Sequence[Result], tolerance: dict[str, float]
) -> list[Difference]:
    """Compare the predictions of two revisions, one result for each training seed."""
    first, second = ([result.predictions for result in results] for results in (before, after))
    return statistics.compare(first, second, tolerance)


def compare_dataset(
    dataset: str, base: Revision, later: Revision, changed: dict[str, tuple[Any, Any]], rules: Rules
) -> Comparison:
    """Find out what of a data set has changed between two revisions, and read the results.

    Args:
        dataset: the key.
        base: the earlier revision.
        later: the later revision.
        changed: parameters of any data set, as `inputs.find_changed_parameters` returns them.
        rules: of the review.
    """
    revisions = (base, later)
    stale = {
        revision.name: inputs.find_stale(revision, dataset) if dataset in _read_datasets(revision) else []
        for revision in revisions
    }
    before, after = (_read_result(revision, dataset, rules.split) for revision in revisions)
    outcome = _find_outcome(dataset, revisions, (before, after), rules.split)
    reason = outcome.value.format(
        base=base.name,
        later=later.name,
        images=len(after.predictions) if after else 0,
        split=rules.split,
        dataset=dataset,
    )
    unlocked = inputs.find_unlocked(later, dataset) if dataset in _read_datasets(later) else []
    comparison = Comparison(
        dataset,
        {name: values for name, values in changed.items() if name.startswith(f"datasets.{dataset}.")},
        [] if unlocked else inputs.find_changed_code(base, later, dataset),
        [] if unlocked else inputs.find_changed_data(base, later, dataset),
        stale,
        outcome,
        reason,
        _find_obstacles(dataset, base, later, unlocked) if dataset in _read_datasets(later) else [],
    )
    if outcome is Outcome.PREDICTIONS_MISSING:
        comparison.obstacles.insert(0, reason)
    if outcome in OPTIONS and not rules.accept(outcome, dataset):
        comparison.obstacles.insert(0, f"{reason}; {OPTIONS[outcome]} {dataset} accepts that")
    is_comparable = outcome in (Outcome.COMPARED, Outcome.SAME_PREDICTIONS)
    comparison.before = [before] if before and is_comparable else []
    comparison.after = [after] if after else []
    comparison.classes = _order_classes(later, dataset, [*comparison.before, *comparison.after])
    return comparison


def _find_outcome(
    dataset: str,
    revisions: tuple[Revision, Revision],
    results: tuple[Result | None, Result | None],
    split: str,
) -> Outcome:
    before, after = results
    if after is None:
        return Outcome.PREDICTIONS_MISSING if dataset in _read_datasets(revisions[1]) else Outcome.REMOVED
    if before is None:
        return Outcome.NEW
    hashes = {inputs.find_split(revision, dataset, split) for revision in revisions} - {None}
    if before.predictions["actual"].tolist() != after.predictions["actual"].tolist() or len(hashes) > 1:
        return Outcome.OTHER_IMAGES
    if before.metrics == after.metrics and before.predictions.equals(after.predictions):
        return Outcome.SAME_PREDICTIONS
    return Outcome.COMPARED


def _find_obstacles(dataset: str, base: Revision, later: Revision, unlocked: list[str]) -> list[str]:
    """Return the reasons for not believing the results of a data set that the later revision has."""
    obstacles = []
    if unlocked:
        obstacles.append(f"not in dvc.lock: {', '.join(unlocked)}; run dvc repro evaluate@{dataset}")
    elif inputs.find_stale(later, dataset):
        obstacles.append("its results are out of date")
    if unexplained := inputs.find_unexplained(base, later, dataset):
        obstacles.append(
            f"other results from the same inputs: {', '.join(unexplained)}; "
            f"run dvc repro --force evaluate@{dataset}"
        )
    return obstacles


def _order_classes(revision: Revision, dataset: str, results: Sequence[Result]) -> list[str]:
    """Return the names of classes in results, in the order of params.yaml, then those that it lacks."""
    classes = _read_datasets(revision).get(dataset, {}).get("classes", [])
    listed = range(classes) if isinstance(classes, int) else classes
    positions = {str(name): position for position, name in enumerate(listed)}
    names = {name for result in results for name in np.unique(result.predictions[["actual", "predicted"]])}
    return sorted(names, key=lambda name: (positions.get(name, len(positions)), name))


def _average(results: Sequence[Result]) -> dict[str, float]:
    """Return the mean of each metric that all results have."""
    names = [name for name in results[0].metrics if all(name in result.metrics for result in results)]
    return {name: sum(result.metrics[name] for result in results) / len(results) for name in names}


def _read_result(revision: Revision, dataset: str, split: str) -> Result | None:
    """Return the results, None also for those that a removed data set has left behind."""
    return revision.result(dataset, split) if dataset in _read_datasets(revision) else None


def _read_datasets(revision: Revision) -> dict[str, Any]:
    return revision.section(params_file.FILE, "datasets")
