"""The parts of a review: what is compared, by which rules, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from tools.common.revision import Result, Revision
from tools.review import confusions
from tools.review.statistics import Difference


class Outcome(Enum):
    """Outcomes of looking for predictions to compare; a value is the template of a reason in words."""

    COMPARED = "the predictions differ"
    SAME_PREDICTIONS = "the same predictions for all {images:,} {split} images"
    NEW = "no predictions for {split} images at {base}"
    REMOVED = "no such data set at {later}"
    PREDICTIONS_MISSING = "no predictions for {split} images at {later}; run dvc repro evaluate@{dataset}"
    OTHER_IMAGES = "the {split} images differ, or their labels"


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
        renamed: the new name of each class that was renamed, by its old name; `before` has the new names.
        pictures: for the page.
        contents: of the part of the page that shows the images; None without images.
        is_native: whether all seeds but the first were trained natively.
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
    renamed: dict[str, str] = field(default_factory=dict)
    pictures: list[Picture] = field(default_factory=list)
    contents: dict[str, Any] | None = None
    is_native: bool = False

    @cached_property
    def changes_of_classes(self) -> pd.DataFrame:
        """Return the table of `confusions.compare_classes`."""
        return confusions.compare_classes(*self._list_predictions())

    @cached_property
    def changes_of_confusions(self) -> pd.DataFrame:
        """Return the table of `confusions.compare_confusions`."""
        return confusions.compare_confusions(*self._list_predictions())

    def _list_predictions(self) -> list[list[pd.DataFrame]]:
        return [[result.predictions for result in results] for results in (self.before, self.after)]

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


def _average(results: Sequence[Result]) -> dict[str, float]:
    """Return the mean of each metric that all results have."""
    names = [name for name in results[0].metrics if all(name in result.metrics for result in results)]
    return {name: sum(result.metrics[name] for result in results) / len(results) for name in names}
