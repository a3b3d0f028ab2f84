"""Measure how often a review is wrong, and how often it finds a loss, and write the tables to docs/review.md.

Each configuration is trained with ten seeds. Networks that differ by their seeds alone are reviewed:
whatever a review finds is a false alarm. Then one side of each pair is made worse by a known amount. The
folder studies keeps the predictions of every training; after a stop, the same command continues. The
trainings run on this machine, or on the Dask cluster at the address in the variable DASK_SCHEDULER.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from stages.common import command, files
from stages.common.errors import UserError
from stages.parameters import load as load_parameters
from tools.common import markdown, revision
from tools.common.settings import load as load_settings
from tools.review import statistics
from tools.review.metrics import METRICS
from tools.review.statistics import Difference, Verdict
from tools.study import plan, records, trainings
from tools.study.plan import Run

PAGE = Path("docs/review.md")
SEEDS = 10
SEEDS_OF_A_REVIEW = (1, 3)
MOST_PAIRS = 100  # of groups of seeds; more would share most of their networks
LOSSES = (0.002, 0.005, 0.01, 0.02)  # of accuracy
ROUNDING = 0.2  # of a loss to a number of images: beyond, it is another loss
DRAWN_FROM = 5  # times as many unsure images as are made wrong
SPLIT = "validation"


@dataclass(frozen=True)
class Networks:
    """The predictions of networks that differ by their seeds alone.

    Attributes:
        dataset: the key.
        configuration: the name.
        tables: for each seed, the predictions for the validation images.
    """

    dataset: str
    configuration: str
    tables: list[pd.DataFrame]


def list_runs(dataset: str) -> dict[str, list[Run]]:
    """Return for each configuration of a data set its trainings with ten seeds."""
    parameters = load_parameters()
    runs: dict[str, list[Run]] = {}
    for run in plan.plan_runs(dataset, parameters, load_settings(parameters)):
        if run.scores_shifted_images and run.configuration not in runs:
            runs[run.configuration] = [
                replace(run, dataset=run.dataset.model_copy(update={"seed": run.dataset.seed + number}))
                for number in range(SEEDS)
            ]
    return runs


def predictions_path(run: Run) -> Path:
    """Return the file with the predictions of a training."""
    return records.predictions_path(run.name, run.key, SPLIT)


def train_missing(runs: Mapping[str, Sequence[Run]]) -> None:
    """Perform the trainings that have no predictions yet.

    Raises:
        UserError: if some failed.
    """
    planned = [run for of_configuration in runs.values() for run in of_configuration]
    missing = [run for run in planned if not predictions_path(run).exists()]
    errors = trainings.perform_runs(missing, len(planned), records.write_predictions)
    if errors:
        raise UserError("; ".join(errors))


def read_networks(dataset: str, runs: Mapping[str, Sequence[Run]]) -> Iterator[Networks]:
    """Yield the networks of each configuration of which enough are trained for two reviews of most seeds."""
    for configuration, of_configuration in runs.items():
        paths = [path for run in of_configuration if (path := predictions_path(run)).exists()]
        if len(paths) >= 2 * max(SEEDS_OF_A_REVIEW):
            tables = [revision.parse_predictions(path.read_bytes(), str(path)) for path in paths]
            yield Networks(dataset, configuration, tables)


def draw_pairs(networks: int, seeds: int) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Return pairs of disjoint groups of networks, all of them or `MOST_PAIRS` at random.

    Args:
        networks: the number of networks.
        seeds: the number of networks of a group.
    """
    groups = list(combinations(range(networks), seeds))
    pairs = [(one, other) for one, other in combinations(groups, 2) if not set(one) & set(other)]
    order = np.random.default_rng(0).permutation(len(pairs))[:MOST_PAIRS]
    return [pairs[index] for index in order]


def worsen(table: pd.DataFrame, loss: float, random: np.random.Generator) -> pd.DataFrame:
    """Return predictions with a lower accuracy: some right images are taken for the next class.

    The images are drawn from the right ones that the network is least sure of, as real changes choose them.
    The next class gets the probability of the actual class, which gets an equal share of the rest.

    Args:
        table: predictions.
        loss: of accuracy.
        random: draws the images.
    """
    right = table.index[table["actual"] == table["predicted"]]
    count = round(loss * len(table))
    unsure = table.loc[right, "probability"].sort_values(kind="stable").index[: DRAWN_FROM * count]
    drawn = random.choice(unsure.to_numpy(), size=count, replace=False)
    names = np.unique(table["actual"])
    following = dict(zip(names, np.roll(names, -1), strict=True))
    worse = table.copy()
    worse.loc[drawn, "predicted"] = table.loc[drawn, "actual"].map(following)
    rest = (1 - table.loc[drawn, "probability"]) / (len(names) - 1)
    worse.loc[drawn, "probability_of_actual"] = rest
    return worse


def review_pairs(
    networks: Networks, seeds: int, tolerance: Mapping[str, float], loss: float = 0.0
) -> list[list[Difference]]:
    """Return the differences of reviews of pairs of groups of networks, the second made worse by a loss."""
    random, reviews = np.random.default_rng(1), []
    for one, other in draw_pairs(len(networks.tables), seeds):
        before = [networks.tables[index] for index in one]
        after = [worsen(networks.tables[index], loss, random) for index in other]
        reviews.append(statistics.compare(before, after, tolerance))
    return reviews


def count_false_alarms(networks: Networks, tolerance: Mapping[str, float]) -> list[list[str]]:
    """Return a row of the table of false alarms for each number of seeds."""
    rows = []
    for seeds in SEEDS_OF_A_REVIEW:
        reviews = review_pairs(networks, seeds, tolerance)
        shares = [
            np.mean([review[position].verdict in (Verdict.BETTER, Verdict.WORSE) for review in reviews])
            for position in range(len(METRICS))
        ]
        stops = np.mean([any(difference.is_beyond_tolerance for difference in review) for review in reviews])
        rows.append(
            [
                f"{networks.dataset}, `{networks.configuration}`",
                *(f"{seeds}", f"{len(reviews)}"),
                *(f"{share:.0%}" for share in shares),
                f"{stops:.0%}",
            ]
        )
    return rows


def measure_power(networks: Networks, tolerance: Mapping[str, float]) -> list[list[str]]:
    """Return a row of the table of power for each number of seeds."""
    rows = []
    for seeds in SEEDS_OF_A_REVIEW:
        cells = []
        for loss in LOSSES:
            reviews = review_pairs(networks, seeds, tolerance, loss)
            found = np.mean([review[0].verdict is Verdict.WORSE for review in reviews])
            stops = np.mean(
                [any(difference.is_beyond_tolerance for difference in review) for review in reviews]
            )
            real = round(loss * len(networks.tables[0])) / len(networks.tables[0])
            cells.append(f"{found:.0%}, {stops:.0%}" if abs(real / loss - 1) < ROUNDING else "-")
        rows.append([f"{networks.dataset}, `{networks.configuration}`", f"{seeds}", *cells])
    return rows


def write_page(networks: Sequence[Networks], tolerance: Mapping[str, float]) -> None:
    """Write the tables of docs/review.md."""
    tables = {
        "false alarms": markdown.number_table(
            ["networks", "seeds each", "pairs", *METRICS, "gate stops"],
            [row for one in networks for row in count_false_alarms(one, tolerance)],
        ),
        "power": markdown.number_table(
            ["networks", "seeds each", *(f"loss of {100 * loss:g} points" for loss in LOSSES)],
            [row for one in networks for row in measure_power(one, tolerance)],
        ),
    }
    page = PAGE.read_text(encoding="utf-8")
    files.write_text(PAGE, markdown.fill_marks(page, PAGE, tables.__getitem__))


def main(datasets: Sequence[str], page_only: bool) -> None:
    """Train what is missing for some data sets, all by default, and write the tables.

    Args:
        datasets: the keys.
        page_only: whether to train nothing.
    """
    parameters = load_parameters()
    for name in datasets:
        parameters.dataset(name)
    runs = {name: list_runs(name) for name in parameters.datasets}
    if not page_only:
        for name in datasets or parameters.datasets:
            train_missing(runs[name])
    networks = [one for name in runs for one in read_networks(name, runs[name])]
    write_page(networks, load_settings(parameters).review.tolerance)


if __name__ == "__main__":
    parser = command.Parser(prog="python -m tools.study.verdicts", description=__doc__)
    parser.add_argument(
        "datasets", nargs="*", metavar="dataset", help="the data sets to train; by default all"
    )
    parser.add_argument("--page", action="store_true", help="only write the tables, from the predictions")
    arguments = parser.parse_args()
    command.finish(lambda: main(arguments.datasets, arguments.page))
