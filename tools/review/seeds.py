"""Spread of the metrics over training seeds, measured by training both revisions anew."""

import json
import shlex
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from ruamel.yaml import YAML
from scipy.stats import ttest_ind
from tqdm import tqdm

from stages.common import layout, packages, params_file
from stages.common.errors import UserError
from tools.common import dvc, git
from tools.common.revision import Revision, snapshot
from tools.review.metrics import METRICS
from tools.review.statistics import CONFIDENCE, Difference

FEWEST_SEEDS = 2  # a standard deviation needs two


@dataclass(frozen=True)
class Spread:
    """A metric over several training seeds at two revisions.

    Attributes:
        difference: of the means, with the 95 % interval of Welch's t-test.
        deviation_before: the standard deviation over the seeds at the base, with n - 1.
        deviation_after: the standard deviation over the seeds at the later revision.
        seeds: the number of seeds at each revision.
    """

    difference: Difference
    deviation_before: float
    deviation_after: float
    seeds: int


def measure(base: Revision, later: Revision, datasets: list[str], seeds: int) -> dict[str, list[Spread]]:
    """Train both revisions with several seeds and compare the metrics.

    Args:
        base: the earlier revision.
        later: the later revision.
        datasets: the keys of the data sets.
        seeds: the number of trainings of each data set at each revision.

    Returns:
        For each data set, a spread for each metric.

    Raises:
        UserError: before any training, if the packages installed here are not those of both revisions.
    """
    check_packages(base, later)
    before, after = (train(revision, datasets, seeds) for revision in (base, later))
    return {dataset: compare(before[dataset], after[dataset]) for dataset in datasets}


def check_packages(base: Revision, later: Revision) -> None:
    """Check that the packages installed here are those of both revisions.

    A training with other packages would put a wrong result into the run cache: DVC records the versions
    in the file of the revision, not the installed ones.

    Raises:
        UserError: naming each package of another version.
    """
    before, after = (revision.yaml(packages.FILE) for revision in (base, later))
    for revision, versions in ((base, before), (later, after)):
        differences = [
            f"expected {package} {version}, found {packages.installed_version(package) or 'none'}"
            for package, version in versions.items()
            if version != packages.installed_version(package)
        ]
        if not differences:
            continue
        if any(before[package] != after[package] for package in before.keys() & after.keys()):
            hint = "no environment can train both revisions: run make review without SEEDS"
        elif revision.commit is None:
            hint = "run make install"
        else:
            name = shlex.quote(revision.name)
            hint = (
                "run make review in an environment of that commit: "
                f"git switch --detach {name} && make install"
            )
        raise UserError(f"{packages.FILE} at {revision.name}: {', '.join(differences)}; {hint}")


def train(revision: Revision, datasets: list[str], seeds: int) -> dict[str, pd.DataFrame]:
    """Run the stages of a revision once for each seed, in a clone that shares the cache of this folder.

    Returns:
        For each data set, a row for each seed, from the seed in params.yaml upwards, and a column for each
        metric.
    """
    rows: dict[str, list[dict[str, float]]] = {dataset: [] for dataset in datasets}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "clone")
        git.clone(snapshot(revision), folder)
        dvc.run("cache", "dir", "--local", dvc.run("cache", "dir").strip(), folder=folder)
        original = (folder / params_file.FILE).read_text(encoding="utf-8")
        trainings = [(dataset, number) for dataset in datasets for number in range(seeds)]
        for dataset, number in tqdm(trainings, desc=f"training {revision.name}", unit="network"):
            yaml = YAML()
            content = yaml.load(original)
            content["datasets"][dataset]["seed"] += number
            yaml.dump(content, folder / params_file.FILE)
            dvc.run("repro", f"evaluate@{dataset}", folder=folder)
            rows[dataset].append(json.loads((folder / layout.metrics(dataset)).read_text(encoding="utf-8")))
    return {dataset: pd.DataFrame(values) for dataset, values in rows.items()}


def compare(before: pd.DataFrame, after: pd.DataFrame) -> list[Spread]:
    """Compare the metrics of two samples of trainings by Welch's t-test.

    Args:
        before: a row for each seed at the base, a column for each metric.
        after: a row for each seed at the later revision.

    Returns:
        A spread for each metric that both revisions have.
    """
    spreads = []
    for metric in METRICS:
        if metric not in before or metric not in after:
            continue  # a revision may be older than the metric
        first, second = before[metric], after[metric]
        shift = second.mean() - first.mean()
        low, high, significant = shift, shift, shift != 0
        if first.std() > 0 or second.std() > 0:  # the test needs some spread
            with warnings.catch_warnings():
                # A variance of exactly 0, of equal scores with every seed, is no loss of precision.
                warnings.filterwarnings("ignore", "Precision loss", RuntimeWarning)
                test = ttest_ind(second, first, equal_var=False)
            low, high = test.confidence_interval(CONFIDENCE)
            significant = test.pvalue < 1 - CONFIDENCE
        difference = Difference(
            metric, first.mean(), second.mean(), float(low), float(high), bool(significant)
        )
        spreads.append(Spread(difference, float(first.std()), float(second.std()), len(second)))
    return spreads
