"""How good predictions are: every metric and the confusion matrix, in the vocabulary of scikit-learn."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, log_loss


def score(labels: NDArray[Any], probabilities: NDArray[np.float32], bins: int) -> dict[str, float]:
    """The metrics of a classifier.

    Args:
        labels: shape (n,), the index of each example's class.
        probabilities: shape (n, classes), each row summing to 1.
        bins: of the calibration error.

    Returns:
        accuracy, macro_f1, log_loss (in nats) and calibration_error.
    """
    predictions = probabilities.argmax(axis=1)
    classes = range(probabilities.shape[1])
    return {
        "accuracy": float(accuracy_score(labels, predictions)),
        "macro_f1": float(f1_score(labels, predictions, labels=classes, average="macro", zero_division=0)),
        "log_loss": float(log_loss(labels, probabilities, labels=classes)),
        "calibration_error": calibration_error(labels, probabilities, bins),
    }


def calibration_error(labels: NDArray[Any], probabilities: NDArray[np.float32], bins: int) -> float:
    """The expected calibration error: by how much the confidence misses the accuracy, on average.

    The predictions are sorted into bins of equal width by the probability of the predicted class;
    the result is the mean over bins of |accuracy - confidence|, weighted by the predictions in each.

    Source: Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks", 2017, eq. 3.

    Args:
        labels: shape (n,).
        probabilities: shape (n, classes).
        bins: their number; (0, 1/bins] is the first.
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    correct = probabilities.argmax(axis=1) == labels
    bin_of = np.ceil(confidence * bins).astype(int) - 1
    gap_of_bin = np.bincount(bin_of, weights=correct - confidence, minlength=bins)
    return float(np.abs(gap_of_bin).sum() / len(labels))


def confusion_table(labels: NDArray[Any], predictions: NDArray[Any], classes: Sequence[str]) -> pd.DataFrame:
    """The confusion matrix as a table of `actual`, `predicted` and `count`.

    Args:
        labels: shape (n,), the index of each example's class.
        predictions: shape (n,), likewise.
        classes: their names, in the order of the indices.

    Returns:
        A row for each pair of classes, also those with count 0, in the order of the classes.
    """
    counts = confusion_matrix(labels, predictions, labels=range(len(classes)))
    pairs = pd.MultiIndex.from_product([classes, classes], names=["actual", "predicted"])
    return pd.DataFrame({"count": counts.ravel()}, index=pairs).reset_index()
