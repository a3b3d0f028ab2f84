"""Train each configuration with several seeds, and write the accuracies to docs/accuracy.md.

The trainings run on this machine, or on the Dask cluster at the address in the variable DASK_SCHEDULER. The
folder tools/study/records keeps a record of each as soon as it ends; after a stop, the same command
continues. At the end, the command writes the tables and pictures of the page from all records.
"""

from collections.abc import Mapping

from stages.common import command, files
from stages.common.errors import UserError
from stages.parameters import Parameters
from stages.parameters import load as load_parameters
from tools.common import lock
from tools.common.settings import Settings
from tools.common.settings import load as load_settings
from tools.study import pictures, plan, records, report, trainings
from tools.study.plan import Run
from tools.study.results import read_results


def run_missing(name: str, runs: Mapping[str, Run]) -> list[str]:
    """Perform the runs of a data set that have no record yet.

    Args:
        name: of the data set.
        runs: all runs of its plan, by their keys.

    Returns:
        The error of each training that failed.
    """
    with lock.exclusive_lock(records.FOLDER / f"{name}.lock", f"study of {name}"):
        keys = records.read(name).keys()
        missing = [run for key, run in runs.items() if key not in keys]
        return trainings.perform_runs(missing, len(runs), records.add)


def write_page(parameters: Parameters, settings: Settings) -> None:
    """Write the tables and pictures of the page."""
    page = report.PAGE.read_text(encoding="utf-8")
    results_by_dataset = {
        name: read_results(name, parameters, settings) for name in report.list_datasets(page)
    }
    page = report.fill_page(page, results_by_dataset)
    pictures.draw_sizes(results_by_dataset)
    for results in results_by_dataset.values():
        pictures.draw_pairs(results)
        pictures.draw_mistakes(results)
    files.write_text(report.PAGE, page)


def main(datasets: list[str], page_only: bool) -> None:
    """Perform the missing runs of some data sets, and write the page.

    Args:
        datasets: their names; if empty, all data sets of the page.
        page_only: whether to train nothing.

    Raises:
        UserError: before any training, if there is an error in the plan, the page or the records; at the end,
            if some trainings failed.
    """
    parameters = load_parameters()
    settings = load_settings(parameters)
    datasets_of_page = report.list_datasets(report.PAGE.read_text(encoding="utf-8"))
    for name in datasets:
        if name not in datasets_of_page:
            raise UserError(
                f"{report.PAGE}: expected a table of {name}, found tables of {', '.join(datasets_of_page)}; "
                f"write `<!-- configurations of {name} -->` and `<!-- end -->` where the table is to be"
            )
    if not page_only:
        # By key, since two configurations may be equal.
        plans = {
            name: {run.key: run for run in plan.plan_runs(name, parameters, settings)}
            for name in datasets or datasets_of_page
        }
        for name in plans:  # so that a broken record of any data set is reported before a training
            records.read(name)
        errors = [error for name, runs in plans.items() for error in run_missing(name, runs)]
        if errors:
            raise UserError("; ".join(errors))
    write_page(parameters, settings)


if __name__ == "__main__":
    parser = command.Parser(prog="python -m tools.study", description=__doc__)
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "datasets",
        nargs="*",
        default=[],
        metavar="dataset",
        help="the data sets to train; all data sets of the page by default",
    )
    group.add_argument("--page", action="store_true", help="only write the page, from the records")
    arguments = parser.parse_args()
    command.finish(lambda: main(arguments.datasets, arguments.page))
