"""Means over seeds and images: intervals, compared with published examples, formulas and simulations."""

from math import inf

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import ttest_1samp

from tools.review import estimates
from tools.review.estimates import Estimate, estimate

TINY = 1e-12  # a step that adds nothing


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


def test_with_one_seed_two_images_are_added_to_a_t_test() -> None:
    values = np.random.default_rng(1).normal(0.1, 1, size=(1, 5))
    for step in (TINY, 0.7):
        test = ttest_1samp([*values[0], step, -step], 0)
        one = estimate(values, step)
        assert one.interval == pytest.approx(tuple(test.confidence_interval(0.95)))
        assert one.p_value == pytest.approx(test.pvalue)
        assert np.isnan(one.residual_variance)


def test_the_residual_is_that_of_a_two_way_analysis_of_variance() -> None:
    seeds, images = 3, 8
    values = np.random.default_rng(2).normal(0.7, 1, size=(seeds, images))
    padded = np.hstack([values, np.tile([0.5, -0.5], (seeds, 1))])
    squares = np.square(padded - padded.mean()).sum()
    squares -= (images + 2) * np.square(padded.mean(axis=1) - padded.mean()).sum()
    squares -= seeds * np.square(padded.mean(axis=0) - padded.mean()).sum()
    found = estimate(values, 0.5)
    assert found.residual_variance == pytest.approx(squares / ((seeds - 1) * (images + 1)))


def test_where_images_explain_nothing_the_added_ones_do() -> None:
    one = np.random.default_rng(3).normal(size=10)
    found = estimate(np.stack([one, -one]), 0.5)  # the mean of each image is 0
    assert found.variance_of_images == pytest.approx(2 * 0.5**2 / (11 * 12))


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
    assert seeds * found.variance_of_seeds == pytest.approx(0.09 + 1 / images, rel=0.4)
    assert images * found.variance_of_images == pytest.approx(4, rel=0.1)
    assert found.residual_variance == pytest.approx(1, rel=0.05)


@pytest.mark.parametrize("seeds", [2, 3, 5])
@pytest.mark.parametrize("spread", [0.0, 1.0, 2.0, 5.0])
def test_no_difference_is_found_where_there_is_none(seeds: int, spread: float) -> None:
    """Count false alarms: 5 %, however much more than images seeds explain (spread, in standard errors)."""
    random = np.random.default_rng(0)
    runs, images, alarms, tail = 1000, 300, 0, 0
    for _ in range(runs):
        values = random.normal(0, 0.5, images) + random.normal(0, 1, (seeds, images))
        values += random.normal(0, spread / np.sqrt(images), (seeds, 1))
        estimated = estimate(values, TINY)
        low, high = estimated.interval
        alarms += low > 0 or high < 0
        tail += estimated.p_value < 0.005
        assert (low > 0 or high < 0) == (estimated.p_value < 0.05)
    # Two standard errors of a share of 5 % of a thousand are 1.4 %, and three of one of 0.5 % are 0.7 %.
    assert alarms / runs <= 0.064 + 0.01 * (seeds == 2)
    assert tail / runs <= 0.012 + 0.006 * (seeds == 2)


def test_one_seed_each_knows_nothing_of_other_seeds() -> None:
    """Networks that differ by the luck of their seeds alone seem to differ far more often than in 5 %."""
    random = np.random.default_rng(0)
    alarms = 0
    for _ in range(400):
        values = random.normal(0, 1, (1, 300)) + random.normal(0, 2 / np.sqrt(300))
        low, high = estimate(values, TINY).interval
        alarms += low > 0 or high < 0
    assert alarms / 400 > 0.2


def test_a_true_difference_of_the_detectable_size_is_found_in_eight_of_ten_cases() -> None:
    random = np.random.default_rng(0)

    def draw(shift: float) -> Estimate:
        values = random.normal(0, 1, 400) + random.normal(0, 1, (4, 400)) + random.normal(0, 0.05, (4, 1))
        return estimate(values + shift, TINY)

    detectable = np.mean([draw(0.0).detectable for _ in range(50)])
    found = np.mean([draw(detectable).interval[0] > 0 for _ in range(1000)])
    assert 0.76 <= found <= 0.88


# The standard deviations of what seeds, images and neither explain.
SPREADS = [(0.0, 0.0, 1.0), (0.02, 0.3, 1.0), (0.05, 0.2, 1.0), (0.1, 0.0, 0.3)]


def draw(random: np.random.Generator, seeds: int, images: int, *spreads: float) -> NDArray[np.float64]:
    of_seeds, of_images, residual = spreads
    shape = (seeds, images)
    return (
        random.normal(0, of_seeds, (seeds, 1))
        + random.normal(0, of_images, images)
        + random.normal(0, residual, shape)
    )


@pytest.mark.parametrize("spreads", SPREADS)
@pytest.mark.parametrize("size", [0.05, 0.1, 0.2])
def test_as_many_seeds_as_are_said_to_be_needed_find_the_difference(
    spreads: tuple[float, float, float], size: float
) -> None:
    random, images = np.random.default_rng(0), 1000
    of_seeds, of_images, residual = np.square(spreads)
    known = Estimate(0.0, 50, images, (of_seeds + residual / images) / 50, of_images / images, residual)
    seeds = known.count_seeds_for(size)
    assert seeds <= 50

    def find(seeds: int) -> float:
        values = (draw(random, seeds, images, *spreads) + size for _ in range(300))
        return float(np.mean([estimate(one, TINY).interval[0] > 0 for one in values]))

    assert find(int(seeds)) > 0.73
    if seeds > 2:  # the fewest
        assert find(int(seeds) - 1) < 0.87


@pytest.mark.parametrize(("seeds", "size"), [(1, 0.1), (3, 0.2), (5, 0.1)])
def test_as_many_images_as_are_said_to_be_needed_find_the_difference(seeds: int, size: float) -> None:
    random, spreads = np.random.default_rng(0), (0.0, 0.5, 1.0)
    pilots = [estimate(draw(random, seeds, 200, *spreads), TINY).count_images_for(size) for _ in range(101)]
    images = int(np.median(pilots))
    found = [estimate(draw(random, seeds, images, *spreads) + size, TINY).interval[0] > 0 for _ in range(300)]
    assert 0.65 < np.mean(found) < 0.95


def test_where_a_review_cannot_find_a_difference_it_asks_for_more_than_it_had() -> None:
    random = np.random.default_rng(0)
    asked = 0
    for seeds, images in ((2, 50), (3, 300), (5, 1000)):
        for _ in range(100):
            estimated = estimate(draw(random, seeds, images, 0.02, 0.3, 1.0), 1.0)
            size = 0.7 * estimated.detectable
            assert estimated.count_seeds_for(size) > seeds
            assert estimated.count_images_for(size) > images
            asked += estimated.count_seeds_for(size) < inf
    assert asked > 100


def test_the_most_seeds_are_not_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    estimated = Estimate(0.0, 3, 1000, 4e-5, 1e-5, 0.02)
    needed = estimated.count_seeds_for(0.012)
    assert 3 < needed < inf
    monkeypatch.setattr(estimates, "MOST_SEEDS", int(needed))
    assert estimated.count_seeds_for(0.012) == needed
    monkeypatch.setattr(estimates, "MOST_SEEDS", int(needed) - 1)
    assert estimated.count_seeds_for(0.012) == inf


def test_too_few_images_or_seeds_cannot_be_made_good_by_the_other() -> None:
    estimated = Estimate(0.0, 3, 1000, 4e-5, 1e-5, 0.02)
    assert estimated.count_seeds_for(0.008) == inf  # the images alone are too few
    assert estimated.count_images_for(0.01) == inf  # three seeds alone are too few
    nearly_sure = Estimate(0.0, 3, 1000, 1e-9, 1e-9, 0.0)
    assert nearly_sure.count_seeds_for(0.5) == 2  # fewer say nothing
    assert nearly_sure.count_images_for(0.5) == 2
    one_seed = estimate(np.random.default_rng(0).normal(size=(1, 100)), TINY)
    assert np.isnan(one_seed.count_seeds_for(0.1))
