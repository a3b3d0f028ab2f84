"""Metrics of predictions, and tables of them, in the vocabulary of scikit-learn."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import (
    accuracy_score,
    brier_score_loss,
    confusion_matrix,
    f1_score,
    log_loss,
    precision_recall_fscore_support,
)

from stages.common.layout import DECIMALS

MOST_CLASSES_DRAWN = 50  # a larger confusion matrix cannot be read
# scikit-learn keeps a probability in float32 at least this far from 0 before it takes the logarithm.
SMALLEST_PROBABILITY = float(np.finfo(np.float32).eps)


def compute_metrics(labels: NDArray[Any], probabilities: NDArray[np.float32], bins: int) -> dict[str, float]:
    """Compute the metrics of a classifier.

    Args:
        labels: shape (n,), the index of each example's class.
        probabilities: shape (n, classes), each row summing to 1.
        bins: the number of bins of the calibration error.

    Returns:
        accuracy, macro_f1 (the mean over the classes that occur), log_loss (in nats), brier_score (the mean
        over images of the sum over classes of squared errors, from 0 to 2: Brier, "Verification of forecasts
        expressed in terms of probability", 1950), calibration_error.
    """
    predictions = probabilities.argmax(axis=1)
    indices, occurring_classes = range(probabilities.shape[1]), np.unique(labels)
    correct, confidence = predictions == labels, probabilities.max(axis=1)
    return {
        "accuracy": float(accuracy_score(labels, predictions)),
        "macro_f1": float(f1_score(labels, predictions, labels=occurring_classes, average="macro")),
        "log_loss": float(log_loss(labels, probabilities, labels=indices)),
        "brier_score": float(brier_score_loss(labels, probabilities, labels=indices, scale_by_half=False)),
        "calibration_error": calibration_error(correct, confidence, bins),
    }


def round_metrics(metrics: dict[str, float]) -> dict[str, float]:
    """Round metrics to as many decimals as are written."""
    return {name: round(value, DECIMALS) for name, value in metrics.items()}


def calibration_error(correct: NDArray[np.bool_], confidence: NDArray[Any], bins: int) -> float:
    """Compute the expected calibration error: the mean gap between confidence and accuracy.

    Predictions are sorted into bins of equal width by their confidence. The result is the mean over bins of
    |accuracy - confidence|, weighted by the number of predictions in each bin.

    Source: Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks", 2017, eq. 3.

    Args:
        correct: shape (n,), whether each prediction is right.
        confidence: shape (n,), the probability of each predicted class.
        bins: the number of bins; (0, 1/bins] is the first.
    """
    confidence = confidence.astype(np.float64)
    bin_gaps = np.bincount(find_bins(confidence, bins), weights=correct - confidence)
    return float(np.abs(bin_gaps).sum() / len(correct))


def find_bins(confidence: NDArray[np.float64], bins: int) -> NDArray[np.int64]:
    """Return the bin of each confidence, from 0, shape (n,)."""
    return np.ceil(confidence * bins).astype(np.int64) - 1


def reliability_table(correct: NDArray[np.bool_], confidence: NDArray[Any], bins: int) -> pd.DataFrame:
    """Return the table of a reliability diagram: the accuracy of predictions by their confidence.

    Args:
        correct: shape (n,), whether each prediction is right.
        confidence: shape (n,), the probability of each predicted class.
        bins: the number of bins.

    Returns:
        A row for each bin that has predictions: bin (from 1), images, mean confidence, accuracy.
    """
    table = pd.DataFrame(
        {"confidence": confidence.astype(np.float64), "accuracy": correct.astype(np.float64)}
    )
    grouped = table.groupby(find_bins(table["confidence"].to_numpy(), bins) + 1)
    means = grouped.mean()
    means.insert(0, "images", grouped.size())
    return means.rename_axis("bin").reset_index()


def confusion_table(labels: NDArray[Any], predictions: NDArray[Any], classes: Sequence[str]) -> pd.DataFrame:
    """Return the confusion matrix as a table of `actual`, `predicted` and `count`.

    Args:
        labels: shape (n,), the index of each example's class.
        predictions: shape (n,), the index of each predicted class.
        classes: the names of the classes, in the order of the indices.

    Returns:
        A row for each pair of classes, in the order of the classes, also where the count is 0. Beyond
        `MOST_CLASSES_DRAWN` classes, the least confused are merged into one.
    """
    counts = confusion_matrix(labels, predictions, labels=range(len(classes)))
    names = list(classes)
    if len(names) > MOST_CLASSES_DRAWN:
        mistakes = counts.sum(axis=0) + counts.sum(axis=1) - 2 * counts.diagonal()
        most_confused = np.sort(np.argsort(-mistakes, kind="stable")[: MOST_CLASSES_DRAWN - 1])
        groups = np.full(len(names), len(most_confused))
        groups[most_confused] = range(len(most_confused))
        membership = np.eye(len(most_confused) + 1, dtype=int)[groups]
        counts = membership.T @ counts @ membership
        names = [*(names[index] for index in most_confused), f"{len(names) - len(most_confused):,} others"]
    pairs = pd.MultiIndex.from_product([names, names], names=["actual", "predicted"])
    return pd.DataFrame({"count": counts.ravel()}, index=pairs).reset_index()


def class_table(labels: NDArray[Any], predictions: NDArray[Any], classes: Sequence[str]) -> pd.DataFrame:
    """Return precision, recall and F1 of each class; arguments as `confusion_table`.

    Returns:
        A row for each class: class, precision, recall and f1; scores of a class without examples are missing.
    """
    precision, recall, f1, examples = precision_recall_fscore_support(
        labels, predictions, labels=range(len(classes)), zero_division=0
    )
    table = pd.DataFrame({"class": classes, "precision": precision, "recall": recall, "f1": f1})
    return table.where(table.index.isin(np.flatnonzero(examples))[:, None] | (table.columns == "class"))


def prediction_table(
    labels: NDArray[Any], probabilities: NDArray[np.float32], classes: Sequence[str]
) -> pd.DataFrame:
    """Return the predictions that a review compares image by image.

    Args:
        labels: shape (n,), the index of each example's class.
        probabilities: shape (n, classes).
        classes: the names of the classes, in the order of the indices.

    Returns:
        A row for each example, in their order: the names of the actual and the predicted class, the
        probabilities of the predicted class and of the actual class, and the sum of the squares of all
        probabilities, from which the Brier score of the example follows.
    """
    names = np.array(classes)
    return pd.DataFrame(
        {
            "actual": names[labels],
            "predicted": names[probabilities.argmax(axis=1)],
            "probability": probabilities.max(axis=1),
            "probability_of_actual": probabilities[np.arange(len(labels)), labels],
            "sum_of_squares": np.square(probabilities, dtype=np.float64).sum(axis=1),
        }
    )
