"""Whether two sets of predictions on the same images differ by more than chance."""

from dataclasses import dataclass
from math import sqrt
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse
from scipy.stats import binomtest, bootstrap, false_discovery_control, norm

from stages.scoring import scores

LARGER_IS_BETTER = {"accuracy": True, "macro_f1": True, "log_loss": False, "calibration_error": False}
METRICS = tuple(LARGER_IS_BETTER)
CONFIDENCE = 0.95
RESAMPLES = 2000  # the standard error is then known to 1.6 %
BATCH = 100  # resamples at a time, which bounds the memory
NORMAL_QUANTILE = float(norm.ppf((1 + CONFIDENCE) / 2))

Verdict = Literal["better", "worse", "within noise"]


@dataclass(frozen=True)
class Difference:
    """A metric of two revisions: before, after, and what their difference may be by chance alone.

    Attributes:
        metric: its name, a key of `LARGER_IS_BETTER`.
        before: its value at the base.
        after: its value at the later revision.
        low: the lower end of the 95 % interval of the difference.
        high: the upper end.
        significant: whether the difference is more than chance makes it.
    """

    metric: str
    before: float
    after: float
    low: float
    high: float
    significant: bool

    @property
    def verdict(self) -> Verdict:
        """In one word or two."""
        if not self.significant:
            return "within noise"
        return "better" if (self.after > self.before) == LARGER_IS_BETTER[self.metric] else "worse"

    def worse_than(self, tolerance: float) -> bool:
        """Whether it is significantly worse by more than a tolerance: the whole interval lies beyond it."""
        least_harm = -self.high if LARGER_IS_BETTER[self.metric] else self.low
        return self.verdict == "worse" and least_harm > tolerance


def mcnemar(lost: int, gained: int) -> float:
    """The exact two-sided p-value of two classifiers being equally accurate.

    Source: McNemar, "Note on the sampling error of the difference between correlated proportions or
    percentages", 1947, with the binomial distribution in place of the normal one.

    Args:
        lost: images that only the first classifies rightly.
        gained: images that only the second classifies rightly.
    """
    return float(binomtest(gained, lost + gained).pvalue) if lost + gained else 1.0


def accuracy_interval(lost: int, gained: int, images: int) -> tuple[float, float]:
    """The 95 % interval of a difference of two accuracies on the same images; arguments as `mcnemar`.

    Source: Bonett and Price, "Adjusted Wald confidence interval for a difference of binomial
    proportions based on paired data", 2012.
    """
    share_lost, share_gained = (lost + 1) / (images + 2), (gained + 1) / (images + 2)
    difference = share_gained - share_lost
    error = sqrt((share_gained + share_lost - difference**2) / (images + 2))
    return difference - NORMAL_QUANTILE * error, difference + NORMAL_QUANTILE * error


def compare(before: pd.DataFrame, after: pd.DataFrame, bins: int, seed: int = 0) -> list[Difference]:
    """Compare two classifiers by their predictions on the same images.

    Accuracy is tested by McNemar's exact test. The intervals of the other metrics are the difference
    and 1.96 standard errors of it on either side, the standard error being that of a paired bootstrap:
    images are drawn with replacement, each with both of its predictions (Efron and Tibshirani, "An
    Introduction to the Bootstrap", 1993, chapters 6 and 12).

    They are of the metric as measured on so many images. For the calibration error that is more than on
    endless ones, the more so the better a network is calibrated and the less it is right (Kumar, Liang
    and Ma, "Verified Uncertainty Calibration", 2019). So among networks that are right equally often a
    loss of calibration is understated and none is invented; where the accuracy falls, one may be.

    Args:
        before: a row for each image, as `stages.scores.prediction_table` gives them.
        after: likewise, of the same images.
        bins: of the calibration error.
        seed: of the bootstrap.

    Returns:
        The differences in the order of `METRICS`.
    """
    classes = np.unique(before["actual"])
    parts = [_additive(table, classes, bins) for table in (before, after)]
    images = len(before)

    def difference(drawn: NDArray[np.int64], axis: int = -1) -> NDArray[np.float64]:
        rows = np.moveaxis(drawn, axis, -1).reshape(-1, images)
        weights = np.array([np.bincount(row, minlength=images) for row in rows])
        first, second = (_metrics(weights @ part, len(classes)) for part in parts)
        return second - first

    resampled = bootstrap(
        (np.arange(images),),
        difference,
        n_resamples=RESAMPLES,
        batch=BATCH,
        vectorized=True,
        method="percentile",
        rng=seed,
    )
    values = [_metrics(_sums(part), len(classes)) for part in parts]
    right = [(table["predicted"] == table["actual"]).to_numpy() for table in (before, after)]
    lost, gained = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())

    differences = []
    for metric, first, second, error in zip(METRICS, *values, resampled.standard_error, strict=True):
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


def intervals(table: pd.DataFrame, bins: int, seed: int = 0) -> dict[str, tuple[float, float, float]]:
    """The metrics of one classifier, each with its 95 % interval over test images of the same kind.

    That of the accuracy is Wilson's ("Probable inference, the law of succession, and statistical
    inference", 1927), those of the others 1.96 standard errors of a bootstrap on either side.

    Args:
        table: a row for each image, as `stages.scores.prediction_table` gives them.
        bins: of the calibration error.
        seed: of the bootstrap.

    Returns:
        By metric: its value, the lower and the upper end of the interval.
    """
    classes = np.unique(table["actual"])
    part, images = _additive(table, classes, bins), len(table)
    random, shares = np.random.default_rng(seed), np.full(len(table), 1 / len(table))
    drawn = np.array(
        [_metrics(random.multinomial(images, shares) @ part, len(classes)) for _ in range(RESAMPLES)]
    )
    right = int((table["predicted"] == table["actual"]).sum())
    found = {}
    for metric, value, error in zip(
        METRICS, _metrics(_sums(part), len(classes)), drawn.std(axis=0, ddof=1), strict=True
    ):
        low, high = value - NORMAL_QUANTILE * error, value + NORMAL_QUANTILE * error
        if metric == "accuracy":
            low, high = binomtest(right, images).proportion_ci(CONFIDENCE, method="wilson")
        most = 1.0 if metric != "log_loss" else float("inf")
        found[metric] = (float(value), max(0.0, float(low)), min(float(high), most))
    return found


def compare_classes(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Compare the recall of each class: the share of its images that are right.

    Args:
        before: a row for each image, as `stages.scores.prediction_table` gives them.
        after: likewise, of the same images.

    Returns:
        A row for each class, the surest change first: class, images, before, after (recalls), lost,
        gained (images right at the first alone, at the second alone), p and verdict. p is that of
        McNemar's exact test, adjusted for testing so many classes (Benjamini and Hochberg, "Controlling
        the false discovery rate", 1995): of the verdicts other than noise, at most one in twenty is
        expected to be chance.
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


def _additive(table: pd.DataFrame, classes: NDArray[Any], bins: int) -> sparse.csr_array:
    """What each image adds to the sums that every metric is a function of.

    Returns:
        Shape (images, 3 * classes + 1 + bins), float64: whether it is of each class, predicted as each
        class, and both; its loss in nats; by how much its confidence, in each bin, falls short of being
        right.
    """
    actual, predicted = (_one_hot(table[column], classes) for column in ("actual", "predicted"))
    loss = -np.log(table["probability_of_actual"].clip(lower=scores.SMALLEST_PROBABILITY)).to_numpy()
    confidence = table["probability"].to_numpy()
    gap = (table["predicted"] == table["actual"]).to_numpy() - confidence
    gaps = _in_columns(scores.bin_of(confidence, bins), gap, bins)
    parts = [actual, predicted, actual * predicted, sparse.csr_array(loss[:, None]), gaps]
    whole: sparse.csr_array = sparse.hstack(parts, format="csr")
    return whole


def _sums(part: sparse.csr_array) -> NDArray[np.float64]:
    return np.asarray(part.sum(axis=0), np.float64)


def _one_hot(column: "pd.Series[str]", classes: NDArray[Any]) -> sparse.csr_array:
    return _in_columns(pd.Index(classes).get_indexer(column), np.ones(len(column)), len(classes))


def _in_columns(columns: NDArray[Any], values: NDArray[np.float64], width: int) -> sparse.csr_array:
    """A row for each value, with the value in its column; in none, if that is -1."""
    there = np.flatnonzero(columns >= 0)
    return sparse.csr_array((values[there], (there, columns[there])), shape=(len(values), width))


def _metrics(sums: NDArray[np.float64], classes: int) -> NDArray[np.float64]:
    """The metrics, shape (4, ...), of sums over images, shape (..., 3 * classes + 1 + bins)."""
    actual, predicted, hits, loss, gaps = np.split(
        sums, [classes, 2 * classes, 3 * classes, 3 * classes + 1], axis=-1
    )
    images = actual.sum(axis=-1)
    f1 = 2 * hits / np.maximum(actual + predicted, 1)
    return np.array(
        [
            hits.sum(axis=-1) / images,
            f1.mean(axis=-1),
            loss[..., 0] / images,
            np.abs(gaps).sum(axis=-1) / images,
        ]
    )
