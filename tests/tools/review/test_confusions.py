"""Verdicts on classes and confusions: judged together, and averaged over seeds."""

import numpy as np
import pandas as pd
import pytest

from tools.review.confusions import compare_classes, compare_confusions
from tools.review.estimates import SMALLEST_P
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
    back = compare_classes([worse], [right]).set_index("class")
    assert back.loc["3", row].tolist() == [100, 0.87, 1, 0, 13]
    assert back.loc["3", "verdict"] is Verdict.BETTER
    # Alone, seven of a hundred would be worse; of ten classes, one is so by chance in one of three cases.
    right, worse = change_threes(7)
    classes = compare_classes([right], [worse]).set_index("class")
    assert 0.005 < classes.loc["3", "p"] < 0.05
    assert set(classes["verdict"]) == {Verdict.CANNOT_TELL}


def test_the_surest_changes_come_first_and_of_equal_ones_the_largest() -> None:
    right, worse = change_threes(13)
    classes, confusions = compare_classes([right], [worse]), compare_confusions([right], [worse])
    assert classes["class"].tolist() == ["3", "7", "0", "1", "2", "4", "5", "6", "8", "9"]
    assert confusions["actual"].tolist() == ["3", "7"]
    # All wrong ones go to one class, so that the loss of the class is the confusion.
    assert confusions["p"].tolist() == pytest.approx(classes["p"][:2].tolist())
    for table in (classes, confusions):
        assert table.index.tolist() == list(range(len(table)))
    actual = np.repeat(["a", "b"], 1000)
    before, after = (pd.DataFrame({"actual": actual, "predicted": actual}) for _ in range(2))
    before.loc[:499, "predicted"] = after.loc[:899, "predicted"] = "c"  # 400 more, 1,400 together
    after.loc[1000:1599, "predicted"] = "c"  # 600 more, 600 together
    pairs = compare_confusions([before], [after])
    assert pairs["p"].tolist() == [SMALLEST_P] * 2
    assert pairs["actual"].tolist() == ["b", "a"]
    assert pairs.index.tolist() == [0, 1]


def test_lost_and_gained_images_are_averaged_over_seeds() -> None:
    right, worse = change_threes(13)
    lost = compare_classes([right, right], [right, worse]).set_index("class")
    assert lost.loc["3", ["after", "lost", "gained"]].tolist() == [0.935, 6.5, 0]
    gained = compare_classes([right, worse], [right, right]).set_index("class")
    assert gained.loc["3", ["before", "lost", "gained"]].tolist() == [0.935, 0, 6.5]


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
    back = compare_confusions([worse, other_seed], [right, right])
    assert back[["before", "after"]].to_numpy().tolist() == [[20, 0], [0.5, 0]]
    assert back["verdict"].tolist() == [Verdict.BETTER, Verdict.CANNOT_TELL]
    assert compare_confusions([right], [right]).empty
