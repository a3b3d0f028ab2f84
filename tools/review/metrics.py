"""Metrics of classifiers as functions of sums over images, which a bootstrap can resample."""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from stages.scoring import scores


@dataclass(frozen=True)
class Sums:
    """Sums over the images of one sample, or of several samples along the leading axes.

    Attributes:
        actual: the number of images of each class, shape (..., classes).
        predicted: the number of images predicted as each class, shape (..., classes).
        hits: the number of images of each class that are right, shape (..., classes).
        loss: the sum of the losses in nats, shape (...,).
        gaps: the sum of correctness (0 or 1) minus confidence in each bin, shape (..., bins).
    """

    actual: NDArray[np.float64]
    predicted: NDArray[np.float64]
    hits: NDArray[np.float64]
    loss: NDArray[np.float64]
    gaps: NDArray[np.float64]

    @property
    def images(self) -> NDArray[np.float64]:
        """The number of images, shape (...,)."""
        return np.asarray(self.actual.sum(axis=-1))


@dataclass(frozen=True)
class Metric:
    """A metric as a function of sums over images.

    Attributes:
        larger_is_better: the direction of an improvement.
        compute: the function, from `Sums` to shape (...,).
        largest: the largest possible value.
    """

    larger_is_better: bool
    compute: Callable[[Sums], NDArray[np.float64]]
    largest: float = 1.0


# A metric of `stages.scoring.scores.compute_metrics` is reviewed if the table has an entry of that name.
METRICS = {
    "accuracy": Metric(True, lambda sums: sums.hits.sum(axis=-1) / sums.images),
    "macro_f1": Metric(
        True, lambda sums: (2 * sums.hits / np.maximum(sums.actual + sums.predicted, 1)).mean(axis=-1)
    ),
    "log_loss": Metric(False, lambda sums: sums.loss / sums.images, inf),
    "calibration_error": Metric(False, lambda sums: np.abs(sums.gaps).sum(axis=-1) / sums.images),
}


def per_image_terms(table: pd.DataFrame, classes: NDArray[Any], bins: int) -> sparse.csr_array:
    """Return the contribution of each image to `Sums`, in the order of its attributes.

    Args:
        table: a row for each image, as `stages.scoring.scores.prediction_table` returns them.
        classes: the names of the classes that occur.
        bins: the number of bins of the calibration error.

    Returns:
        Shape (images, 3 * classes + 1 + bins), float64.
    """
    actual, predicted = (_one_hot(table[column], classes) for column in ("actual", "predicted"))
    loss = -np.log(table["probability_of_actual"].clip(lower=scores.SMALLEST_PROBABILITY)).to_numpy()
    confidence = table["probability"].to_numpy()
    gap = (table["predicted"] == table["actual"]).to_numpy() - confidence
    gaps = _scatter(scores.find_bins(confidence, bins), gap, bins)
    parts = [actual, predicted, actual * predicted, sparse.csr_array(loss[:, None]), gaps]
    terms: sparse.csr_array = sparse.hstack(parts, format="csr")
    return terms


def compute(sums: NDArray[np.float64], classes: int) -> NDArray[np.float64]:
    """Return the metrics, shape (metrics, ...), of sums over images, shape (..., 3 * classes + 1 + bins)."""
    ends = [classes, 2 * classes, 3 * classes, 3 * classes + 1]
    actual, predicted, hits, loss, gaps = np.split(sums, ends, axis=-1)
    parts = Sums(actual, predicted, hits, loss[..., 0], gaps)
    return np.array([metric.compute(parts) for metric in METRICS.values()])


def _one_hot(column: "pd.Series[str]", classes: NDArray[Any]) -> sparse.csr_array:
    return _scatter(pd.Index(classes).get_indexer(column), np.ones(len(column)), len(classes))


def _scatter(columns: NDArray[Any], values: NDArray[np.float64], width: int) -> sparse.csr_array:
    """Put each value into a row of its own, in the given column; a row stays empty if its column is -1."""
    rows = np.flatnonzero(columns >= 0)
    return sparse.csr_array((values[rows], (rows, columns[rows])), shape=(len(values), width))
