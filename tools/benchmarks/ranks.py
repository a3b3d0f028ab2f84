"""Compare how native and portable computation rank networks: python -m tools.benchmarks.ranks DATASET.

Prints Kendall's tau between the validation accuracies of networks drawn from the search space, beside the tau
between two seeds of portable computation, which is what chance leaves.
"""

from dataclasses import replace

import numpy as np
import optuna
from numpy.typing import NDArray
from scipy.stats import bootstrap, kendalltau
from tqdm import tqdm

from stages.common import command
from stages.common.errors import UserError
from stages.parameters import load
from tools.benchmarks.programs import NATIVE, PORTABLE, Case
from tools.common import settings
from tools.common.variations import vary
from tools.search import space

NETWORKS = 20
EPOCHS = 4
TRAININGS = ((PORTABLE, 0), (NATIVE, 0), (PORTABLE, 1))  # of each network, with a number added to the seed


def measure_accuracy(case: Case, computation: str, seed: int) -> float:
    """Return the validation accuracy of a network after a short training."""
    dataset = case.dataset.model_copy(update={"seed": case.dataset.seed + seed})
    result, _ = replace(case, dataset=dataset).train(computation, epochs=EPOCHS)
    return float(result["accuracy"])


def compare_ranks(name: str) -> str:
    """Return in one sentence how alike both computations rank networks.

    Raises:
        UserError: if tools.yaml has no space to draw networks from.
    """
    parameters = load()
    search = settings.load(parameters).search
    if search is None:
        raise UserError(f"{settings.FILE}: search: expected a space to draw networks from, found none")
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=search.seed))
    distributions = space.build_distributions(search.space)
    drawn = [space.round_values(study.ask(distributions).params, search.space) for _ in range(NETWORKS)]
    cases = [
        Case(
            name, name, vary(parameters.dataset(name), space.decode_values(params, search.space), space.PLACE)
        )
        for params in drawn
    ]
    accuracies = np.array(
        [
            [measure_accuracy(case, *training) for training in TRAININGS]
            for case in tqdm(cases, desc=name, unit="network")
        ]
    )
    between_modes, between_seeds = (correlate(accuracies[:, 0], accuracies[:, other]) for other in (1, 2))
    return (
        f"{name}: of {NETWORKS} networks from the search space, trained for {EPOCHS} epochs, "
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
    """Print the ranks of a data set."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    print(compare_ranks(name))


if __name__ == "__main__":
    parser = command.Parser(prog="python -m tools.benchmarks.ranks", description=__doc__)
    parser.add_argument("dataset", help="a key of `datasets` in params.yaml")
    arguments = parser.parse_args()
    command.finish(lambda: main(arguments.dataset))
