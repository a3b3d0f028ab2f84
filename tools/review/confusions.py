"""Verdicts on classes and confusions, which allow for their number."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import false_discovery_control

from tools.review.estimates import CONFIDENCE, Estimate, estimate
from tools.review.statistics import Verdict


def compare_classes(before: Sequence[pd.DataFrame], after: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Compare the recall of each class: the share of the images of the class that are right.

    Args:
        before: for each training seed, a row for each image.
        after: the predictions at the later revision, with as many seeds.

    Returns:
        A row for each class, the smallest p-value first: class, images, before, after (recalls), lost,
        gained (images that only the first or only the second network has right, the mean over seeds), p and
        verdict; p is of the class alone, and the verdict allows for the number of classes, see `_judge`.
    """
    rows, estimates = [], []
    for name, first, second in _group_predictions(before, after):
        one, other = first == name, second == name
        lost, gained = (one & ~other).sum(axis=1).mean(), (other & ~one).sum(axis=1).mean()
        rows.append([name, one.shape[1], one.mean(), other.mean(), lost, gained])
        estimates.append(estimate(other.astype(float) - one, 1.0))
    table = pd.DataFrame(rows, columns=["class", "images", "before", "after", "lost", "gained"])
    table["p"] = [estimate.p_value for estimate in estimates]
    table["verdict"] = _judge(estimates, larger_is_better=True)
    return table.sort_values("p", kind="stable", ignore_index=True)


def compare_confusions(before: Sequence[pd.DataFrame], after: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Compare the number of images of each class that are taken for each other class.

    Args:
        before: for each training seed, a row for each image.
        after: the predictions at the later revision, with as many seeds.

    Returns:
        A row for each pair of classes that is confused: actual, predicted, before, after (numbers of images,
        the mean over seeds), p and verdict; the smallest p-values first, and of equal ones the largest
        changes. p is of the pair alone, and the verdict allows for the number of pairs, see `_judge`.
    """
    rows, estimates = [], []
    for name, first, second in _group_predictions(before, after):
        for taken_for in sorted({*first.flat, *second.flat} - {name}):
            ones, others = first == taken_for, second == taken_for
            rows.append([name, taken_for, ones.sum(axis=1).mean(), others.sum(axis=1).mean()])
            estimates.append(estimate(others.astype(float) - ones, 1.0))
    table = pd.DataFrame(rows, columns=["actual", "predicted", "before", "after"])
    table["p"] = [estimate.p_value for estimate in estimates]
    table["verdict"] = _judge(estimates, larger_is_better=False)
    table["change"] = (table["after"] - table["before"]).abs()
    # By two columns, pandas keeps the order of equal rows; it takes no `kind` then.
    ordered = table.sort_values(["p", "change"], ascending=[True, False], ignore_index=True)
    return ordered.drop(columns="change")


def _group_predictions(
    before: Sequence[pd.DataFrame], after: Sequence[pd.DataFrame]
) -> Iterator[tuple[str, NDArray[np.object_], NDArray[np.object_]]]:
    """Yield each class with the predictions for its images at both revisions, shape (seeds, images)."""
    first, second = (
        np.stack([table["predicted"].to_numpy(object) for table in side]) for side in (before, after)
    )
    for name, images in sorted(before[0].groupby("actual").indices.items()):
        yield str(name), first[:, images], second[:, images]


def _judge(estimates: Sequence[Estimate], *, larger_is_better: bool) -> list[Verdict]:
    """Return a verdict on each of several differences.

    Their p-values are adjusted for their number: of the verdicts other than "cannot tell", at most one in
    twenty is expected to be chance, on average over many reviews (Benjamini and Hochberg, "Controlling the
    false discovery rate", 1995).
    """
    if not estimates:
        return []
    adjusted = false_discovery_control([estimate.p_value for estimate in estimates])
    verdicts = []
    for difference, p in zip(estimates, adjusted, strict=True):
        better = Verdict.BETTER if (difference.mean > 0) == larger_is_better else Verdict.WORSE
        verdicts.append(better if p < 1 - CONFIDENCE else Verdict.CANNOT_TELL)
    return verdicts
