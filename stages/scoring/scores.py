"""Metrics of predictions, and tables of them, in the vocabulary of scikit-learn."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri
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
LEVEL = 0.95  # of the intervals in the tables


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
        A row for each bin that has predictions: bin (from 1), images, mean confidence, accuracy, and the
        interval of the accuracy, low to high.
    """
    table = pd.DataFrame(
        {"confidence": confidence.astype(np.float64), "accuracy": correct.astype(np.float64)}
    )
    grouped = table.groupby(find_bins(table["confidence"].to_numpy(), bins) + 1)
    means = grouped.mean()
    means.insert(0, "images", grouped.size())
    successes, trials = grouped["accuracy"].sum(), grouped.size()
    means["low"], means["high"] = wilson_interval(successes.to_numpy(), trials.to_numpy())
    return means.rename_axis("bin").reset_index()


def wilson_interval(successes: NDArray[Any], trials: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Compute confidence intervals of proportions, which have a width also where all trials succeed.

    Source: Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", 1927.

    Args:
        successes: counts.
        trials: counts of the same shape.

    Returns:
        The lower and the upper bounds, between 0 and 1; missing (nan) where there are no trials.
    """
    z = ndtri((1 + LEVEL) / 2)
    trials = np.where(trials > 0, trials, np.nan)
    share = successes / trials
    centre = share + z**2 / (2 * trials)
    half_width = z * np.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    scale = 1 + z**2 / trials
    # The bounds of 0 and 1 would be off by the last bit.
    return np.clip((centre - half_width) / scale, 0, 1), np.clip((centre + half_width) / scale, 0, 1)


def confusion_table(labels: NDArray[Any], predictions: NDArray[Any], classes: Sequence[str]) -> pd.DataFrame:
    """Return the confusion matrix as a table of `actual`, `predicted` and `count`.

    Args:
        labels: shape (n,), the index of each example's class.
        predictions: shape (n,), the index of each predicted class.
        classes: the names of the classes, in the order of the indices.

    Returns:
        A row for each pair of classes, in the order of the classes, also where the count is 0. More than
        `MOST_CLASSES_DRAWN` classes are merged into so many groups of neighbours, the same for every
        network, so that the tables of two networks can be subtracted.
    """
    counts = confusion_matrix(labels, predictions, labels=range(len(classes)))
    names = list(classes)
    if len(names) > MOST_CLASSES_DRAWN:
        groups = np.arange(len(names)) * MOST_CLASSES_DRAWN // len(names)
        membership = np.eye(MOST_CLASSES_DRAWN, dtype=int)[groups]
        counts = membership.T @ counts @ membership
        bounds = np.searchsorted(groups, range(MOST_CLASSES_DRAWN + 1))
        names = [_name_group(names[first:last]) for first, last in pairwise(bounds)]
    pairs = pd.MultiIndex.from_product([names, names], names=["actual", "predicted"])
    return pd.DataFrame({"count": counts.ravel()}, index=pairs).reset_index()


def _name_group(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"


def class_table(labels: NDArray[Any], predictions: NDArray[Any], classes: Sequence[str]) -> pd.DataFrame:
    """Return precision, recall and F1 of each class, with their intervals; arguments as `confusion_table`.

    F1 is 2 s / (1 + s), where s is the share of right images among those that are of the class, or are taken
    for it, or both; so its interval is that of the share, transformed in the same way.

    Returns:
        A row for each class: class, precision, recall, f1, and precision_low, precision_high and so on.
        Scores of a class without examples are missing, as is the interval of the precision of a class that
        is never predicted.
    """
    right, examples, predicted = (
        np.bincount(indices, minlength=len(classes))
        for indices in (labels[labels == predictions], labels, predictions)
    )
    precision, recall, f1, _ = precision_recall_fscore_support(
        labels, predictions, labels=range(len(classes)), zero_division=0
    )
    table = pd.DataFrame({"class": classes, "precision": precision, "recall": recall, "f1": f1})
    for measure, trials in (
        ("precision", predicted),
        ("recall", examples),
        ("f1", examples + predicted - right),
    ):
        for bound, share in zip(("low", "high"), wilson_interval(right, trials), strict=True):
            table[f"{measure}_{bound}"] = 2 * share / (1 + share) if measure == "f1" else share
    return table.where((examples > 0)[:, None] | (table.columns == "class"))


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
