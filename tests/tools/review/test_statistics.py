"""Metrics of networks, their intervals and verdicts, compared with simulations."""

import tracemalloc
from math import nan

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax
from scipy.stats import ttest_1samp

from stages.scoring import scores
from tools.common import settings
from tools.review.estimates import Estimate
from tools.review.metrics import METRICS
from tools.review.statistics import Difference, Verdict, compare, estimate_intervals

CLASSES = ["T-shirt/top", "Sandal", "Shirt", "Bag", "Coat"]
TOLERANCE = {"accuracy": 0.01, "macro_f1": 0.01, "log_loss": 0.02, "brier_score": 0.01}


def table(labels: np.ndarray, probabilities: np.ndarray) -> pd.DataFrame:
    return scores.prediction_table(labels, probabilities.astype(np.float32), CLASSES)


def sample(
    random: np.random.Generator, size: int, *networks: tuple[float, float]
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return labels and the probabilities of networks that mostly err on the same images.

    Each network is a pair of a quality and a temperature. At temperature 1 it is calibrated.
    """
    labels = random.integers(0, len(CLASSES), size)
    shared = random.normal(size=(size, len(CLASSES)))
    probabilities = []
    for quality, temperature in networks:
        evidence = 0.9 * shared + np.sqrt(1 - 0.9**2) * random.normal(size=shared.shape)
        evidence[np.arange(size), labels] += quality
        probabilities.append(softmax(quality * evidence / temperature, axis=1))
    return labels, probabilities


def pair(random: np.random.Generator, size: int, *networks: tuple[float, float]) -> list[pd.DataFrame]:
    labels, probabilities = sample(random, size, *networks)
    return [table(labels, rows) for rows in probabilities]


@pytest.mark.parametrize("occurring", [(0, 1, 2, 3, 4), (1, 3)])
def test_the_metrics_are_those_of_the_evaluation(occurring: tuple[int, ...]) -> None:
    labels, probabilities = sample(np.random.default_rng(0), 400, (2, 1), (3, 0.7))
    labels = np.array(occurring)[labels % len(occurring)]
    differences = compare(*([table(labels, rows)] for rows in probabilities), {})
    for rows, value in zip(probabilities, ("before", "after"), strict=True):
        expected = scores.compute_metrics(labels, rows.astype(np.float32), 15)
        del expected["calibration_error"]  # which has no verdict
        values = {difference.metric: getattr(difference, value) for difference in differences}
        assert list(values) == list(METRICS) == list(expected)
        assert values == pytest.approx(expected, abs=1e-6)


def test_every_metric_with_a_verdict_has_a_tolerance() -> None:
    assert list(settings.load().review.tolerance) == list(METRICS)


def test_the_influence_of_an_image_on_macro_f1_is_what_leaving_it_out_changes() -> None:
    whole = pair(np.random.default_rng(3), 60, (1.5, 1))[0]
    values = METRICS["macro_f1"].compute_values(whole)
    left_out = [METRICS["macro_f1"].compute_values(whole.drop(index=image)).mean() for image in whole.index]
    influence = -59 * (np.array(left_out) - np.mean(left_out))
    np.testing.assert_allclose(values - values.mean(), influence, atol=1e-12)


@pytest.mark.parametrize(("classes", "images"), [(100, 5), (10, 24), (3, 100)])
def test_macro_f1_raises_few_false_alarms_with_few_images_of_a_class(classes: int, images: int) -> None:
    random, runs, alarms = np.random.default_rng(0), 300, 0
    names = np.array([f"{number}" for number in range(classes)])
    for _ in range(runs):
        actual = np.repeat(range(classes), images)
        sides = []
        for _ in range(2):
            guess = random.integers(0, classes, len(actual))
            predicted = np.where(random.random(len(actual)) < 0.7, actual, guess)
            sides.append([pd.DataFrame({"actual": names[actual], "predicted": names[predicted]})])
        (difference,) = (one for one in compare(*sides, {}) if one.metric == "macro_f1")
        alarms += difference.verdict in (Verdict.BETTER, Verdict.WORSE)
    assert alarms / runs <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / runs)


def test_macro_f1_has_no_verdict_where_classes_have_fewer_than_five_images() -> None:
    for images, known in ((4, False), (5, True)):
        actual = np.repeat([f"{number}" for number in range(10)], images)
        rows = pd.DataFrame({"actual": actual, "predicted": actual})
        assert ("macro_f1" in [difference.metric for difference in compare([rows], [rows], {})]) is known
        assert ("macro_f1" in estimate_intervals(rows)) is known


def test_a_metric_that_is_left_out_hides_none_that_follows() -> None:
    labels = np.repeat(range(5), 4)  # too few of a class for macro F1
    rows = table(labels, np.eye(5)[labels])
    known = [name for name in METRICS if name != "macro_f1"]
    assert [difference.metric for difference in compare([rows], [rows], {})] == known
    assert list(estimate_intervals(rows)) == known


def test_the_interval_of_a_single_network_is_that_of_a_t_test_with_four_images_added() -> None:
    (rows,) = pair(np.random.default_rng(4), 60, (1.5, 1))
    for name, (value, low, high) in estimate_intervals(rows).items():
        if name == "accuracy":  # which has another interval
            continue
        values, step = METRICS[name].compute_values(rows), METRICS[name].compute_step(5)
        added = [1, 1, 1 - step, 1 - step] if name == "macro_f1" else [0, 0, step, step]
        interval = ttest_1samp([*values, *added], 0).confidence_interval(0.95)
        assert (value, low, high) == pytest.approx((values.mean(), interval.low, interval.high)), name


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_single_class_is_compared_within_what_is_possible(seeds: int) -> None:
    right = table(np.zeros(6, int), np.tile(np.eye(5)[0], (6, 1)))
    wrong = table(np.zeros(6, int), np.tile(np.eye(5)[1], (6, 1)))
    same = compare([right] * seeds, [right] * seeds, TOLERANCE)
    assert {difference.verdict for difference in same} == {Verdict.CANNOT_TELL}
    accuracy, *others = compare([right] * seeds, [wrong] * seeds, {})
    assert accuracy.verdict is Verdict.WORSE
    for difference in (*same, accuracy, *others):
        largest = METRICS[difference.metric].largest
        assert -largest <= difference.interval[0] < difference.interval[1] <= largest


def test_a_class_that_is_predicted_but_does_not_occur_counts_as_a_mistake() -> None:
    rows = pd.DataFrame({"actual": ["a", "a", "b", "b"], "predicted": ["a", "c", "b", "a"]})
    # F1 of a: 2 * 1 / (2 + 2); of b: 2 * 1 / (2 + 1).
    assert METRICS["macro_f1"].compute_values(rows).mean() == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_the_intervals_of_metrics_have_their_nominal_coverage() -> None:
    networks = (2, 0.7), (2.2, 0.6)
    truth = {
        difference.metric: difference.after - difference.before
        for difference in compare(
            *([rows] for rows in pair(np.random.default_rng(9), 400_000, *networks)), {}
        )
    }
    random, runs = np.random.default_rng(0), 500
    covered = dict.fromkeys(METRICS, 0)
    for _ in range(runs):
        for difference in compare(*([rows] for rows in pair(random, 500, *networks)), {}):
            low, high = difference.interval
            covered[difference.metric] += low <= truth[difference.metric] <= high
    for metric, count in covered.items():
        assert 0.93 <= count / runs <= 0.98, metric


def test_perfectly_calibrated_networks_are_not_judged_by_their_calibration() -> None:
    """One network is always as sure, the other sometimes more and sometimes less; both are calibrated."""
    random, runs, alarms = np.random.default_rng(0), 300, 0
    for _ in range(runs):
        tables = []
        for confidence in (np.full(360, 0.75), random.uniform(0.5, 1, 360)):
            actual = np.where(random.random(360) < confidence, "a", "b")
            rows = pd.DataFrame({"actual": "a", "predicted": actual, "probability": confidence})
            rows["probability_of_actual"] = np.where(actual == "a", confidence, 1 - confidence)
            rows["sum_of_squares"] = confidence**2 + (1 - confidence) ** 2
            tables.append([rows])
        differences = compare(*tables, TOLERANCE)
        assert "calibration_error" not in [difference.metric for difference in differences]
        alarms += differences[0].verdict is Verdict.WORSE
    assert alarms / runs <= 0.025 + 2 * np.sqrt(0.025 * 0.975 / runs)


def of_interval(low: float, high: float) -> Estimate:
    """Return an estimate with this interval, of endless images."""
    return Estimate((low + high) / 2, 1, 10**9, 0.0, ((high - low) / 2 / 1.959964) ** 2, nan)


@pytest.mark.parametrize(
    ("metric", "low", "high", "verdict", "stops"),
    [
        ("accuracy", 0.001, 0.05, Verdict.BETTER, False),
        ("accuracy", -0.05, -0.001, Verdict.WORSE, False),
        ("accuracy", -0.05, -0.011, Verdict.WORSE, True),
        ("accuracy", -0.009, 0.009, Verdict.AS_GOOD, False),
        ("accuracy", -0.009, 0.02, Verdict.CANNOT_TELL, False),
        ("accuracy", -0.05, 0.001, Verdict.CANNOT_TELL, False),
        ("log_loss", 0.001, 0.05, Verdict.WORSE, False),
        ("log_loss", 0.021, 0.05, Verdict.WORSE, True),
        ("log_loss", -0.05, -0.021, Verdict.BETTER, False),
        ("log_loss", -0.019, 0.019, Verdict.AS_GOOD, False),
        ("log_loss", -0.021, 0.001, Verdict.CANNOT_TELL, False),
    ],
)
def test_the_four_verdicts_and_the_gate(
    metric: str, low: float, high: float, verdict: Verdict, stops: bool
) -> None:
    difference = Difference(metric, 0.5, 0.5, of_interval(low, high), TOLERANCE[metric])
    assert difference.verdict is verdict
    assert difference.is_beyond_tolerance == stops
    without = Difference(metric, 0.5, 0.5, of_interval(low, high))
    assert without.verdict is (Verdict.CANNOT_TELL if verdict is Verdict.AS_GOOD else verdict)
    assert not without.is_beyond_tolerance


@pytest.mark.parametrize("seeds", [1, 3])
def test_nothing_is_certain_from_a_few_images(seeds: int) -> None:
    perfect = table(np.arange(20) % 5, np.eye(5)[np.arange(20) % 5])
    for difference in compare([perfect] * seeds, [perfect] * seeds, TOLERANCE):
        low, high = difference.interval
        assert low < -0.1 < 0.1 < high, difference.metric
        assert difference.verdict is Verdict.CANNOT_TELL
    for metric, (value, low, high) in estimate_intervals(perfect).items():
        assert low <= value <= high
        assert high - low > 0.05, metric


def test_a_metric_whose_column_one_revision_lacks_is_left_out() -> None:
    before, after = pair(np.random.default_rng(0), 100, (2, 1), (2, 1))
    older = before.drop(columns="sum_of_squares")
    expected = [metric for metric in METRICS if metric != "brier_score"]
    for sides in (([older], [after]), ([after], [older])):
        assert [difference.metric for difference in compare(*sides, {})] == expected


def test_thousands_of_classes_need_no_more_memory_than_their_images() -> None:
    classes = [str(number) for number in range(10_000)]
    rows = pd.DataFrame({"actual": classes, "predicted": classes, "probability": 0.9})
    rows["probability_of_actual"] = rows["sum_of_squares"] = 0.9
    tracemalloc.start()
    estimates = estimate_intervals(rows)
    differences = compare([rows], [rows], {})
    _, most_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most_bytes < 200e6  # a dense matrix of all images by all classes has 2.4e9
    assert estimates["accuracy"][0] == estimates["accuracy"][2] == 1
    assert {difference.verdict for difference in differences} == {Verdict.CANNOT_TELL}


def test_the_intervals_of_a_single_network_cover_the_truth() -> None:
    random = np.random.default_rng(0)
    covered = dict.fromkeys(METRICS, 0)
    runs, rate = 300, 0.8
    rest = (1 - rate) / 2
    truth = {
        "log_loss": -rate * np.log(rate) - (1 - rate) * np.log(rest),
        "brier_score": rate**2 + 2 * rest**2 + 1 - 2 * (rate**2 + (1 - rate) * rest),
    }
    for _ in range(runs):
        actual = random.integers(0, 3, 100)
        guess = np.where(random.random(100) < rate, actual, (actual + random.integers(1, 3, 100)) % 3)
        probabilities = np.full((100, 3), rest, np.float32)
        probabilities[np.arange(100), guess] = rate
        predictions = scores.prediction_table(actual, probabilities, ["a", "b", "c"])
        for metric, (value, low, high) in estimate_intervals(predictions).items():
            assert low <= value <= high
            covered[metric] += low <= truth.get(metric, rate) <= high
    for metric, count in covered.items():
        assert 0.92 <= count / runs <= 0.99, metric
