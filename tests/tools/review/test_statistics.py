"""Intervals and verdicts, compared with published examples, textbook formulas and simulations."""

import tracemalloc
from math import inf

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax
from scipy.stats import ttest_1samp

from stages.scoring import scores
from tools.common import settings
from tools.review.metrics import METRICS
from tools.review.statistics import (
    Difference,
    Estimate,
    Verdict,
    compare,
    compare_classes,
    compare_confusions,
    estimate,
    estimate_intervals,
)

CLASSES = ["T-shirt/top", "Sandal", "Shirt", "Bag", "Coat"]
TOLERANCE = {"accuracy": 0.01, "macro_f1": 0.01, "log_loss": 0.02, "brier_score": 0.01}
TINY = 1e-12  # a step that adds nothing


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
    whole = pair(np.random.default_rng(3), 400, (1.5, 1))[0]
    values = METRICS["macro_f1"].compute_values(whole)
    for image in (0, 7, 200):
        rest = METRICS["macro_f1"].compute_values(whole.drop(index=image)).mean()
        assert values[image] - values.mean() == pytest.approx(399 * (values.mean() - rest), abs=0.05)


def test_a_class_that_is_predicted_but_does_not_occur_counts_as_a_mistake() -> None:
    rows = pd.DataFrame({"actual": ["a", "a", "b", "b"], "predicted": ["a", "c", "b", "a"]})
    # F1 of a: 2 * 1 / (2 + 2); of b: 2 * 1 / (2 + 1).
    assert METRICS["macro_f1"].compute_values(rows).mean() == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_with_one_seed_the_interval_of_an_accuracy_is_about_that_of_bonett_and_price() -> None:
    # Complete response before and after consolidation therapy (Cavo et al., 2012): 59, 6, 16 and 80 of 161;
    # the interval of Bonett and Price in Fagerland, Lydersen and Laake, "Statistical Analysis of
    # Contingency Tables", 2017, chapter 8, as the package that comes with the book tests it.
    values = np.array([[-1.0] * 16 + [1.0] * 6 + [0.0] * 139])
    assert estimate(values, 1.0).interval == pytest.approx((-0.1195, -0.0032), abs=7e-4)


def test_with_one_seed_the_interval_is_that_of_a_paired_t_test() -> None:
    values = np.random.default_rng(1).normal(0.1, 1, size=(1, 50))
    test = ttest_1samp(values[0], 0)
    one = estimate(values, TINY)
    # Two images are added at 0; with 50 images, they matter little.
    assert one.interval == pytest.approx(tuple(test.confidence_interval(0.95)), abs=0.02)
    assert one.p_value == pytest.approx(test.pvalue, abs=0.02)
    assert np.isnan(one.seed_variance)


def test_where_only_seeds_differ_the_interval_is_that_of_a_t_test_over_seeds() -> None:
    by_seed = np.array([0.1, 0.2, 0.15, 0.3])
    values = np.repeat(by_seed[:, None], 100_000, axis=1)
    assert estimate(values, TINY).interval == pytest.approx(
        tuple(ttest_1samp(by_seed, 0).confidence_interval(0.95)), abs=1e-3
    )


def test_the_components_of_the_variance_are_found() -> None:
    random = np.random.default_rng(0)
    seeds, images = 60, 3000
    values = (
        random.normal(0, 0.3, (seeds, 1)) + random.normal(0, 2, images) + random.normal(0, 1, (seeds, images))
    )
    found = estimate(values, TINY)
    assert found.seed_variance == pytest.approx(0.09, rel=0.4)
    assert found.image_variance == pytest.approx(4, rel=0.1)
    assert found.residual_variance == pytest.approx(1, rel=0.05)


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize("spread", [0.0, 1.0, 2.0])  # of a seed's mean, in standard errors of one over images
def test_no_difference_is_found_where_there_is_none(seeds: int, spread: float) -> None:
    """Count false alarms of "better" and "worse": at most 5 %, and 7 % where seeds matter most."""
    random = np.random.default_rng(0)
    runs, images, alarms = 1000, 300, 0
    for _ in range(runs):
        values = random.normal(0, 0.5, images) + random.normal(0, 1, (seeds, images))
        values += random.normal(0, spread / np.sqrt(images), (seeds, 1))
        low, high = estimate(values, TINY).interval
        alarms += low > 0 or high < 0
    # Two standard errors of a share of 5 % of a thousand are 1.4 %.
    assert alarms / runs <= (0.064 if spread <= 1 else 0.084)


def test_one_seed_each_knows_nothing_of_other_seeds() -> None:
    """Networks that differ by the luck of their seeds alone seem to differ far more often than in 5 %."""
    random = np.random.default_rng(0)
    alarms = 0
    for _ in range(400):
        values = random.normal(0, 1, (1, 300)) + random.normal(0, 2 / np.sqrt(300))
        low, high = estimate(values, TINY).interval
        alarms += low > 0 or high < 0
    assert alarms / 400 > 0.2


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
            low, high = difference.estimate.interval
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
    return Estimate((low + high) / 2, (high - low) / 2 / 1.959964, 1e9, 3, 1000, 0.0, 1.0, 0.0)


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


def test_a_true_difference_of_the_detectable_size_is_found_in_eight_of_ten_cases() -> None:
    random = np.random.default_rng(0)

    def draw(shift: float) -> Estimate:
        values = random.normal(0, 1, 400) + random.normal(0, 1, (4, 400)) + random.normal(0, 0.05, (4, 1))
        return estimate(values + shift, TINY)

    detectable = np.mean([draw(0.0).detectable for _ in range(50)])
    found = np.mean([draw(detectable).interval[0] > 0 for _ in range(1000)])
    assert 0.76 <= found <= 0.88


def test_as_many_seeds_or_images_as_are_said_to_be_needed_find_the_difference() -> None:
    estimated = Estimate(0.0, 0.01, 5.0, 3, 1000, 1e-4, 0.01, 0.02)
    seeds, images = estimated.count_seeds_for(0.025), estimated.count_images_for(0.025)
    target = (0.025 / 2.8016) ** 2
    assert 1e-4 / seeds + 0.01 / 1000 + 0.02 / 1000 / seeds <= target
    assert 1e-4 / (seeds - 1) + 0.01 / 1000 + 0.02 / 1000 / (seeds - 1) > target
    assert 1e-4 / 3 + (0.01 + 0.02 / 3) / images <= target
    assert estimated.count_seeds_for(0.008) == inf  # the images alone are too few
    assert estimated.count_images_for(0.01) == inf  # three seeds alone are too few
    one_seed = estimate(np.random.default_rng(0).normal(size=(1, 100)), TINY)
    assert np.isnan(one_seed.count_seeds_for(0.1))
    assert one_seed.count_images_for(0.1) == pytest.approx(one_seed.image_variance * 28.016**2, abs=1)


@pytest.mark.parametrize("seeds", [1, 3])
def test_nothing_is_certain_from_a_few_images(seeds: int) -> None:
    perfect = table(np.arange(20) % 5, np.eye(5)[np.arange(20) % 5])
    for difference in compare([perfect] * seeds, [perfect] * seeds, TOLERANCE):
        low, high = difference.estimate.interval
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
