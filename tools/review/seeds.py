"""How much results spread when nothing but the seed changes, measured by training anew."""

import json
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from ruamel.yaml import YAML
from scipy.stats import ttest_ind
from tqdm import tqdm

from stages import parameters
from stages.common import layout
from tools.common.programs import dvc, git
from tools.common.revision import Revision, snapshot
from tools.review.statistics import CONFIDENCE, METRICS, Difference

FEWEST = 2  # without a second one there is no spread


@dataclass(frozen=True)
class Spread:
    """A metric over several seeds, before and after.

    Attributes:
        difference: of the means, with the 95 % interval of Welch's t-test.
        deviation_before: standard deviation over the seeds, with n - 1.
        deviation_after: likewise.
        seeds: how many, at each revision.
    """

    difference: Difference
    deviation_before: float
    deviation_after: float
    seeds: int


def train(revision: Revision, datasets: list[str], seeds: int) -> dict[str, pd.DataFrame]:
    """Run the stages of a revision once for each seed, in a clone, and with this folder's cache of data.

    Returns:
        For each data set a row a seed, from the one in params.yaml upwards, and a column a metric.
    """
    found: dict[str, list[dict[str, float]]] = {dataset: [] for dataset in datasets}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "clone")
        git("clone", "--quiet", "--shared", "--no-checkout", ".", str(folder))
        git("-C", str(folder), "checkout", "--quiet", "--detach", snapshot(revision))
        dvc("cache", "dir", "--local", dvc("cache", "dir").strip(), folder=folder)
        original = (folder / parameters.FILE).read_text(encoding="utf-8")
        runs = [(dataset, number) for dataset in datasets for number in range(seeds)]
        for dataset, number in tqdm(runs, desc=f"training {revision.name}", unit="network"):
            yaml = YAML()
            content = yaml.load(original)
            content["datasets"][dataset]["seed"] += number
            yaml.dump(content, folder / parameters.FILE)
            dvc("repro", f"evaluate@{dataset}", folder=folder)
            found[dataset].append(json.loads((folder / layout.metrics(dataset)).read_text(encoding="utf-8")))
    return {dataset: pd.DataFrame(rows) for dataset, rows in found.items()}


def compare(before: pd.DataFrame, after: pd.DataFrame) -> list[Spread]:
    """Compare two samples of training runs by Welch's t-test: the runs of each are a row a seed."""
    spreads = []
    for metric in METRICS:
        if metric not in before or metric not in after:
            continue  # a revision from before there was such a metric
        first, second = before[metric], after[metric]
        shift = second.mean() - first.mean()
        low, high, significant = shift, shift, shift != 0
        if first.std() > 0 or second.std() > 0:  # without any spread there is nothing to test
            with warnings.catch_warnings():
                # Where one revision scores the same with every seed, its variance is exactly 0, not lost.
                warnings.filterwarnings("ignore", "Precision loss", RuntimeWarning)
                test = ttest_ind(second, first, equal_var=False)
            low, high = test.confidence_interval(CONFIDENCE)
            significant = test.pvalue < 1 - CONFIDENCE
        difference = Difference(
            metric, first.mean(), second.mean(), float(low), float(high), bool(significant)
        )
        spreads.append(Spread(difference, float(first.std()), float(second.std()), len(second)))
    return spreads
