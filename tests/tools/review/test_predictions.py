"""Changed confusions and images, from predictions."""

import pandas as pd

from tools.review.confusions import compare_confusions
from tools.review.predictions import average_confusions, find_changed_images


def predictions(*pairs: tuple[str, str, int]) -> pd.DataFrame:
    """Return predictions for a number of images of each pair of an actual and a predicted class."""
    rows = [(actual, predicted) for actual, predicted, images in pairs for _ in range(images)]
    return pd.DataFrame(rows, columns=["actual", "predicted"]).assign(probability=0.8)


def test_the_confusions_that_changed_most_come_first_and_others_in_their_order() -> None:
    before = predictions(("cat", "dog", 9), ("dog", "cat", 4), ("dog", "dog", 5), ("dog", "cow", 2))
    after = predictions(
        ("cat", "dog", 9), ("dog", "cat", 1), ("dog", "dog", 3), ("dog", "cow", 2), ("dog", "ant", 5)
    )  # fmt: skip
    columns = ["actual", "predicted", "before", "after"]
    assert compare_confusions([before], [after])[columns].to_csv(index=False).splitlines() == [
        "actual,predicted,before,after", "dog,ant,0.0,5.0", "dog,cat,4.0,1.0", "cat,dog,9.0,9.0",
        "dog,cow,2.0,2.0",
    ]  # fmt: skip


def test_the_confusion_matrix_is_the_mean_over_seeds() -> None:
    first = predictions(("cat", "dog", 1), ("cat", "cat", 3))
    second = predictions(("cat", "cat", 4))
    assert average_confusions([first, second]).loc["cat"].to_dict() == {"cat": 3.5, "dog": 0.5}
    # What is confused in one seed alone, neither of them has for the other class.
    first = predictions(("cat", "cat", 2), ("dog", "dog", 2))
    second = predictions(("cat", "cow", 2), ("dog", "dog", 2))
    averages = average_confusions([first, second])
    assert averages.loc["cat"].to_dict() == {"cat": 1, "cow": 1, "dog": 0}
    assert averages.loc["dog"].to_dict() == {"cat": 0, "cow": 0, "dog": 2}


def test_images_that_went_wrong_and_right_are_the_most_confident_first() -> None:
    before, after = (predictions(("dog", "dog", 60)) for _ in range(2))
    wrong, sure = range(40), range(1, 40, 2)
    after.loc[wrong, "predicted"] = before.loc[50:, "predicted"] = "cat"
    after.loc[sure, "probability"] = 0.9
    lost, gained = find_changed_images(before, after)
    assert lost.index.tolist() == [*sure, *range(0, 40, 2)]
    assert gained.index.tolist() == [*range(50, 60)]
    assert lost.loc[1].to_dict() == {
        "actual": "dog", "predicted_before": "dog", "probability_before": 0.8, "predicted_after": "cat",
        "probability_after": 0.9,
    }  # fmt: skip
    lost, gained = find_changed_images(after, before)
    assert gained.index.tolist() == [*sure, *range(0, 40, 2)]
    assert lost.index.tolist() == [*range(50, 60)]
