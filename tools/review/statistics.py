"""Differences of metrics, with verdicts, and intervals of single networks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import sqrt

import numpy as np
import pandas as pd
from scipy.stats import binomtest
from scipy.stats import t as student_t

from tools.review.estimates import CONFIDENCE, Estimate, estimate
from tools.review.metrics import METRICS


class Verdict(StrEnum):
    """Verdicts on a difference, as a report has them."""

    BETTER = "better"
    WORSE = "worse"
    AS_GOOD = "as good"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True)
class Difference:
    """The difference of a metric between two revisions.

    Attributes:
        metric: the name.
        before: the value at the base, the mean over seeds.
        after: the value at the later revision, the mean over seeds.
        estimate: of the difference over seeds and images; with one seed each, over images alone.
        tolerance: how much worse the metric may get; None if there is no tolerance.
    """

    metric: str
    before: float
    after: float
    estimate: Estimate
    tolerance: float | None = None

    @property
    def interval(self) -> tuple[float, float]:
        """Return the 95 % confidence interval, within what is possible."""
        low, high = self.estimate.interval
        largest = METRICS[self.metric].largest
        return max(low, -largest), min(high, largest)

    @property
    def verdict(self) -> Verdict:
        """Return whether the interval is on one side of 0, or within the tolerance, or neither."""
        low, high = self.interval
        if low > 0 or high < 0:
            return Verdict.BETTER if (low > 0) == METRICS[self.metric].larger_is_better else Verdict.WORSE
        within = self.tolerance is not None and max(-low, high) <= self.tolerance
        return Verdict.AS_GOOD if within else Verdict.CANNOT_TELL

    @property
    def is_beyond_tolerance(self) -> bool:
        """Return whether all of the interval is worse by more than the tolerance."""
        low, high = self.interval
        least_harm = -high if METRICS[self.metric].larger_is_better else low
        return self.tolerance is not None and least_harm > self.tolerance


def compare(
    before: Sequence[pd.DataFrame], after: Sequence[pd.DataFrame], tolerance: Mapping[str, float]
) -> list[Difference]:
    """Compare each metric of two revisions by their predictions for the same images.

    Args:
        before: for each training seed, a row for each image, as `stages.scoring.scores.prediction_table`
            returns them.
        after: the predictions at the later revision, with as many seeds.
        tolerance: by metric, how much worse the metric may get.

    Returns:
        The differences in the order of `metrics.METRICS`, without those that cannot be computed, because a
        table lacks a column or has too few images of each class.
    """
    classes = before[0]["actual"].nunique()
    differences = []
    for name, metric in METRICS.items():
        if not all(metric.is_known(table) for table in (*before, *after)):
            continue
        first, second = (
            np.stack([metric.compute_values(table) for table in side]) for side in (before, after)
        )
        difference = estimate(second - first, metric.compute_step(classes))
        differences.append(
            Difference(name, float(first.mean()), float(second.mean()), difference, tolerance.get(name))
        )
    return differences


def estimate_intervals(table: pd.DataFrame) -> dict[str, tuple[float, float, float]]:
    """Estimate the metrics of a classifier, with 95 % intervals over images of the same kind.

    The interval of the accuracy is Wilson's ("Probable inference, the law of succession, and statistical
    inference", 1927). The other intervals are of the mean over images, by Student's t, with four images
    added: two that the classifier knows, and two at which it guesses (after Agresti and Coull, "Approximate
    is better than `exact' for interval estimation of binomial proportions", 1998).

    Args:
        table: a row for each image, as `stages.scoring.scores.prediction_table` returns them.

    Returns:
        By metric: the value, the lower and the upper end of the interval; without metrics that cannot be
        computed, as `compare` leaves them out.
    """
    classes, images = table["actual"].nunique(), len(table)
    estimates = {}
    for name, metric in METRICS.items():
        if not metric.is_known(table):
            continue
        values = metric.compute_values(table)
        if name == "accuracy":
            interval = binomtest(int(values.sum()), images).proportion_ci(CONFIDENCE, method="wilson")
            low, high = float(interval.low), float(interval.high)
        else:
            step = metric.compute_step(classes)
            known, guessed = (1.0, 1.0 - step) if metric.larger_is_better else (0.0, step)
            padded = np.concatenate([values, [known, known, guessed, guessed]])
            margin = (
                float(student_t.ppf((1 + CONFIDENCE) / 2, images + 3)) * padded.std(ddof=1) / sqrt(images + 4)
            )
            low, high = float(padded.mean() - margin), float(padded.mean() + margin)
        value = float(values.mean())
        estimates[name] = (value, min(value, max(0.0, low)), max(value, min(high, metric.largest)))
    return estimates
