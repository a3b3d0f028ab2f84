"""Train the configurations of params.yaml with several seeds each, and write down how accurate they are.

What has been trained is kept in tools/study/records, where the same command goes on after a stop. In the
end it makes the tables and pictures of docs/accuracy.md anew, from all that has been trained.
"""

import importlib

from tqdm import tqdm

from stages import parameters
from stages.common import command, files, lock
from stages.common.errors import UserError
from stages.parameters import Parameters
from tools.study import pictures, plan, records, report, results
from tools.study.plan import Run


def train(name: str, wanted: dict[str, Run]) -> list[str]:
    """Run what is missing of the study of a data set, by their keys, and return why some could not be."""
    failed = []
    with lock.alone(records.FOLDER / f"{name}.lock", f"study of {name}"):
        ended = records.read(name)
        missing = [run for key, run in wanted.items() if key not in ended]
        done = len(wanted) - len(missing)
        with tqdm(missing, initial=done, total=len(wanted), unit="training") as progress:
            for run in progress:
                progress.set_description(str(run))
                try:
                    # Imported in here, since it brings TensorFlow, which plan and page do without.
                    records.add(name, importlib.import_module("tools.study.runs").perform(run))
                except UserError as error:
                    failed.append(str(error))
    return failed


def write(content: Parameters) -> None:
    """Write the tables and pictures of the page."""
    page = report.PAGE.read_text(encoding="utf-8")
    of = {name: results.read(name, content) for name in report.names(page)}
    filled = report.filled(page, of)
    pictures.sizes(of)
    for found in of.values():
        pictures.pairs(found)
        pictures.mistakes(found)
    files.write_text(report.PAGE, filled)


def main(chosen: list[str], page_alone: bool) -> None:
    """Train what is missing of some data sets, those of the page if none is given, and write the page.

    Raises:
        UserError: before anything is trained, if there is something wrong with the plan, the page or the
            records; in the end, if some trainings failed.
    """
    content = parameters.load()
    names = report.names(report.PAGE.read_text(encoding="utf-8"))
    for name in chosen:
        if name not in names:
            raise UserError(
                f"{report.PAGE}: expected a table of {name}, found those of {', '.join(names)}; write "
                f"`<!-- configurations of {name} -->` and `<!-- end -->` where it is to be"
            )
    if not page_alone:
        # By key: two configurations may be the same.
        plans = {name: {run.key: run for run in plan.planned(name, content)} for name in chosen or names}
        for name in plans:
            records.read(name)
        failed = [one for name, wanted in plans.items() for one in train(name, wanted)]
        if failed:
            raise UserError("; ".join(failed))
    write(content)


if __name__ == "__main__":
    parser = command.Parser(prog="python -m tools.study", description=__doc__)
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "datasets", nargs="*", default=[], metavar="dataset", help="to train; all of the page, if none"
    )
    what.add_argument("--page", action="store_true", help="train nothing, and write the page")
    given = parser.parse_args()
    command.finish(lambda: main(given.datasets, given.page))
