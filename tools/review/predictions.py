"""Tables made of predictions: confusion matrices, and the images that two networks classify differently."""

from collections.abc import Sequence

import pandas as pd


def average_confusions(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return the confusion matrix of predictions for the same images, the mean over training seeds.

    Args:
        tables: for each seed, a row for each image, as `stages.scoring.scores.prediction_table` returns them.

    Returns:
        Numbers of images; a row for each actual class, a column for each predicted class.
    """
    matrices = [pd.crosstab(table["actual"], table["predicted"]) for table in tables]
    total = matrices[0]
    for matrix in matrices[1:]:
        total = total.add(matrix, fill_value=0)  # all have the same rows, so that no cell is in none
    return total / len(tables)


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
