"""Confidence intervals of metrics and of their differences, over images and training seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import ceil, inf, nan, sqrt

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binomtest, false_discovery_control, norm
from scipy.stats import t as student_t

from tools.review.metrics import METRICS

CONFIDENCE = 0.95
POWER = 0.8  # the usual one: of ten true differences of the size in question, eight are found
# How many standard errors a true difference must have to be found with that power, in large samples.
POWER_QUANTILE = float(norm.ppf((1 + CONFIDENCE) / 2) + norm.ppf(POWER))
MOST_SEEDS = 1000  # nobody trains more


class Verdict(StrEnum):
    """Verdicts on a difference, as a report has them."""

    BETTER = "better"
    WORSE = "worse"
    AS_GOOD = "as good"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True)
class Estimate:
    """The mean of values of images under training seeds, and the uncertainty of the mean.

    Attributes:
        mean: of all values.
        error: the standard error of the mean.
        freedom: the degrees of freedom of the standard error.
        seeds: the number of seeds.
        images: the number of images.
        seed_variance: the variance of a seed's mean over endless images; not a number with one seed.
        image_variance: the variance of an image's mean over endless seeds; with one seed, the residual
            variance is part of it.
        residual_variance: the variance of what neither the seed nor the image explains.
    """

    mean: float
    error: float
    freedom: float
    seeds: int
    images: int
    seed_variance: float
    image_variance: float
    residual_variance: float

    @property
    def interval(self) -> tuple[float, float]:
        """Return the 95 % confidence interval of the mean, by Student's t."""
        margin = float(student_t.ppf((1 + CONFIDENCE) / 2, self.freedom)) * self.error
        return self.mean - margin, self.mean + margin

    @property
    def p_value(self) -> float:
        """Return the two-sided p-value of the true mean being 0."""
        return float(2 * student_t.sf(abs(self.mean) / self.error, self.freedom)) if self.error else 1.0

    @property
    def detectable(self) -> float:
        """Return the smallest true mean whose interval excludes 0 in 8 of 10 such samples."""
        quantile = student_t.ppf((1 + CONFIDENCE) / 2, self.freedom) + student_t.ppf(POWER, self.freedom)
        return float(quantile) * self.error

    def count_seeds_for(self, mean: float) -> float:
        """Return how many seeds find a true mean in 8 of 10 cases on as many images; infinity for never."""
        target = (mean / POWER_QUANTILE) ** 2 - self.image_variance / self.images
        needed = self.seed_variance + self.residual_variance / self.images
        if np.isnan(needed):
            return nan
        return ceil(needed / target) if target > 0 and needed / target <= MOST_SEEDS else inf

    def count_images_for(self, mean: float) -> float:
        """Return how many images find a true mean in 8 of 10 cases with as many seeds; infinity for never."""
        between_seeds = 0.0 if self.seeds == 1 else self.seed_variance / self.seeds
        target = (mean / POWER_QUANTILE) ** 2 - between_seeds
        needed = self.image_variance + (0.0 if self.seeds == 1 else self.residual_variance / self.seeds)
        return ceil(needed / target) if target > 0 else inf


@dataclass(frozen=True)
class Difference:
    """The difference of a metric between two revisions.

    Attributes:
        metric: the name.
        before: the value at the base, the mean over seeds.
        after: the value at the later revision, the mean over seeds.
        estimate: of the difference over seeds and images; with one seed each, over images alone.
        tolerance: how much worse the metric may get; None if there is no tolerance.
    """

    metric: str
    before: float
    after: float
    estimate: Estimate
    tolerance: float | None = None

    @property
    def verdict(self) -> Verdict:
        """Return whether the interval is on one side of 0, or within the tolerance, or neither."""
        low, high = self.estimate.interval
        if low > 0 or high < 0:
            return Verdict.BETTER if (low > 0) == METRICS[self.metric].larger_is_better else Verdict.WORSE
        within = self.tolerance is not None and max(-low, high) <= self.tolerance
        return Verdict.AS_GOOD if within else Verdict.CANNOT_TELL

    @property
    def is_beyond_tolerance(self) -> bool:
        """Return whether all of the interval is worse by more than the tolerance."""
        low, high = self.estimate.interval
        least_harm = -high if METRICS[self.metric].larger_is_better else low
        return self.tolerance is not None and least_harm > self.tolerance


def estimate(values: NDArray[np.float64], step: float) -> Estimate:
    """Estimate the mean of values over seeds and images, both of which are random.

    Seeds and images are crossed: every seed has a value for every image. The variance of the mean is the sum
    of what seeds explain and what images explain in a two-way analysis of variance, with Satterthwaite's
    degrees of freedom (as Hillis, "A comparison of denominator degrees of freedom methods for multiple
    observer ROC analysis", 2007, with seeds for observers and images for cases). The residual variance is
    part of both sums of squares and stays in both: the interval is rather too wide than too narrow.

    Two images are added, one with the value `step` and one with its negative, so that nothing is certain from
    a few images that agree: of accuracies with one seed each, the interval is then about that of Bonett and
    Price, "Adjusted Wald confidence interval for a difference of binomial proportions based on paired data",
    2012.

    Args:
        values: shape (seeds, images), differences between two networks.
        step: as large as the difference of an image can reasonably be.
    """
    seeds = len(values)
    values = np.hstack([values, np.broadcast_to([step, -step], (seeds, 2))])
    images, mean = values.shape[1], float(values.mean())
    by_seed, by_image = values.mean(axis=1), values.mean(axis=0)
    image_square = float(seeds * by_image.var(ddof=1))
    if seeds == 1:
        return Estimate(mean, sqrt(image_square / images), images - 1, 1, images, nan, image_square, nan)
    seed_square = float(images * by_seed.var(ddof=1))
    residuals = values - by_seed[:, None] - by_image + mean
    residual_square = np.square(residuals).sum() / ((seeds - 1) * (images - 1))
    variance = (seed_square + image_square) / (seeds * images)
    freedom = (seed_square + image_square) ** 2 / (
        seed_square**2 / (seeds - 1) + image_square**2 / (images - 1)
    )
    return Estimate(
        mean=mean,
        error=float(np.sqrt(variance)),
        freedom=float(freedom),
        seeds=seeds,
        images=images,
        seed_variance=float(max(seed_square - residual_square, 0.0) / images),
        image_variance=float(max(image_square - residual_square, 0.0) / seeds),
        residual_variance=float(residual_square),
    )


def compare(
    before: Sequence[pd.DataFrame], after: Sequence[pd.DataFrame], tolerance: Mapping[str, float]
) -> list[Difference]:
    """Compare each metric of two revisions by their predictions for the same images.

    Args:
        before: for each training seed, a row for each image, as `stages.scoring.scores.prediction_table`
            returns them.
        after: the predictions at the later revision, with as many seeds.
        tolerance: by metric, how much worse the metric may get.

    Returns:
        The differences in the order of `metrics.METRICS`, without metrics for which a table lacks a column.
    """
    classes = before[0]["actual"].nunique()
    differences = []
    for name, metric in METRICS.items():
        if any(not set(metric.columns) <= set(table) for table in (*before, *after)):
            continue
        first, second = (
            np.stack([metric.compute_values(table) for table in side]) for side in (before, after)
        )
        difference = estimate(second - first, metric.compute_step(classes))
        differences.append(
            Difference(name, float(first.mean()), float(second.mean()), difference, tolerance.get(name))
        )
    return differences


def estimate_intervals(table: pd.DataFrame) -> dict[str, tuple[float, float, float]]:
    """Estimate the metrics of a classifier, with 95 % intervals over images of the same kind.

    The interval of the accuracy is Wilson's ("Probable inference, the law of succession, and statistical
    inference", 1927). The other intervals are of the mean over images, by Student's t, with four images
    added: two that the classifier knows, and two at which it guesses (after Agresti and Coull, "Approximate
    is better than `exact' for interval estimation of binomial proportions", 1998).

    Args:
        table: a row for each image, as `stages.scoring.scores.prediction_table` returns them.

    Returns:
        By metric: the value, the lower and the upper end of the interval.
    """
    classes, images = table["actual"].nunique(), len(table)
    estimates = {}
    for name, metric in METRICS.items():
        values = metric.compute_values(table)
        if name == "accuracy":
            interval = binomtest(int(values.sum()), images).proportion_ci(CONFIDENCE, method="wilson")
            low, high = float(interval.low), float(interval.high)
        else:
            step = metric.compute_step(classes)
            known, guessed = (1.0, 1.0 - step) if metric.larger_is_better else (0.0, step)
            padded = np.concatenate([values, [known, known, guessed, guessed]])
            margin = (
                float(student_t.ppf((1 + CONFIDENCE) / 2, images + 3)) * padded.std(ddof=1) / sqrt(images + 4)
            )
            low, high = float(padded.mean() - margin), float(padded.mean() + margin)
        value = float(values.mean())
        estimates[name] = (value, min(value, max(0.0, low)), max(value, min(high, metric.largest)))
    return estimates


def compare_classes(before: Sequence[pd.DataFrame], after: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Compare the recall of each class: the share of the images of the class that are right.

    Args:
        before: for each training seed, a row for each image.
        after: the predictions at the later revision, with as many seeds.

    Returns:
        A row for each class, the smallest p-value first: class, images, before, after (recalls), lost,
        gained (images that only the first or only the second network has right, the mean over seeds), p and
        verdict; p is of the class alone, and the verdict allows for the number of classes, see `_judge`.
    """
    actual = before[0]["actual"].to_numpy()
    first, second = (_stack(side, "predicted") == actual for side in (before, after))
    rows, estimates = [], []
    for name in np.unique(actual):
        one, other = first[:, actual == name], second[:, actual == name]
        lost, gained = (one & ~other).sum(axis=1).mean(), (other & ~one).sum(axis=1).mean()
        rows.append([name, one.shape[1], one.mean(), other.mean(), lost, gained])
        estimates.append(estimate(other.astype(float) - one, 1.0))
    table = pd.DataFrame(rows, columns=["class", "images", "before", "after", "lost", "gained"])
    table["p"] = [estimate.p_value for estimate in estimates]
    table["verdict"] = _judge(estimates, larger_is_better=True)
    return table.sort_values("p", kind="stable", ignore_index=True)


def compare_confusions(before: Sequence[pd.DataFrame], after: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Compare the number of images of each class that are taken for each other class.

    Args:
        before: for each training seed, a row for each image.
        after: the predictions at the later revision, with as many seeds.

    Returns:
        A row for each pair of classes that is confused: actual, predicted, before, after (numbers of images,
        the mean over seeds), p and verdict; the largest changes first. p is of the pair alone, and the
        verdict allows for the number of pairs, see `_judge`.
    """
    actual = before[0]["actual"].to_numpy()
    first, second = (_stack(side, "predicted") for side in (before, after))
    rows, estimates = [], []
    for name in np.unique(actual):
        one, other = first[:, actual == name], second[:, actual == name]
        for taken_for in np.setdiff1d(np.concatenate([one.ravel(), other.ravel()]), [name]):
            ones, others = one == taken_for, other == taken_for
            rows.append([name, taken_for, ones.sum(axis=1).mean(), others.sum(axis=1).mean()])
            estimates.append(estimate(others.astype(float) - ones, 1.0))
    table = pd.DataFrame(rows, columns=["actual", "predicted", "before", "after"])
    table["p"] = [estimate.p_value for estimate in estimates]
    table["verdict"] = _judge(estimates, larger_is_better=False)
    order = (table["after"] - table["before"]).abs().sort_values(ascending=False, kind="stable").index
    return table.loc[order].reset_index(drop=True)


def _stack(side: Sequence[pd.DataFrame], column: str) -> NDArray[np.object_]:
    """Return a column of the tables of all seeds, shape (seeds, images)."""
    return np.stack([table[column].to_numpy(dtype=object) for table in side])


def _judge(estimates: Sequence[Estimate], *, larger_is_better: bool) -> list[Verdict]:
    """Return a verdict on each of several differences.

    Their p-values are adjusted for their number: of the verdicts other than "cannot tell", at most one in
    twenty is expected to be chance (Benjamini and Hochberg, "Controlling the false discovery rate", 1995).
    """
    if not estimates:
        return []
    adjusted = false_discovery_control([estimate.p_value for estimate in estimates])
    verdicts = []
    for difference, p in zip(estimates, adjusted, strict=True):
        better = Verdict.BETTER if (difference.mean > 0) == larger_is_better else Verdict.WORSE
        verdicts.append(better if p < 1 - CONFIDENCE else Verdict.CANNOT_TELL)
    return verdicts
