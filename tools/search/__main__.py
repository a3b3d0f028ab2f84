"""Search for better hyperparameters of a data set, in the space that tools.yaml names.

Trials are scored on the validation images alone. The best is then compared with the values of params.yaml,
over several seeds. Trainings run on this machine, or on the Dask cluster at the address in the variable
DASK_SCHEDULER. The folder searches/ keeps all that have ended; after a stop, the same command continues.
"""

import shlex
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial

from stages import parameters
from stages.common import command, files
from stages.common.errors import UserError
from tools.common import cluster, lock, settings
from tools.search import confirmation, report, space, trials

# On this machine: short trainings leave processors free while they start.
FEWEST_WORKERS = 2


def main(name: str, count: int, *, native: bool = False) -> None:
    """Search, print the trials and whether the best is better, and draw the importance of hyperparameters."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    task = trials.find_task(name, native=native)
    # Read now, as somebody may edit the files meanwhile. The workers of a running cluster compute in one way.
    confirmed_task = task if cluster.is_running_elsewhere() else trials.find_task(name)
    tolerance = settings.load(parameters.load()).review.tolerance
    with lock.exclusive_lock(trials.FOLDER / f"{name}.lock", f"search of {name}"):
        best = search(task, count)
        if best.user_attrs[trials.NUMBER] == 0:
            print(f"\nNo trial has a better {task.search.objective} than the values of {parameters.FILE}.")
            return
        values = best.user_attrs[trials.VALUES]
        how = f", which computes as {parameters.FILE} says" if native else ""
        experiment = shlex.join(["dvc", *space.build_experiment(name, values)])
        print(f"\nThe best trial, as an experiment{how}:\n{experiment}\n", flush=True)
        with cluster.connect(FEWEST_WORKERS) as client:
            differences = confirmation.confirm(confirmed_task, values, tolerance, client)
        print("\n".join(confirmation.describe(differences, task.search)))


def search(task: trials.Task, count: int) -> FrozenTrial:
    """Run the trials that are missing, write and print their table, and return the best."""
    files_of_search = trials.FOLDER / task.name
    try:
        with cluster.connect(FEWEST_WORKERS) as client:
            results = trials.run_search(task, count, client)
    except optuna.exceptions.StorageInternalError as error:
        raise UserError(f"{files_of_search}.db: {error.__cause__ or error}; is the disk full?") from None
    table = report.build_table(results, task)
    files.write_text(Path(f"{files_of_search}.csv"), table.to_csv(index=False, lineterminator="\n"))
    print(table.dropna(axis="columns", how="all").to_string(index=False))
    best = report.find_best(results, task)
    if best is None:
        raise UserError(
            f"search: expected a complete trial, found {len(results)} that failed; see "
            f"{files_of_search}.csv, and correct the space"
        )
    importances = report.estimate_importances(results, task.search.seed)
    if importances:
        report.draw_importances(importances, Path(f"{files_of_search}.png"))
        print(f"\nThe importance of each hyperparameter: {files_of_search}.png")
    return best


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
