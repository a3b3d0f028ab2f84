"""Compare native computation with portable: python -m tools.benchmarks.native DATASET.

Prints the seconds of an epoch, with its validation, of each network that tools.yaml names, and whether both
rank networks alike: Kendall's tau between the validation accuracies of networks drawn from the search space,
beside the tau between two seeds of portable computation, which is what chance leaves.
"""

import json
import sys
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray
from scipy.stats import bootstrap, kendalltau
from tqdm import tqdm

from stages.common import command
from stages.common.errors import UserError
from stages.parameters import load
from tools.benchmarks.measurement import measure
from tools.common import markdown, settings
from tools.common.variations import DEFAULT
from tools.search import space

ROUNDS = 3  # in which both take turns
EPOCHS = 3  # of each; the first compiles, and does not count
RANKED = 20  # networks
EPOCHS_OF_RANKED = 4
COMPUTATIONS = ("portable", "native")


def train(name: str, values: dict[str, Any], computation: str, epochs: int, seed: int = 0) -> dict[str, Any]:
    """Train a variation of a data set in a process of its own, and return what it prints."""
    job = {"dataset": name, "values": values, "computation": computation, "epochs": epochs, "seed": seed}
    script = "tools.benchmarks.scripts.variation"
    result: dict[str, Any] = json.loads(measure(sys.executable, "-m", script, json.dumps(job)).output)
    return result


def compare_times(name: str) -> str:
    """Return a table of the seconds of an epoch, the median and the range over rounds."""
    configurations = {DEFAULT: {}, **settings.load(load()).dataset(name).configurations}
    rows = []
    for configuration, values in configurations.items():
        seconds: dict[str, list[float]] = {computation: [] for computation in COMPUTATIONS}
        for _ in tqdm(range(ROUNDS), desc=f"{name}, {configuration}", unit="round"):
            for computation in COMPUTATIONS:
                epochs = train(name, values, computation, EPOCHS)["seconds"]
                seconds[computation].append(float(np.median(epochs[1:])))
        medians = {computation: float(np.median(values)) for computation, values in seconds.items()}
        cells = [
            f"{medians[kind]:.2f} s ({min(times):.2f} to {max(times):.2f})" for kind, times in seconds.items()
        ]
        ratio = medians["portable"] / medians["native"]
        rows.append([f"{name}, {configuration}", *cells, f"{ratio:.2f}"])
    return markdown.number_table(["an epoch", *COMPUTATIONS, "times as fast"], rows)


def compare_ranks(name: str) -> str:
    """Return in one sentence how alike both computations rank networks.

    Raises:
        UserError: if tools.yaml has no space to draw networks from.
    """
    search = settings.load(load()).search
    if search is None:
        raise UserError(f"{settings.FILE}: search: expected a space to draw networks from, found none")
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=search.seed))
    distributions = space.build_distributions(search.space)
    drawn = [space.round_values(study.ask(distributions).params, search.space) for _ in range(RANKED)]
    accuracies = np.array([
        [
            train(name, values, computation, EPOCHS_OF_RANKED, seed)["accuracy"]
            for computation, seed in (("portable", 0), ("native", 0), ("portable", 1))
        ]
        for values in tqdm([space.decode_values(params, search.space) for params in drawn], unit="network")
    ])  # fmt: skip
    between_modes, between_seeds = (correlate(accuracies[:, 0], accuracies[:, other]) for other in (1, 2))
    return (
        f"{name}: of {RANKED} networks from the search space, trained for {EPOCHS_OF_RANKED} epochs, "
        f"Kendall's tau is {between_modes} between portable and native, and {between_seeds} between two "
        "seeds of portable."
    )


def correlate(left: NDArray[np.float64], right: NDArray[np.float64]) -> str:
    """Return Kendall's tau of two series with its 95 % interval, by a bootstrap over networks."""

    def compute_tau(left: NDArray[np.float64], right: NDArray[np.float64]) -> float:
        return float(kendalltau(left, right).statistic)

    interval = bootstrap(
        (left, right), compute_tau, paired=True, vectorized=False, method="percentile", rng=0
    ).confidence_interval
    return f"{compute_tau(left, right):.2f} ({interval.low:.2f} to {interval.high:.2f})"


def main(name: str) -> None:
    """Print the times and the ranks of a data set."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    load().dataset(name)
    print(compare_times(name), flush=True)
    print(f"\n{compare_ranks(name)}")


if __name__ == "__main__":
    parser = command.Parser(prog="python -m tools.benchmarks.native", description=__doc__)
    parser.add_argument("dataset", help="a key of `datasets` in params.yaml")
    arguments = parser.parse_args()
    command.finish(lambda: main(arguments.dataset))
