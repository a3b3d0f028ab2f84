"""The results of a study for one data set: its runs and records, and statistics of them."""

from collections import Counter
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import t as student_t

from stages.common import layout
from stages.common.errors import UserError
from stages.parameters import FILE, Parameters
from stages.splits import arrays
from stages.splits.arrays import Split
from tools.common.settings import Settings
from tools.common.variations import DEFAULT
from tools.review.estimates import CONFIDENCE
from tools.study import plan, records
from tools.study.plan import Run
from tools.study.records import Record

MOST_PAIRS = 6  # of classes: as many as a reader remembers


@dataclass(frozen=True)
class Results:
    """The results for one data set.

    Attributes:
        name: of the data set.
        classes: the names of its classes.
        test: the test images.
        training_images: the number of all training images.
        runs: each run with its record, in the order of the plan.
    """

    name: str
    classes: list[str]
    test: Split
    training_images: int
    runs: list[tuple[Run, Record]]

    def runs_of(
        self, configuration: str, variant: str | None = None, images: int | None = None
    ) -> pd.DataFrame:
        """Return the records of a configuration, or of a variant or a number of training images.

        Returns:
            A row for each seed, which is the index: weights, seconds, and scores such as test.accuracy.
        """
        rows = {
            run.dataset.seed: record.model_dump(
                include={"weights", "seconds", "validation", "test", "averaged"}, exclude_none=True
            )
            for run, record in self.runs
            if (run.configuration, run.variant, run.images) == (configuration, variant, images)
        }
        return pd.json_normalize(list(rows.values())).set_index(pd.Index(rows, name="seed"))

    def epochs_of(self, configuration: str) -> int:
        """Return the number of epochs of a configuration."""
        return next(
            run.dataset.training.epochs
            for run, _ in self.runs
            if (run.configuration, run.variant) == (configuration, None)
        )

    def accuracies_by_size(self) -> dict[int, "pd.Series[float]"]:
        """Return the test accuracies of `default` by the number of training images, a value for each seed."""
        return {
            run.images or self.training_images: self.runs_of(DEFAULT, images=run.images)["test.accuracy"]
            for run, _ in self.runs
            if run.configuration == DEFAULT and run.scores_test_images
        }

    def list_configurations(self) -> list[str]:
        """Return the names of the configurations that have records, in the order of the plan."""
        return list(dict.fromkeys(run.configuration for run, _ in self.runs if run.variant is None))

    def list_variants(self) -> list[tuple[str, str]]:
        """Return configuration and title of each variant that has records, in the order of the plan."""
        return list(
            dict.fromkeys((run.configuration, run.variant) for run, _ in self.runs if run.variant is not None)
        )

    def mistakes_of(self, configuration: str) -> list[dict[int, int]]:
        """Return for each seed the predicted classes of misclassified test images, by the images' numbers."""
        return [
            {int(row): predicted for row, predicted in record.mistakes.items()}
            for run, record in self.runs
            if run.configuration == configuration and record.mistakes is not None
        ]


def read_results(name: str, parameters: Parameters, settings: Settings) -> Results:
    """Read the records of all planned runs that have a record.

    Raises:
        UserError: if no run of `default` has a record.
    """
    known_records = records.read(name)
    runs = [
        (run, known_records[run.key])
        for run in plan.plan_runs(name, parameters, settings)
        if run.key in known_records
    ]
    if not any(run.configuration == DEFAULT and run.scores_shifted_images for run, _ in runs):
        raise UserError(
            f"{records.record_path(name)}: expected a training of {DEFAULT} as it is in {FILE}, found none; "
            "run make study"
        )
    training, test = (arrays.read(layout.processed(name, split)) for split in ("train", "test"))
    return Results(name, parameters.dataset(name).classes, test, len(training.labels), runs)


def estimate_interval(values: "pd.Series[float]") -> tuple[float, float]:
    """Return the confidence interval of the mean, by Student's t; not a number for a single value."""
    if len(values) == 1:
        return np.nan, np.nan
    error = values.std() / np.sqrt(len(values))
    margin = float(student_t.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * error)
    return values.mean() - margin, values.mean() + margin


def find_confused_pairs(results: Results) -> list[tuple[int, int]]:
    """Return the pairs of classes that `default` confuses most, the most confused first.

    Both directions count: images of the first class taken for the second, and of the second for the first.
    """
    counts: Counter[tuple[int, int]] = Counter()
    for mistakes in results.mistakes_of(DEFAULT):
        counts.update(_pair_classes(results, row, predicted) for row, predicted in mistakes.items())
    pairs = [pair for pair in combinations(range(len(results.classes)), 2) if counts[pair]]
    return sorted(pairs, key=lambda pair: (-counts[pair], pair))[:MOST_PAIRS]


def count_confusions(results: Results, configuration: str, pair: tuple[int, int]) -> float:
    """Return how many images of a pair of classes are taken for the other class, the mean over seeds."""
    mistakes_by_seed = results.mistakes_of(configuration)
    confusions = sum(
        _pair_classes(results, row, predicted) == pair
        for mistakes in mistakes_by_seed
        for row, predicted in mistakes.items()
    )
    return confusions / len(mistakes_by_seed)


def count_votes(results: Results, configuration: str, pair: tuple[int, int] | None = None) -> Counter[int]:
    """Return the number of seeds that misclassify each test image, by the image's number.

    Args:
        results: of the data set.
        configuration: its name.
        pair: two classes, to count only the images that are taken for the other class of the pair.

    Returns:
        The images that at least one seed misclassifies.
    """
    return Counter(
        row
        for mistakes in results.mistakes_of(configuration)
        for row, predicted in mistakes.items()
        if pair is None or _pair_classes(results, row, predicted) == pair
    )


def find_common_mistakes(results: Results) -> list[int]:
    """Return the numbers of the test images that every seed of every configuration misclassifies."""
    mistakes = [
        set(mistakes)
        for configuration in results.list_configurations()
        for mistakes in results.mistakes_of(configuration)
    ]
    return sorted(set.intersection(*mistakes)) if mistakes else []


def _pair_classes(results: Results, row: int, predicted: int) -> tuple[int, int]:
    """Return the actual and the predicted class of a test image, the smaller index first."""
    actual = int(results.test.labels[row])
    return min(actual, predicted), max(actual, predicted)
