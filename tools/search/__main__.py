"""Look for better hyperparameters of a data set, in the space that params.yaml names.

Trials are scored by their validation images alone, and kept in searches/, where the same command goes on
after a stop. They run on this machine, or on the Dask cluster whose address the variable DASK_SCHEDULER has.
"""

import shlex

import optuna

from stages.common import command, files, lock
from stages.common.errors import UserError
from tools.search import cluster, report, space, trials


def main(name: str, count: int) -> None:
    """Search, print the table of trials and the winner, and draw what mattered."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    task = trials.find(name)
    try:
        with lock.alone(trials.FOLDER / f"{name}.lock", f"search of {name}"), cluster.connected() as client:
            ended = trials.run(task, count, client)
    except optuna.exceptions.StorageInternalError as error:
        raise UserError(f"{trials.FOLDER / name}.db: {error.__cause__ or error}; is the disk full?") from None
    table = report.table(ended, task.search.space)
    files.write_text(trials.FOLDER / f"{name}.csv", table.to_csv(index=False, lineterminator="\n"))
    print(table.dropna(axis="columns", how="all").to_string(index=False))
    best = report.winner(ended)
    if best is None:
        raise UserError(f"search: expected a trial that ends, found {len(ended)} that failed; see {name}.csv")
    shares = report.importances(ended, task.search.seed)
    if shares:
        report.draw(shares, trials.FOLDER / f"{name}.png")
        print(f"\nWhat mattered: {trials.FOLDER / name}.png")
    values = space.values(best.params, task.search.space)
    print(f"\nThe best, as an experiment:\n{shlex.join(space.experiment(name, values))}")


if __name__ == "__main__":
    parser = command.Parser(prog="python -m tools.search", description=__doc__)
    parser.add_argument("dataset", help="a key of `datasets` in params.yaml")
    parser.add_argument(
        "--trials",
        type=command.whole_number(1),
        default=50,
        metavar="N",
        help="how many in all (default: 50)",
    )
    given = parser.parse_args()
    command.finish(lambda: main(given.dataset, given.trials))
