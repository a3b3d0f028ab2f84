"""Verdicts and intervals, compared with published examples, textbook formulas and simulations."""

import tracemalloc
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax

from stages.scoring import scores
from tools.common import settings
from tools.review import seeds, statistics
from tools.review.metrics import METRICS
from tools.review.statistics import (
    Difference,
    accuracy_interval,
    compare,
    compare_classes,
    estimate_intervals,
    mcnemar,
)

CLASSES = ["T-shirt/top", "Sandal", "Shirt", "Bag", "Coat"]
BINS = 15


def table(labels: np.ndarray, probabilities: np.ndarray) -> pd.DataFrame:
    return scores.prediction_table(labels, probabilities.astype(np.float32), CLASSES)


def sample(
    random: np.random.Generator, size: int, before: tuple[float, float], after: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return labels and the probabilities of two classifiers that mostly err on the same images.

    Each classifier is a pair of a quality and a temperature. At temperature 1 it is calibrated.
    """
    labels = random.integers(0, len(CLASSES), size)
    shared = random.normal(size=(size, len(CLASSES)))
    probabilities = []
    for quality, temperature in (before, after):
        evidence = 0.9 * shared + np.sqrt(1 - 0.9**2) * random.normal(size=shared.shape)
        evidence[np.arange(size), labels] += quality
        probabilities.append(softmax(quality * evidence / temperature, axis=1))
    return labels, probabilities[0], probabilities[1]


@pytest.mark.parametrize(
    ("lost", "gained", "p"),
    [
        # Armitage and Berry, "Statistical Methods in Medical Research", 1994, p. 127: two culture media
        (12, 2, 0.0129),
        # Raschka, the manual of mlxtend, example 3 of "McNemar's test": 25 or fewer discordant pairs
        (11, 1, 0.00634765625),
        (0, 0, 1.0),
        (5, 5, 1.0),
        (0, 5, 2 / 2**5),
    ],
)
def test_mcnemars_exact_test(lost: int, gained: int, p: float) -> None:
    assert mcnemar(lost, gained) == pytest.approx(p, abs=5e-5)
    assert mcnemar(gained, lost) == mcnemar(lost, gained)


def test_the_interval_of_an_accuracy_as_published() -> None:
    # Complete response before and after consolidation therapy (Cavo et al., 2012): 59, 6, 16 and 80 of 161;
    # the interval of Bonett and Price in Fagerland, Lydersen and Laake, "Statistical Analysis of
    # Contingency Tables", 2017, chapter 8, as the package that comes with the book tests it.
    assert accuracy_interval(lost=16, gained=6, images=161) == pytest.approx((-0.1195, -0.0032), abs=5e-5)


@pytest.mark.parametrize("bins", [BINS, 3])  # the first of three bins has predictions
@pytest.mark.parametrize("occurring", [(0, 1, 2, 3, 4), (1, 3)])
def test_the_metrics_are_those_of_the_evaluation(bins: int, occurring: tuple[int, ...]) -> None:
    labels, before, after = sample(np.random.default_rng(0), 400, (2, 1), (3, 0.7))
    labels = np.array(occurring)[labels % len(occurring)]
    differences = compare(table(labels, before), table(labels, after), bins)
    for probabilities, value in ((before, "before"), (after, "after")):
        expected = scores.compute_metrics(labels, probabilities.astype(np.float32), bins)
        values = {difference.metric: getattr(difference, value) for difference in differences}
        assert list(values) == list(METRICS) == list(expected)
        assert values == pytest.approx(expected, abs=1e-6)


def test_every_metric_has_a_tolerance() -> None:
    assert list(settings.load().review.tolerance) == list(METRICS)


def test_accuracy_is_tested_by_mcnemar_and_has_an_interval_of_its_own() -> None:
    labels, before, after = sample(np.random.default_rng(5), 400, (2, 1), (2.3, 1))
    right = [probabilities.argmax(axis=1) == labels for probabilities in (before, after)]
    lost, gained = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    accuracy = compare(table(labels, before), table(labels, after), BINS)[0]
    assert (accuracy.low, accuracy.high) == accuracy_interval(lost, gained, 400)
    assert accuracy.significant == (mcnemar(lost, gained) < 0.05)


def test_the_log_loss_of_probability_0_is_that_of_scikit_learn() -> None:
    labels, probabilities = np.arange(5), np.eye(5)
    probabilities[0] = [0, 1, 0, 0, 0]
    difference = compare(table(labels, np.eye(5)), table(labels, probabilities), BINS)[2]
    expected = scores.compute_metrics(labels, probabilities.astype(np.float32), BINS)["log_loss"]
    assert difference.after == pytest.approx(expected)


def test_the_interval_of_the_log_loss_is_that_of_a_mean() -> None:
    labels, before, after = sample(np.random.default_rng(1), 2000, (2, 1), (2.1, 1))
    first, second = table(labels, before), table(labels, after)
    difference = compare(first, second, BINS)[2]
    losses = np.log(first["probability_of_actual"] / second["probability_of_actual"])
    half = 1.96 * losses.std() / np.sqrt(2000)
    assert (difference.low, difference.high) == pytest.approx(
        (losses.mean() - half, losses.mean() + half), abs=0.1 * half
    )


def test_the_same_seed_gives_the_same_interval() -> None:
    labels, before, after = sample(np.random.default_rng(2), 300, (2, 1), (2.1, 1))
    first, second = table(labels, before), table(labels, after)
    assert compare(first, second, BINS, seed=3) == compare(first, second, BINS, seed=3)
    assert compare(first, second, BINS, seed=3) != compare(first, second, BINS, seed=4)
    assert compare(first, second, BINS) == compare(first, second, BINS, seed=0)


def test_the_number_of_resamples_is_that_of_the_constant(monkeypatch: pytest.MonkeyPatch) -> None:
    labels, before, after = sample(np.random.default_rng(2), 300, (2, 1), (2.1, 1))
    usual = compare(table(labels, before), table(labels, after), BINS)
    monkeypatch.setattr(statistics, "RESAMPLES", 100)
    assert compare(table(labels, before), table(labels, after), BINS) != usual


def test_equal_predictions_do_not_differ() -> None:
    labels, before, _ = sample(np.random.default_rng(3), 300, (2, 1), (2, 1))
    for difference in compare(table(labels, before), table(labels, before), BINS):
        assert difference.verdict == "within noise"
        assert difference.low <= 0 <= difference.high


@pytest.mark.parametrize(
    ("metric", "before", "after", "verdict"),
    [
        ("accuracy", 0.8, 0.9, "better"),
        ("accuracy", 0.9, 0.8, "worse"),
        ("macro_f1", 0.9, 0.8, "worse"),
        ("log_loss", 0.8, 0.9, "worse"),
        ("log_loss", 0.9, 0.8, "better"),
        ("calibration_error", 0.8, 0.9, "worse"),
    ],
)
def test_a_verdict_knows_what_is_better(metric: str, before: float, after: float, verdict: str) -> None:
    shift = after - before
    difference = Difference(metric, before, after, shift - 0.03, shift + 0.03, significant=True)
    assert difference.verdict == verdict
    assert difference.is_worse_than(0.05) == (verdict == "worse")
    assert not difference.is_worse_than(0.08)  # the interval begins at 0.07
    noise = Difference(metric, before, after, shift - 0.2, shift + 0.2, significant=False)
    assert noise.verdict == "within noise"
    assert not noise.is_worse_than(0)


SIMULATIONS = 500


@pytest.fixture(scope="module")
def simulate() -> Callable[..., list[list[Difference]]]:
    def run(size: int, before: tuple[float, float], after: tuple[float, float]) -> list[list[Difference]]:
        random = np.random.default_rng(0)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(statistics, "RESAMPLES", 200)  # enough for coverage, and ten times as fast
            simulated = []
            for number in range(SIMULATIONS):
                labels, first, second = sample(random, size, before, after)
                simulated.append(compare(table(labels, first), table(labels, second), BINS, seed=number))
        return simulated

    return run


def test_the_intervals_have_their_nominal_coverage(simulate: Callable[..., list]) -> None:
    before, after = (2, 0.7), (2.2, 0.6)
    labels, first, second = sample(np.random.default_rng(9), 400_000, before, after)
    large = [scores.compute_metrics(labels, rows.astype(np.float32), BINS) for rows in (first, second)]
    simulated = simulate(1000, before, after)
    for position, metric in enumerate(METRICS):
        truth = large[1][metric] - large[0][metric]
        covered = [run[position].low <= truth <= run[position].high for run in simulated]
        assert 0.93 <= np.mean(covered) <= 0.97, metric


def test_a_loss_of_calibration_is_understated_and_its_interval_covers_the_measured_mean(
    simulate: Callable[..., list],
) -> None:
    before, after = (2, 1), (2, 0.85)
    labels, first, second = sample(np.random.default_rng(9), 400_000, before, after)
    large = [scores.compute_metrics(labels, rows.astype(np.float32), BINS) for rows in (first, second)]
    truth = large[1]["calibration_error"] - large[0]["calibration_error"]
    position = list(METRICS).index("calibration_error")
    differences = [run[position] for run in simulate(1000, before, after)]
    measured = np.mean([difference.after - difference.before for difference in differences])
    assert 0 < measured < truth
    covered = [difference.low <= measured <= difference.high for difference in differences]
    assert np.mean(covered) >= 0.93  # the bootstrap makes the interval of a calibrated network wide
    assert np.mean([difference.low > truth for difference in differences]) < 0.01


@pytest.mark.parametrize(
    ("temperature", "fewer"), [(0.7, {"accuracy"}), (1, {"accuracy", "calibration_error"})]
)
def test_the_gate_raises_false_alarms_at_the_nominal_rate(
    simulate: Callable[..., list], temperature: float, fewer: set[str]
) -> None:
    # Both classifiers are equally good. Of a two-sided test at 5 %, half of the false alarms are "worse".
    simulated = simulate(1000, (2, temperature), (2, temperature))
    for position, metric in enumerate(METRICS):
        false_alarms = np.mean([run[position].is_worse_than(0) for run in simulated])
        # Two standard errors of a share of 2.5 % are 1.4 %. McNemar's exact test has fewer false alarms, as
        # has the calibration error of a calibrated network.
        assert (0.001 if metric in fewer else 0.011) <= false_alarms <= 0.04, metric


def test_the_spread_over_seeds_is_compared_by_welchs_test() -> None:
    before = pd.DataFrame({metric: [0.90, 0.92, 0.91, 0.93] for metric in METRICS})
    after = pd.DataFrame({metric: [0.95, 0.96, 0.97] for metric in METRICS})
    accuracy = seeds.compare(before, after)[0]
    variance = np.var([0.90, 0.92, 0.91, 0.93], ddof=1) / 4 + np.var([0.95, 0.96, 0.97], ddof=1) / 3
    assert accuracy.difference.after - accuracy.difference.before == pytest.approx(0.045)
    assert accuracy.deviation_before == pytest.approx(0.0129, abs=1e-4)
    assert accuracy.seeds == 3
    half = (accuracy.difference.high - accuracy.difference.low) / 2
    # The quantile of Student's t with Welch's 5 degrees of freedom (4.98 by his formula) is 2.57.
    assert half == pytest.approx(2.573 * np.sqrt(variance), rel=2e-3)
    assert accuracy.difference.verdict == "better"


def test_seeds_that_all_give_the_same_need_no_test() -> None:
    before, after = (pd.DataFrame({metric: [value] * 2 for metric in METRICS}) for value in (0.9, 0.95))
    assert seeds.compare(before, after)[0].difference.verdict == "better"
    assert seeds.compare(before, before)[0].difference.verdict == "within noise"
    spread = pd.DataFrame({"accuracy": [0.9, 0.91]})
    assert seeds.compare(before, spread)[0].difference.verdict == "within noise"


def test_a_metric_that_only_one_revision_has_is_left_out() -> None:
    runs = pd.DataFrame({metric: [0.90, 0.92] for metric in METRICS})
    spreads = seeds.compare(runs[["accuracy"]], runs)
    assert [spread.difference.metric for spread in spreads] == ["accuracy"]


def test_thousands_of_classes_need_no_more_memory_than_their_images() -> None:
    classes = [str(number) for number in range(10_000)]
    table = pd.DataFrame({"actual": classes, "predicted": classes, "probability": 0.9})
    table["probability_of_actual"] = 0.9
    tracemalloc.start()
    estimates = estimate_intervals(table, bins=15)
    differences = compare(table, table, bins=15)
    _, most_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most_bytes < 200e6  # a dense matrix of all images by all classes has 2.4e9
    assert estimates["accuracy"][0] == estimates["accuracy"][2] == 1
    assert not any(difference.significant for difference in differences)


def test_classes_are_tested_together() -> None:
    """If one class of ten changes, its p is ten times the unadjusted p."""
    actual = np.repeat([str(digit) for digit in range(10)], 100)
    right = pd.DataFrame({"actual": actual, "predicted": actual})
    worse = right.copy()
    worse.loc[300:308, "predicted"] = "5"  # nine of the threes
    worse.loc[700, "predicted"] = "1"
    classes = compare_classes(right, worse).set_index("class")
    assert classes.loc["3", ["images", "before", "after", "lost", "gained"]].tolist() == [100, 1, 0.91, 9, 0]
    assert classes.loc["3", "p"] == pytest.approx(10 * 2 * 0.5**9)
    assert classes.loc["3", "verdict"] == "worse"
    assert set(classes["verdict"].drop("3")) == {"within noise"}
    assert classes.loc["7", "p"] == pytest.approx(1)


def test_the_intervals_of_a_single_network_cover_the_truth() -> None:
    random = np.random.default_rng(0)
    covered = dict.fromkeys(METRICS, 0)
    runs, rate = 100, 0.8
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(statistics, "RESAMPLES", 100)
        for run in range(runs):
            actual = random.integers(0, 3, 300)
            other = (actual + random.integers(1, 3, 300)) % 3
            guess = np.where(random.random(300) < rate, actual, other)
            probabilities = np.full((300, 3), (1 - rate) / 2, np.float32)
            probabilities[np.arange(300), guess] = rate
            predictions = scores.prediction_table(actual, probabilities, ["a", "b", "c"])
            for metric, (value, low, high) in estimate_intervals(predictions, 15, run).items():
                assert low <= value <= high
                truth = {"log_loss": -rate * np.log(rate) - (1 - rate) * np.log((1 - rate) / 2)}
                covered[metric] += low <= truth.get(metric, rate) <= high
    for metric in ("accuracy", "macro_f1", "log_loss"):
        assert 0.88 * runs <= covered[metric] <= runs, metric


def test_the_intervals_of_a_single_network_are_those_of_the_textbook() -> None:
    labels, probabilities, _ = sample(np.random.default_rng(4), 400, (2, 1), (2, 1))
    predictions = table(labels, probabilities)
    estimates = estimate_intervals(predictions, BINS)
    assert (
        estimates == estimate_intervals(predictions, BINS, seed=0) != estimate_intervals(predictions, BINS, 1)
    )
    assert {metric: value for metric, (value, *_) in estimates.items()} == pytest.approx(
        scores.compute_metrics(labels, probabilities.astype(np.float32), BINS), abs=1e-6
    )
    # Wilson's score interval, solved for the share p: |p - share| = z * sqrt(p * (1 - p) / n).
    share, low, high = estimates["accuracy"]
    for p in (low, high):
        assert abs(p - share) == pytest.approx(1.959964 * np.sqrt(p * (1 - p) / 400), rel=1e-5)
    # The interval of a mean; the bootstrap estimates the standard error to a few percent.
    losses = -np.log(predictions["probability_of_actual"])
    mean, low, high = estimates["log_loss"]
    half = 1.96 * losses.std(ddof=0) / np.sqrt(400)
    assert (mean - low, high - mean) == pytest.approx((half, half), rel=0.1)
    for metric in ("macro_f1", "calibration_error"):
        value, low, high = estimates[metric]
        assert 0 < low < value < high < 1


def test_an_interval_ends_where_the_metric_does() -> None:
    few = pd.DataFrame({"actual": ["a", "b"] * 5, "predicted": ["a", "b"] * 5})
    few.loc[0, "predicted"] = "b"
    few["probability"], few["probability_of_actual"] = 0.9, [1e-9, *[0.9] * 9]
    estimates = estimate_intervals(few, BINS)
    assert estimates["macro_f1"][2] == 1
    assert estimates["log_loss"][1] == 0
    assert estimates["log_loss"][2] > 1


def test_a_loss_of_exactly_the_tolerance_passes() -> None:
    difference = Difference("log_loss", 1.0, 1.5, 0.25, 0.75, significant=True)
    assert difference.is_worse_than(0.2499)
    assert not difference.is_worse_than(0.25)


def test_the_classes_with_the_smallest_p_come_first_the_others_in_their_order() -> None:
    names = [f"class {number:02}" for number in range(40)]
    actual = np.repeat(names, 20)
    before = pd.DataFrame({"actual": actual, "predicted": actual})
    after = before.copy()
    before.loc[20 * 30 : 20 * 30 + 15, "predicted"] = "class 00"
    after.loc[20 * 20 : 20 * 20 + 12, "predicted"] = "class 00"
    classes = compare_classes(before, after)
    assert list(classes) == ["class", "images", "before", "after", "lost", "gained", "p", "verdict"]
    unchanged = [name for name in names if name not in ("class 20", "class 30")]
    assert classes["class"].tolist() == ["class 30", "class 20", *unchanged]
    assert classes["verdict"].tolist() == ["better", "worse", *["within noise"] * 38]
    assert classes.loc[0, ["lost", "gained", "before", "after"]].tolist() == [0, 16, 0.2, 1]
