"""What the records of a study say of a data set, as tables."""

from collections import Counter
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import t as student

from stages.common import layout
from stages.common.errors import UserError
from stages.common.variations import DEFAULT
from stages.parameters import FILE, Parameters
from stages.splits import arrays
from stages.splits.arrays import Split
from tools.review.statistics import CONFIDENCE
from tools.study import plan, records
from tools.study.plan import Run
from tools.study.records import Record

MOST_PAIRS = 6  # of classes, as many as one remembers


@dataclass(frozen=True)
class Results:
    """What has been run for a data set.

    Attributes:
        name: of the data set.
        classes: their names.
        test: the test images.
        training_images: how many there are.
        runs: each with its record, in the order of the plan.
    """

    name: str
    classes: list[str]
    test: Split
    training_images: int
    runs: list[tuple[Run, Record]]

    def of(self, configuration: str, variant: str | None = None, images: int | None = None) -> pd.DataFrame:
        """Some runs, a row a seed, which is the index: weights, seconds, and scores such as test.accuracy."""
        chosen = {
            run.dataset.seed: record.model_dump(
                include={"weights", "seconds", "validation", "test", "averaged"}, exclude_none=True
            )
            for run, record in self.runs
            if (run.configuration, run.variant, run.images) == (configuration, variant, images)
        }
        return pd.json_normalize(list(chosen.values())).set_index(pd.Index(chosen, name="seed"))

    def epochs(self, configuration: str) -> int:
        """How many a configuration is trained for."""
        return next(
            run.dataset.training.epochs
            for run, _ in self.runs
            if (run.configuration, run.variant) == (configuration, None)
        )

    def configurations(self) -> list[str]:
        """Their names, in the order of the plan."""
        return list(dict.fromkeys(run.configuration for run, _ in self.runs if run.variant is None))

    def variants(self) -> list[tuple[str, str]]:
        """Configurations and titles of what was changed in them, in the order of the plan."""
        return list(
            dict.fromkeys((run.configuration, run.variant) for run, _ in self.runs if run.variant is not None)
        )

    def mistakes(self, configuration: str) -> list[dict[int, int]]:
        """For each seed, what test images, by their number, were wrongly taken for, by its index."""
        return [
            {int(row): predicted for row, predicted in record.mistakes.items()}
            for run, record in self.runs
            if run.configuration == configuration and record.mistakes is not None
        ]


def read(name: str, content: Parameters) -> Results:
    """The results of what params.yaml plans, as far as it has been run.

    Raises:
        UserError: if nothing that the others are compared with has been.
    """
    known = records.read(name)
    found = [(run, known[run.key]) for run in plan.planned(name, content) if run.key in known]
    if not any(run.configuration == DEFAULT and run.averaged for run, _ in found):
        raise UserError(
            f"{records.path_of(name)}: expected a training of {DEFAULT} as it is in {FILE}, found none; "
            "run make study"
        )
    training, test = (arrays.read(layout.processed(name, split)) for split in ("train", "test"))
    return Results(name, content.dataset(name).classes, test, len(training.labels), found)


def interval(values: "pd.Series[float]") -> tuple[float, float]:
    """The 95 % interval of the mean, by Student's t: where the mean of endless seeds would be."""
    error = values.std() / np.sqrt(len(values))
    margin = float(student.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * error) if len(values) > 1 else np.nan
    return values.mean() - margin, values.mean() + margin


def pairs(results: Results) -> list[tuple[int, int]]:
    """The classes that `default` confuses most, either for the other, the most confused first."""
    counted: Counter[tuple[int, int]] = Counter()
    for wrong in results.mistakes(DEFAULT):
        counted.update(_pair(results, row, predicted) for row, predicted in wrong.items())
    every = combinations(range(len(results.classes)), 2)
    confused = [pair for pair in every if counted[pair]]
    return sorted(confused, key=lambda pair: (-counted[pair], pair))[:MOST_PAIRS]


def confusions(results: Results, configuration: str, pair: tuple[int, int]) -> float:
    """How many test images of two classes are taken for the other, the mean over the seeds."""
    every = results.mistakes(configuration)
    return sum(_pair(results, *one) == pair for wrong in every for one in wrong.items()) / len(every)


def votes(results: Results, configuration: str, pair: tuple[int, int] | None = None) -> Counter[int]:
    """By how many seeds each test image is taken for another class, of a pair of classes for the other one.

    Images that no seed mistakes are not in it.
    """
    return Counter(
        row
        for wrong in results.mistakes(configuration)
        for row, predicted in wrong.items()
        if pair is None or _pair(results, row, predicted) == pair
    )


def always_wrong(results: Results) -> list[int]:
    """The test images that every seed of every configuration takes for another class."""
    sets = [set(wrong) for one in results.configurations() for wrong in results.mistakes(one)]
    return sorted(set.intersection(*sets)) if sets else []


def _pair(results: Results, row: int, predicted: int) -> tuple[int, int]:
    actual = int(results.test.labels[row])
    return min(actual, predicted), max(actual, predicted)
