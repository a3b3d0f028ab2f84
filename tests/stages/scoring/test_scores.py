"""Scores: equal to scikit-learn's, and to what can be reckoned by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest
from sklearn import metrics
from sklearn.calibration import calibration_curve

from stages.scoring.scores import (
    MOST_CLASSES_DRAWN,
    calibration_error,
    class_table,
    compute_metrics,
    confusion_table,
    prediction_table,
    reliability_table,
    round_metrics,
    wilson_interval,
)


@pytest.fixture
def predictions() -> tuple[np.ndarray, np.ndarray]:
    """Labels and probabilities of 500 examples of 5 classes, right about half the time."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 5, 500)
    logits = random.normal(size=(500, 5)) + 1.5 * np.eye(5)[labels]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return labels, probabilities.astype(np.float32)


def test_metrics_come_in_this_order(predictions: tuple[np.ndarray, np.ndarray]) -> None:
    assert list(compute_metrics(*predictions, bins=15)) == [
        "accuracy",
        "macro_f1",
        "log_loss",
        "brier_score",
        "calibration_error",
    ]


def test_metrics_equal_their_definitions(predictions: tuple[np.ndarray, np.ndarray]) -> None:
    labels, probabilities = predictions
    predicted = probabilities.argmax(axis=1)
    found = compute_metrics(labels, probabilities, bins=15)
    assert found["accuracy"] == pytest.approx((predicted == labels).mean())
    assert found["macro_f1"] == pytest.approx(np.mean([
        2 * ((predicted == c) & (labels == c)).sum() / ((predicted == c).sum() + (labels == c).sum())
        for c in range(5)
    ]))  # fmt: skip
    assert found["log_loss"] == pytest.approx(-np.log(probabilities[np.arange(500), labels]).mean(), rel=1e-6)
    errors = probabilities - np.eye(5)[labels]
    assert found["brier_score"] == pytest.approx(np.square(errors).sum(axis=1).mean(), rel=1e-6)


def test_the_brier_score_of_two_classes_is_their_sum_as_of_more() -> None:
    found = compute_metrics(np.array([0, 1]), np.array([[0.75, 0.25], [0.5, 0.5]], np.float32), bins=5)
    assert found["brier_score"] == pytest.approx((2 * 0.25**2 + 2 * 0.5**2) / 2)


def test_metrics_are_written_with_six_decimals() -> None:
    assert round_metrics({"accuracy": 1 / 3, "log_loss": 2.0}) == {"accuracy": 0.333333, "log_loss": 2.0}


def test_a_class_that_is_never_predicted_counts_as_zero() -> None:
    probabilities = np.array([[0.8, 0.1, 0.1], [0.7, 0.2, 0.1]], np.float32)
    found = compute_metrics(np.array([0, 1]), probabilities, bins=10)
    assert found["macro_f1"] == pytest.approx((2 / 3 + 0) / 2)


def test_calibration_error_by_hand() -> None:
    # Bin (0.5, 0.75]: confidence 0.6 and 0.7, one of two right. Bin (0.75, 1]: 0.9 and 1.0, both right.
    confidence = np.array([0.6, 0.7, 0.9, 1.0])
    correct = np.array([True, False, True, True])
    by_hand = 2 / 4 * abs(0.5 - 0.65) + 2 / 4 * abs(1.0 - 0.95)
    assert calibration_error(correct, confidence, bins=4) == pytest.approx(by_hand, abs=1e-7)
    table = reliability_table(correct, confidence, bins=4)
    assert list(table) == ["bin", "images", "confidence", "accuracy", "low", "high"]
    assert table.to_dict("list") == {
        "bin": [3, 4],
        "images": [2, 2],
        "confidence": [pytest.approx(0.65), pytest.approx(0.95)],
        "accuracy": [0.5, 1.0],
        "low": [pytest.approx(0.0945, abs=5e-5), pytest.approx(0.3424, abs=5e-5)],
        "high": [pytest.approx(0.9055, abs=5e-5), 1.0],
    }


def test_intervals_of_proportions_are_those_of_scipy() -> None:
    successes, trials = np.array([0, 1, 1, 7, 360, 5_000]), np.array([1, 1, 2, 9, 360, 10_000])
    found = np.transpose(wilson_interval(successes, trials))
    expected = [
        binomtest(success, trial).proportion_ci(method="wilson")
        for success, trial in zip(successes.tolist(), trials.tolist(), strict=True)
    ]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert (found[:, 0] < found[:, 1]).all()
    assert np.isnan(wilson_interval(np.array([0]), np.array([0]))).all()
    # Rounding leads to no share below 0 or above 1.
    trials = np.arange(1, 2000)
    assert wilson_interval(np.zeros_like(trials), trials)[0].min() >= 0
    assert wilson_interval(trials, trials)[1].max() <= 1


def test_calibration_error_agrees_with_the_calibration_curve(
    predictions: tuple[np.ndarray, np.ndarray],
) -> None:
    labels, probabilities = predictions
    confidence = probabilities.max(axis=1)
    edges = np.linspace(0, 1, 16)
    weights = np.histogram(confidence, edges)[0] / len(labels)
    correct = probabilities.argmax(axis=1) == labels
    accuracy, mean = calibration_curve(correct, confidence, n_bins=15)
    expected = np.sum(weights[weights > 0] * np.abs(accuracy - mean))
    assert calibration_error(correct, confidence, bins=15) == pytest.approx(expected)
    table = reliability_table(correct, confidence, bins=15)
    np.testing.assert_allclose(table["accuracy"], accuracy)
    np.testing.assert_allclose(table["confidence"], mean)
    assert table["images"].sum() == len(labels)


def test_perfect_predictions_have_no_error() -> None:
    found = compute_metrics(np.arange(3), np.eye(3, dtype=np.float32), bins=15)
    assert found == {
        "accuracy": 1,
        "macro_f1": 1,
        "log_loss": pytest.approx(0, abs=1e-6),
        "brier_score": 0,
        "calibration_error": 0,
    }


def test_the_confusion_table_has_all_pairs_in_class_order() -> None:
    classes = ["b", "a", "T-shirt/top, or so", "never"]
    table = confusion_table(np.array([0, 0, 2, 2, 2]), np.array([0, 1, 2, 2, 0]), classes)
    expected = pd.DataFrame({
        "actual": np.repeat(classes, 4),
        "predicted": classes * 4,
        "count": [1, 1, 0, 0, 0, 0, 0, 0, 1, 0, 2, 0, 0, 0, 0, 0],
    })  # fmt: skip
    assert table.to_csv(index=False) == expected.to_csv(index=False)


@pytest.mark.parametrize("classes", [51, 99, 100, 300, 1000])
def test_the_confusion_tables_of_many_classes_have_the_same_groups(classes: int) -> None:
    random = np.random.default_rng(0)
    names = [f"c{number}" for number in range(classes)]
    labels = np.arange(classes)
    tables = [confusion_table(labels, random.permutation(labels), names) for _ in range(2)]
    assert tables[0][["actual", "predicted"]].equals(tables[1][["actual", "predicted"]])
    groups = list(dict.fromkeys(tables[0]["actual"]))
    assert len(groups) == MOST_CLASSES_DRAWN
    assert groups[0].split(" to ")[0] == "c0"
    assert groups[-1].split(" to ")[-1] == f"c{classes - 1}"
    counts = tables[0].groupby("actual")["count"].sum()
    assert set(counts) <= {classes // MOST_CLASSES_DRAWN, classes // MOST_CLASSES_DRAWN + 1}
    perfect = confusion_table(labels, labels, names)
    assert perfect["count"][perfect["actual"] == perfect["predicted"]].sum() == classes


def test_a_group_is_named_by_its_first_and_last_class() -> None:
    labels = np.arange(100)
    groups = confusion_table(labels, labels, [f"c{number}" for number in range(100)])["actual"]
    assert list(dict.fromkeys(groups))[:2] == ["c0 to c1", "c2 to c3"]
    groups = confusion_table(labels[:51], labels[:51], [f"c{number}" for number in range(51)])["actual"]
    assert list(dict.fromkeys(groups))[:2] == ["c0 to c1", "c2"]


def test_the_confusion_table_of_fifty_classes_has_them_all() -> None:
    labels = np.arange(MOST_CLASSES_DRAWN)
    names = list(map(str, labels))
    assert list(dict.fromkeys(confusion_table(labels, labels, names)["actual"])) == names


def test_a_class_without_examples_is_not_in_macro_f1() -> None:
    probabilities = np.eye(3, dtype=np.float32)[[0, 0, 1, 2]]
    assert compute_metrics(np.array([0, 0, 1, 1]), probabilities, bins=5)["macro_f1"] == pytest.approx(
        (1 + 2 / 3) / 2
    )


def test_the_confusion_table_equals_scikit_learns_matrix(
    predictions: tuple[np.ndarray, np.ndarray],
) -> None:
    labels, predicted = predictions[0], predictions[1].argmax(axis=1)
    table = confusion_table(labels, predicted, [f"class {c}" for c in range(5)])
    matrix = metrics.confusion_matrix(labels, predicted)
    assert table["count"].to_numpy().reshape(5, 5).tolist() == matrix.tolist()


def test_the_class_table_by_hand() -> None:
    missing = pytest.approx(np.nan, nan_ok=True)  # of a class without examples
    table = class_table(np.array([0, 0, 1, 1, 3]), np.array([0, 1, 1, 1, 0]), ["b", "a", "never", "missed"])
    assert table[["class", "precision", "recall", "f1"]].to_dict("list") == {
        "class": ["b", "a", "never", "missed"],
        "precision": [0.5, pytest.approx(2 / 3), missing, 0],
        "recall": [0.5, 1, missing, 0],
        "f1": [0.5, pytest.approx(0.8), missing, 0],
    }
    low, high = wilson_interval(np.array([1, 2, 0]), np.array([2, 3, 0]))
    for bound, of_precision in (("low", low), ("high", high)):
        assert table[f"precision_{bound}"].to_list() == pytest.approx(
            [of_precision[0], of_precision[1], np.nan, np.nan], nan_ok=True
        )
    low, high = wilson_interval(np.array([1, 2, 0]), np.array([2, 2, 1]))
    for bound, of_recall in (("low", low), ("high", high)):
        assert table[f"recall_{bound}"].to_list() == pytest.approx(
            [of_recall[0], of_recall[1], np.nan, of_recall[2]], nan_ok=True
        )


def test_the_interval_of_f1_covers_it_in_nineteen_of_twenty_cases() -> None:
    """Draw test sets of 200 images with a known confusion matrix; for large sets F1 is that of its shares."""
    random = np.random.default_rng(0)
    shares = np.array([[0.3, 0.1], [0.05, 0.55]])
    true_f1 = 2 * 0.3 / (2 * 0.3 + 0.1 + 0.05)
    covered = 0
    for counts in random.multinomial(200, shares.ravel(), size=1000):
        labels, predictions = np.repeat([0, 0, 1, 1], counts), np.repeat([0, 1, 0, 1], counts)
        row = class_table(labels, predictions, ["a", "b"]).iloc[0]
        covered += row["f1_low"] <= true_f1 <= row["f1_high"]
    assert 930 <= covered <= 970  # three standard deviations


def test_the_prediction_table_has_an_example_a_row() -> None:
    probabilities = np.array([[0.75, 0.25], [0.5, 0.5], [0.125, 0.875]], np.float32)
    table = prediction_table(np.array([0, 1, 0]), probabilities, ["b", "a"])
    assert table.to_dict("list") == {
        "actual": ["b", "a", "b"],
        "predicted": ["b", "b", "a"],
        "probability": [0.75, 0.5, 0.875],
        "probability_of_actual": [0.75, 0.5, 0.125],
        "sum_of_squares": [0.625, 0.5, 0.78125],
    }
    thirds = np.full((1, 3), 1 / 3, np.float32)
    exact = 3 * float(thirds[0, 0]) ** 2  # in single precision, it is another number
    assert prediction_table(np.array([0]), thirds, ["b", "a", "c"])["sum_of_squares"].item() == exact
