"""Verdicts on classes and confusions: judged together, and averaged over seeds."""

import numpy as np
import pandas as pd

from tools.review.confusions import compare_classes, compare_confusions
from tools.review.statistics import Verdict


def change_threes(wrong: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return predictions for ten classes, all right, and others with some threes and one seven wrong."""
    actual = np.repeat([str(number) for number in range(10)], 100)
    right = pd.DataFrame({"actual": actual, "predicted": actual})
    worse = right.copy()
    worse.loc[300 : 299 + wrong, "predicted"] = "5"
    worse.loc[700, "predicted"] = "1"
    return right, worse


def test_classes_are_judged_together() -> None:
    right, worse = change_threes(13)
    classes = compare_classes([right], [worse]).set_index("class")
    row = ["images", "before", "after", "lost", "gained"]
    assert classes.loc["3", row].tolist() == [100, 1, 0.87, 13, 0]
    assert classes.loc["3", "verdict"] is Verdict.WORSE
    assert set(classes["verdict"].drop("3")) == {Verdict.CANNOT_TELL}
    # Alone, seven of a hundred would be worse; of ten classes, one is so by chance in one of three cases.
    right, worse = change_threes(7)
    classes = compare_classes([right], [worse]).set_index("class")
    assert 0.005 < classes.loc["3", "p"] < 0.05
    assert set(classes["verdict"]) == {Verdict.CANNOT_TELL}


def test_confusions_are_judged_together_and_averaged_over_seeds() -> None:
    right, worse = change_threes(20)
    other_seed = worse.copy()
    other_seed.loc[700, "predicted"] = "7"
    pairs = compare_confusions([right, right], [worse, other_seed])
    assert pairs[["actual", "predicted", "before", "after"]].to_numpy().tolist() == [
        ["3", "5", 0, 20],
        ["7", "1", 0, 0.5],
    ]
    assert pairs["verdict"].tolist() == [Verdict.WORSE, Verdict.CANNOT_TELL]
    back = compare_confusions([worse], [right])
    assert back["verdict"].tolist() == [Verdict.BETTER, Verdict.CANNOT_TELL]
    assert compare_confusions([right], [right]).empty
