"""Means over training seeds and images, and their uncertainty."""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from math import inf, nan, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import stdtrit

CONFIDENCE = 0.95
POWER = 0.8  # the usual one: of ten true differences of the size in question, eight are found
MOST_SEEDS = 1000  # nobody trains more
MOST_IMAGES = 10**9
SMALLEST_P = 1e-12


@dataclass(frozen=True)
class Estimate:
    """The mean of values of images under training seeds, and the uncertainty of the mean.

    Its variance is that of seeds plus that of images. Each is known with degrees of freedom of its own, so a
    quantile is the mean of both quantiles of Student's t, weighted by the variances (Cochran and Cox,
    "Experimental Designs", 1950, section 4.14).

    Attributes:
        mean: of all values.
        seeds: the number of seeds.
        images: the number of images.
        variance_of_seeds: the part of the variance of the mean that seeds explain, and the residual; 0 with
            one seed, which says nothing of it.
        variance_of_images: the part that images explain; with one seed, the residual is part of it.
        residual_variance: the variance of a single value that neither its seed nor its image explains; not a
            number with one seed.
    """

    mean: float
    seeds: int
    images: int
    variance_of_seeds: float
    variance_of_images: float
    residual_variance: float

    @property
    def error(self) -> float:
        """Return the standard error of the mean."""
        return sqrt(self.variance_of_seeds + self.variance_of_images)

    @property
    def interval(self) -> tuple[float, float]:
        """Return the 95 % confidence interval of the mean."""
        margin = self._quantile((1 + CONFIDENCE) / 2) * self.error
        return self.mean - margin, self.mean + margin

    @property
    def p_value(self) -> float:
        """Return the p-value of the true mean being 0; an interval of confidence 1 - p ends at 0."""
        if not self.error or not self.mean:
            return 1.0
        ratio = abs(self.mean) / self.error
        if self._quantile(1 - SMALLEST_P / 2) <= ratio:
            return SMALLEST_P
        log_p = brentq(lambda log: self._quantile(1 - np.exp(log) / 2) - ratio, np.log(SMALLEST_P), 0.0)
        return float(np.exp(log_p))

    @property
    def detectable(self) -> float:
        """Return about the smallest true mean whose interval excludes 0 in 8 of 10 such samples."""
        return self._reach() * self.error

    def count_seeds_for(self, mean: float) -> float:
        """Return about how many seeds find a true mean in 8 of 10 cases on as many images.

        Infinity stands for more than anybody trains, or never.
        One seed says nothing of others, and so nothing of how many are needed: not a number.
        """
        if self.seeds == 1:
            return nan
        return _find_first(lambda seeds: self._expect(seeds, self.images).detectable <= mean, 2, MOST_SEEDS)

    def count_images_for(self, mean: float) -> float:
        """Return about how many images find a true mean in 8 of 10 cases with as many seeds, or infinity."""
        return _find_first(lambda images: self._expect(self.seeds, images).detectable <= mean, 2, MOST_IMAGES)

    def _expect(self, seeds: int, images: int) -> "Estimate":
        """Return what is to be expected of other numbers of seeds and images; one seed stays one."""
        of_images = self.variance_of_images * self.images / images
        if self.seeds == 1:
            return Estimate(self.mean, 1, images, 0.0, of_images, nan)
        residual = self.residual_variance / (self.seeds * self.images)
        of_seeds = max(self.variance_of_seeds - residual, 0.0) * self.seeds / seeds
        residual = self.residual_variance / (seeds * images)
        return Estimate(self.mean, seeds, images, of_seeds + residual, of_images, self.residual_variance)

    def _reach(self) -> float:
        return self._quantile((1 + CONFIDENCE) / 2) + self._quantile(POWER)

    def _quantile(self, probability: float) -> float:
        """Return the quantile of the mean's deviation from the truth, in standard errors."""
        of_images = float(stdtrit(self.images - 1, probability))
        if self.seeds == 1 or not self.error:
            return of_images
        of_seeds = float(stdtrit(self.seeds - 1, probability))
        weight = self.variance_of_seeds / self.error**2
        return weight * of_seeds + (1 - weight) * of_images


def _find_first(is_enough: Callable[[int], bool], least: int, most: int) -> float:
    """Return the smallest number that is enough, where all larger ones are; infinity if `most` is not."""
    found = least + bisect_left(range(least, most + 1), True, key=is_enough)
    return found if found <= most else inf


def estimate(values: NDArray[np.float64], step: float) -> Estimate:
    """Estimate the mean of values over seeds and images, both of which are random.

    Seeds and images are crossed: every seed has a value for every image. The variance of the mean follows
    from the mean squares of a two-way analysis of variance (as in Hillis, "A comparison of denominator
    degrees of freedom methods for multiple observer ROC analysis", 2007, with seeds for observers and images
    for cases); the residual counts once, as part of what seeds explain.

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
        return Estimate(mean, 1, images, 0.0, image_square / images, nan)
    seed_square = float(images * by_seed.var(ddof=1))
    residuals = values - by_seed[:, None] - by_image + mean
    residual_square = float(np.square(residuals).sum() / ((seeds - 1) * (images - 1)))
    least = 2 * seeds * step**2 / (images - 1)  # what the added images alone explain
    return Estimate(
        mean=mean,
        seeds=seeds,
        images=images,
        variance_of_seeds=seed_square / (seeds * images),
        variance_of_images=max(image_square - residual_square, least) / (seeds * images),
        residual_variance=residual_square,
    )
