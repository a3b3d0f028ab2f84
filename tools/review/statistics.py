"""Statistical tests and confidence intervals of the metrics of classifiers, from their predictions."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse
from scipy.stats import binomtest, false_discovery_control, norm

from tools.review import metrics
from tools.review.metrics import METRICS

CONFIDENCE = 0.95
RESAMPLES = 2000  # of the bootstrap: they estimate the standard error to 1.6 %
RESAMPLES_PER_BATCH = 100  # bounds the memory
NORMAL_QUANTILE = float(norm.ppf((1 + CONFIDENCE) / 2))

Verdict = Literal["better", "worse", "within noise"]


@dataclass(frozen=True)
class Difference:
    """A metric at two revisions, and the confidence interval of the difference.

    Attributes:
        metric: the name, a key of `metrics.METRICS`.
        before: the value at the base.
        after: the value at the later revision.
        low: the lower end of the 95 % interval of the difference.
        high: the upper end.
        significant: whether a test rejects that the values differ by chance alone.
    """

    metric: str
    before: float
    after: float
    low: float
    high: float
    significant: bool

    @property
    def verdict(self) -> Verdict:
        """The result of the test."""
        if not self.significant:
            return "within noise"
        return "better" if (self.after > self.before) == METRICS[self.metric].larger_is_better else "worse"

    def is_worse_than(self, tolerance: float) -> bool:
        """Return whether the metric is significantly worse, and all of the interval beyond a tolerance."""
        least_harm = -self.high if METRICS[self.metric].larger_is_better else self.low
        return self.verdict == "worse" and least_harm > tolerance


def mcnemar(lost: int, gained: int) -> float:
    """Return the exact two-sided p-value of two classifiers being equally accurate.

    Source: McNemar, "Note on the sampling error of the difference between correlated proportions or
    percentages", 1947, with the binomial distribution in place of the normal distribution.

    Args:
        lost: the number of images that only the first classifier has right.
        gained: the number of images that only the second classifier has right.
    """
    return float(binomtest(gained, lost + gained).pvalue) if lost + gained else 1.0


def accuracy_interval(lost: int, gained: int, images: int) -> tuple[float, float]:
    """Return the 95 % interval of a difference of two accuracies on the same images.

    Source: Bonett and Price, "Adjusted Wald confidence interval for a difference of binomial
    proportions based on paired data", 2012.

    Args:
        lost: the number of images that only the first classifier has right.
        gained: the number of images that only the second classifier has right.
        images: the number of all images.
    """
    share_lost, share_gained = (lost + 1) / (images + 2), (gained + 1) / (images + 2)
    difference = share_gained - share_lost
    error = sqrt((share_gained + share_lost - difference**2) / (images + 2))
    return difference - NORMAL_QUANTILE * error, difference + NORMAL_QUANTILE * error


def compare(before: pd.DataFrame, after: pd.DataFrame, bins: int, seed: int = 0) -> list[Difference]:
    """Compare two classifiers by their predictions for the same images.

    Accuracy is tested by McNemar's exact test. The intervals of the other metrics are the difference plus
    and minus 1.96 standard errors, which a paired bootstrap estimates: images are drawn with replacement,
    each with the predictions of both classifiers (Efron and Tibshirani, "An Introduction to the Bootstrap",
    1993, chapters 6 and 12).

    An interval is of the metric as measured on this number of images. The calibration error measured on few
    images is larger than on endless images. The bias grows as the true calibration error and the accuracy
    fall (Kumar, Liang and Ma, "Verified Uncertainty Calibration", 2019). Between two classifiers of equal
    accuracy, the measured loss of calibration is therefore too small. Where the accuracy falls, a loss of
    calibration may be measured where there is none.

    Args:
        before: a row for each image, as `stages.scoring.scores.prediction_table` returns them.
        after: the predictions of the second classifier, for the same images.
        bins: the number of bins of the calibration error.
        seed: the seed of the bootstrap.

    Returns:
        The differences in the order of `metrics.METRICS`.
    """
    classes, images = np.unique(before["actual"]), len(before)
    terms = [metrics.per_image_terms(table, classes, bins) for table in (before, after)]
    values = [metrics.compute(np.ones(images) @ part, len(classes)) for part in terms]
    resampled = _resample(terms, len(classes), seed)
    errors = (resampled[1] - resampled[0]).std(axis=-1, ddof=1)
    right = [(table["predicted"] == table["actual"]).to_numpy() for table in (before, after)]
    lost, gained = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())

    differences = []
    for metric, first, second, error in zip(METRICS, *values, errors, strict=True):
        if metric == "accuracy":
            low, high = accuracy_interval(lost, gained, images)
            significant = mcnemar(lost, gained) < 1 - CONFIDENCE
        else:
            low, high = second - first - NORMAL_QUANTILE * error, second - first + NORMAL_QUANTILE * error
            significant = low > 0 or high < 0
        differences.append(
            Difference(metric, float(first), float(second), float(low), float(high), bool(significant))
        )
    return differences


def estimate_intervals(
    table: pd.DataFrame, bins: int, seed: int = 0
) -> dict[str, tuple[float, float, float]]:
    """Estimate the metrics of a classifier, with 95 % intervals over test images of the same kind.

    The interval of the accuracy is Wilson's ("Probable inference, the law of succession, and statistical
    inference", 1927). The other intervals are the value plus and minus 1.96 standard errors of a bootstrap.

    Args:
        table: a row for each image, as `stages.scoring.scores.prediction_table` returns them.
        bins: the number of bins of the calibration error.
        seed: the seed of the bootstrap.

    Returns:
        By metric: the value, the lower and the upper end of the interval.
    """
    classes, images = np.unique(table["actual"]), len(table)
    terms = metrics.per_image_terms(table, classes, bins)
    values = metrics.compute(np.ones(images) @ terms, len(classes))
    errors = _resample([terms], len(classes), seed)[0].std(axis=-1, ddof=1)
    right = int((table["predicted"] == table["actual"]).sum())
    estimates = {}
    for metric, value, error in zip(METRICS, values, errors, strict=True):
        low, high = value - NORMAL_QUANTILE * error, value + NORMAL_QUANTILE * error
        if metric == "accuracy":
            low, high = binomtest(right, images).proportion_ci(CONFIDENCE, method="wilson")
        estimates[metric] = (float(value), max(0.0, float(low)), min(float(high), METRICS[metric].largest))
    return estimates


def compare_classes(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Compare the recall of each class: the share of the images of the class that are right.

    Args:
        before: a row for each image, as `stages.scoring.scores.prediction_table` returns them.
        after: the predictions of the second classifier, for the same images.

    Returns:
        A row for each class, the smallest p-value first: class, images, before, after (recalls), lost,
        gained (images that only the first or only the second classifier has right), p and verdict. p is the
        p-value of McNemar's exact test, adjusted for the number of classes (Benjamini and Hochberg,
        "Controlling the false discovery rate", 1995): of the verdicts other than noise, at most one in
        twenty is expected to be chance.
    """
    right = pd.DataFrame(
        {
            "class": before["actual"],
            "before": before["predicted"] == before["actual"],
            "after": after["predicted"] == after["actual"],
        }
    )
    right["lost"], right["gained"] = right["before"] & ~right["after"], right["after"] & ~right["before"]
    classes = right.groupby("class")
    table = classes[["before", "after"]].mean().join(classes[["lost", "gained"]].sum())
    table.insert(0, "images", classes.size())
    table["p"] = [mcnemar(*counts) for counts in zip(table["lost"], table["gained"], strict=True)]
    table = table.sort_values("p", kind="stable")
    table["p"] = false_discovery_control(table["p"])
    better = np.where(table["after"] > table["before"], "better", "worse")
    table["verdict"] = np.where(table["p"] < 1 - CONFIDENCE, better, "within noise")
    return table.reset_index()


def _resample(terms: Sequence[sparse.csr_array], classes: int, seed: int) -> NDArray[np.float64]:
    """Return the metrics of bootstrap samples of images, the same samples for each classifier.

    Args:
        terms: the `metrics.per_image_terms` of each classifier.
        classes: the number of classes.
        seed: the seed of the bootstrap.

    Returns:
        Shape (classifiers, metrics, RESAMPLES), float64.
    """
    random, images = np.random.default_rng(seed), terms[0].shape[0]
    batches = []
    for start in range(0, RESAMPLES, RESAMPLES_PER_BATCH):
        samples = random.integers(images, size=(min(RESAMPLES_PER_BATCH, RESAMPLES - start), images))
        # Multinomial weights: how often each sample has each image.
        weights = np.array([np.bincount(sample, minlength=images) for sample in samples])
        batches.append([metrics.compute(weights @ part, classes) for part in terms])
    return np.concatenate(batches, axis=-1)
