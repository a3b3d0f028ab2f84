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
    """

    larger_is_better: bool
    columns: tuple[str, ...]
    compute_values: Callable[[pd.DataFrame], Values]
    compute_step: Callable[[int], float]
    largest: float = 1.0


def _right(table: pd.DataFrame) -> Values:
    return np.asarray(table["predicted"] == table["actual"], dtype=np.float64)


def _losses(table: pd.DataFrame) -> Values:
    probabilities = table["probability_of_actual"].to_numpy(dtype=np.float64)
    return np.asarray(-np.log(np.maximum(probabilities, scores.SMALLEST_PROBABILITY)))


def _brier_scores(table: pd.DataFrame) -> Values:
    return np.asarray(table["sum_of_squares"] - 2 * table["probability_of_actual"] + 1, dtype=np.float64)


def _macro_f1_values(table: pd.DataFrame) -> Values:
    """Return macro F1 plus the influence of each image on it, the mean of which is 0.

    Macro F1 is a function of sums over images: for each class that occurs, of the images of the class, of the
    images predicted as the class, and of both. To first order, it changes with an image as much as its
    gradient says (the infinitesimal jackknife: Efron, "The Jackknife, the Bootstrap and Other Resampling
    Plans", 1982, chapter 6).
    """
    classes, actual = np.unique(table["actual"], return_inverse=True)
    predicted = pd.Index(classes).get_indexer(pd.Index(table["predicted"]))
    known = predicted >= 0  # a class may be predicted that does not occur
    count, hit = len(classes), predicted == actual
    hits = np.bincount(actual[hit], minlength=count)
    both = np.bincount(actual, minlength=count) + np.bincount(predicted[known], minlength=count)
    slope = 2 * hits / both**2  # by one more image of the class, or predicted as the class
    influence = hit * (2 / both)[actual] - slope[actual] - np.where(known, slope[predicted], 0.0)
    values: Values = (2 * hits / both).mean() + len(table) * influence / count
    return values


# A metric of `stages.scoring.scores.compute_metrics` gets a verdict if there is an entry of that name here.
# The calibration error has none: its bias depends on the accuracy and on the spread of the confidence, so
# that perfectly calibrated networks seem to differ (Kumar, Liang and Ma, "Verified Uncertainty Calibration",
# 2019).
METRICS = {
    "accuracy": Metric(True, ("actual", "predicted"), _right, lambda _: 1.0),
    "macro_f1": Metric(True, ("actual", "predicted"), _macro_f1_values, lambda _: 1.0),
    "log_loss": Metric(False, ("probability_of_actual",), _losses, log, inf),
    "brier_score": Metric(
        False,
        ("probability_of_actual", "sum_of_squares"),
        _brier_scores,
        lambda classes: 1 - 1 / classes,
        2.0,
    ),
}
