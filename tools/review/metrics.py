"""Metrics of classifiers as means over images, for which intervals are known."""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, log

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.scoring import scores

# Of an image: shape (images,), the mean of which is the metric.
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Metric:
    """A metric with the value of each image.

    Attributes:
        larger_is_better: the direction of an improvement.
        columns: of the table of predictions that it is computed from.
        compute_values: the function from a table of predictions to the value of each image, shape (images,);
            their mean is the metric.
        compute_step: the function from the number of classes to the difference of an image's value between
            a network that knows the class of the image and a network that guesses.
        largest: the largest possible value.
        fewest_images: of each class, on average, without which no interval is known.
    """

    larger_is_better: bool
    columns: tuple[str, ...]
    compute_values: Callable[[pd.DataFrame], Values]
    compute_step: Callable[[int], float]
    largest: float = 1.0
    fewest_images: int = 0

    def is_known(self, table: pd.DataFrame) -> bool:
        """Return whether the value and its interval can be computed from a table of predictions."""
        enough = len(table) >= self.fewest_images * table["actual"].nunique()
        return enough and set(self.columns) <= set(table)


def _right(table: pd.DataFrame) -> Values:
    return np.asarray(table["predicted"] == table["actual"], dtype=np.float64)


def _losses(table: pd.DataFrame) -> Values:
    probabilities = table["probability_of_actual"].to_numpy(dtype=np.float64)
    return np.asarray(-np.log(np.maximum(probabilities, scores.SMALLEST_PROBABILITY)))


def _brier_scores(table: pd.DataFrame) -> Values:
    return np.asarray(table["sum_of_squares"] - 2 * table["probability_of_actual"] + 1, dtype=np.float64)


def _macro_f1_values(table: pd.DataFrame) -> Values:
    """Return macro F1 plus the influence of each image on it, the mean of which is 0.

    The influence of an image is what leaving it out takes away, times the number of the others (the
    jackknife: Efron, "The Jackknife, the Bootstrap and Other Resampling Plans", 1982, chapter 2).
    """
    classes, actual = np.unique(table["actual"], return_inverse=True)
    predicted = pd.Index(classes).get_indexer(pd.Index(table["predicted"]))
    known = predicted >= 0  # a class may be predicted that does not occur
    count, hit = len(classes), predicted == actual
    hits = np.bincount(actual[hit], minlength=count)
    both = np.bincount(actual, minlength=count) + np.bincount(predicted[known], minlength=count)
    f1 = _f1(hits, both)
    without = np.where(hit, _f1(hits - 1, both - 2)[actual], _f1(hits, both - 1)[actual]) - f1[actual]
    without += np.where(known & ~hit, _f1(hits, both - 1)[predicted] - f1[predicted], 0.0)
    influence = -(len(table) - 1) * without / count
    return np.asarray(f1.mean() + influence - influence.mean())


def _f1(hits: NDArray[np.int64], both: NDArray[np.int64]) -> Values:
    """Return F1 of classes by the numbers of hits, and of images of the class plus images taken for it."""
    scores_of_classes: Values = np.divide(2.0 * hits, both, out=np.zeros(len(hits)), where=both > 0)
    return scores_of_classes


# A metric of `stages.scoring.scores.compute_metrics` gets a verdict if there is an entry of that name here.
# The calibration error has none: its bias depends on the accuracy and on the spread of the confidence, so
# that perfectly calibrated networks seem to differ (Kumar, Liang and Ma, "Verified Uncertainty Calibration",
# 2019).
METRICS = {
    "accuracy": Metric(True, ("actual", "predicted"), _right, lambda _: 1.0),
    "macro_f1": Metric(True, ("actual", "predicted"), _macro_f1_values, lambda _: 1.0, fewest_images=5),
    "log_loss": Metric(False, ("probability_of_actual",), _losses, lambda classes: log(max(classes, 2)), inf),
    "brier_score": Metric(
        False,
        ("probability_of_actual", "sum_of_squares"),
        _brier_scores,
        lambda classes: 1 - 1 / max(classes, 2),
        2.0,
    ),
}
