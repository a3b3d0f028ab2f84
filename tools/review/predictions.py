"""Differences between two tables of predictions for the same images: confusions and single images."""

import pandas as pd


def count_confusions(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Count the images of each class that were taken for another class, at both revisions.

    Args:
        before: a row for each image, as `stages.scoring.scores.prediction_table` returns them.
        after: the predictions at the later revision, for the same images.

    Returns:
        A row for each confused pair of classes, the largest changes first: actual, predicted, before, after.
    """
    counts = [
        table[table["actual"] != table["predicted"]].groupby(["actual", "predicted"]).size()
        for table in (before, after)
    ]
    pairs = pd.concat(counts, axis=1, keys=["before", "after"]).fillna(0).astype(int).reset_index()
    order = (pairs["after"] - pairs["before"]).abs().sort_values(ascending=False, kind="stable").index
    return pairs.loc[order].reset_index(drop=True)


def find_changed_images(before: pd.DataFrame, after: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Find the images that became wrong and the images that became right.

    Args:
        before: a row for each image, as `stages.scoring.scores.prediction_table` returns them.
        after: the predictions at the later revision, for the same images.

    Returns:
        The lost and the gained images, the most confident mistakes first. The index is the number of the
        image; the columns are actual, predicted_before, probability_before, predicted_after and
        probability_after.
    """
    columns = ["predicted", "probability"]
    both = pd.concat(
        [before["actual"], before[columns].add_suffix("_before"), after[columns].add_suffix("_after")], axis=1
    )
    right_before = both["predicted_before"] == both["actual"]
    right_after = both["predicted_after"] == both["actual"]
    lost = both[right_before & ~right_after].sort_values("probability_after", ascending=False, kind="stable")
    gained = both[right_after & ~right_before].sort_values(
        "probability_before", ascending=False, kind="stable"
    )
    return lost, gained
