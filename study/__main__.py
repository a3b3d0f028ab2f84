"""Train the configurations of params.yaml with several seeds each, and write down how accurate they are.

What has been trained is kept in study/records, where the same command goes on after a stop. In the end it
makes the tables and pictures of docs/accuracy.md anew, from all that has been trained.
"""

from tqdm import tqdm

from stages import command, files, lock, parameters
from study import pictures, records, report, results, runs


def train(name: str) -> None:
    """Run what is missing of the study of a data set."""
    with lock.alone(records.FOLDER / f"{name}.lock", f"study of {name}"):
        ended = records.read(name)
        # By key: two configurations may be the same.
        wanted = {records.key_of(run.identity()): run for run in runs.planned(name, parameters.load())}
        missing = [run for key, run in wanted.items() if key not in ended]
        done = len(wanted) - len(missing)
        with tqdm(missing, initial=done, total=len(wanted), unit="training") as progress:
            for run in progress:
                progress.set_description(str(run))
                records.add(name, runs.perform(run))


def write() -> None:
    """Write the tables and pictures of the page."""
    content, text = parameters.load(), report.PAGE.read_text(encoding="utf-8")
    of = {name: results.read(name, content) for name in report.names(text)}
    filled = report.filled(text, of)
    pictures.sizes(of)
    for found in of.values():
        pictures.pairs(found)
        pictures.mistakes(found)
    files.write_text(report.PAGE, filled)


def main(chosen: list[str], page_alone: bool) -> None:
    """Train what is missing of some data sets, those of the page if none is given, and write the page."""
    if not page_alone:
        for name in chosen or report.names(report.PAGE.read_text(encoding="utf-8")):
            train(name)
    write()


if __name__ == "__main__":
    parser = command.Parser(prog="python -m study", description=__doc__)
    parser.add_argument("datasets", nargs="*", metavar="dataset", help="to train; all of the page, if none")
    parser.add_argument("--page", action="store_true", help="train nothing, and write the page")
    given = parser.parse_args()
    command.finish(lambda: main(given.datasets, given.page))
