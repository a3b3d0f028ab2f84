"""Search for better hyperparameters of a data set, in the space that tools.yaml names.

Trials are scored on the validation images alone. They run on this machine, or on the Dask cluster at the
address in the variable DASK_SCHEDULER. The folder searches/ keeps every trial that has ended; after a stop,
the same command continues.
"""

import shlex

import optuna

from stages.common import command, files
from stages.common.errors import UserError
from tools.common import cluster, lock
from tools.search import report, space, trials

# On this machine: short trainings leave processors free while they start.
FEWEST_WORKERS = 2


def main(name: str, count: int, *, native: bool = False) -> None:
    """Search, print the table of trials and the best trial, and draw the importance of hyperparameters."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    task = trials.find_task(name, native=native)
    try:
        with (
            lock.exclusive_lock(trials.FOLDER / f"{name}.lock", f"search of {name}"),
            cluster.connect(FEWEST_WORKERS) as client,
        ):
            results = trials.run_search(task, count, client)
    except optuna.exceptions.StorageInternalError as error:
        raise UserError(f"{trials.FOLDER / name}.db: {error.__cause__ or error}; is the disk full?") from None
    table = report.build_table(results, task.search.space)
    files.write_text(trials.FOLDER / f"{name}.csv", table.to_csv(index=False, lineterminator="\n"))
    print(table.dropna(axis="columns", how="all").to_string(index=False))
    best = report.find_best(results)
    if best is None:
        raise UserError(
            f"search: expected a complete trial, found {len(results)} that failed; see "
            f"{trials.FOLDER / name}.csv, and correct the space"
        )
    importances = report.estimate_importances(results, task.search.seed)
    if importances:
        report.draw_importances(importances, trials.FOLDER / f"{name}.png")
        print(f"\nThe importance of each hyperparameter: {trials.FOLDER / name}.png")
    values = space.decode_values(best.params, task.search.space)
    how = ", which computes as params.yaml says" if native else ""
    experiment = shlex.join(["dvc", *space.build_experiment(name, values)])
    print(f"\nThe best trial, as an experiment{how}:\n{experiment}")


if __name__ == "__main__":
    parser = command.Parser(prog="python -m tools.search", description=__doc__)
    parser.add_argument("dataset", help="a key of `datasets` in params.yaml")
    parser.add_argument(
        "--trials",
        type=command.number_from(1),
        default=50,
        metavar="N",
        help="the number of trials, with those that have ended (default: 50)",
    )
    parser.add_argument(
        "--native", action="store_true", help="compute natively, which is faster, whatever params.yaml says"
    )
    arguments = parser.parse_args()
    command.finish(lambda: main(arguments.dataset, arguments.trials, native=arguments.native))
