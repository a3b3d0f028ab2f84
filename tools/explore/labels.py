"""Labels that a network contradicts: images that may have been given a wrong class."""

import warnings
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

MOST_CLASSES = 1000  # of which confident learning counts each pair


def find_suspicious(labels: NDArray[Any], probabilities: NDArray[np.float32]) -> pd.DataFrame:
    """Rank the images whose label is not the predicted class, the most suspicious label first.

    The score of a label is its probability, the self-confidence of Northcutt, Jiang and Chuang, "Confident
    Learning: Estimating Uncertainty in Dataset Labels", 2021.

    Args:
        labels: shape (n,), the index of each image's class.
        probabilities: shape (n, classes), of a network that was not trained on these images.

    Returns:
        A row for each such image: number; label and likelier, the indices of classes; probability_of_label
        and probability; and is_issue, whether confident learning, too, takes the label for wrong.
    """
    likelier = probabilities.argmax(axis=1)
    numbers = np.flatnonzero(likelier != labels)
    score = probabilities[numbers, labels[numbers]]
    table = pd.DataFrame(
        {
            "number": numbers,
            "label": labels[numbers],
            "likelier": likelier[numbers],
            "probability_of_label": score,
            "probability": probabilities[numbers, likelier[numbers]],
            "is_issue": np.isin(numbers, _find_issues(labels, probabilities)),
        }
    )
    return table.sort_values("probability_of_label", kind="stable", ignore_index=True)


def _find_issues(labels: NDArray[Any], probabilities: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the numbers of the images whose labels are wrong by confident learning, as cleanlab computes it.

    A class is confidently predicted if its probability is at least the mean that images of that class have.
    How many images of each label are so predicted as each other class tells how many labels are wrong.
    """
    from cleanlab.filter import find_label_issues  # noqa: PLC0415 - takes more than a second

    occurring = np.unique(labels)  # the method knows no class without an image
    if not 1 < len(occurring) <= MOST_CLASSES:
        return np.zeros(0, np.int64)
    among = probabilities[:, occurring].astype(np.float64)
    among /= np.maximum(among.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes with too few images to judge
        is_issue = find_label_issues(np.searchsorted(occurring, labels), among, n_jobs=1)
    return np.flatnonzero(is_issue)
