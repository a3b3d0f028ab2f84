"""Train the configurations of params.yaml with several seeds each, and write down how accurate they are.

What has been trained is kept in study/records, where the same command goes on after a stop. Without a data
set, the tables and pictures of docs/accuracy.md are made anew from all that there is.
"""

from tqdm import tqdm

from stages import command, files, parameters
from study import pictures, records, report, results, runs


def train(name: str) -> None:
    """Run what is missing of the study of a data set."""
    content = parameters.load()
    ended = records.read(name)
    wanted = runs.planned(name, content)
    missing = [run for run in wanted if runs.key_of(name, run) not in ended]
    with tqdm(missing, initial=len(wanted) - len(missing), total=len(wanted), unit="training") as progress:
        for run in progress:
            progress.set_description(f"{name}, {run.configuration}, {run.variant or 'as it is'}")
            records.add(name, runs.perform(name, run, content))


def write() -> None:
    """Write tables and pictures of the data sets that the page has."""
    content, text = parameters.load(), report.PAGE.read_text(encoding="utf-8")
    names = dict.fromkeys(match[3] for match in report.BLOCK.finditer(text))
    of = {name: results.read(name, content) for name in names}
    files.write_text(report.PAGE, report.filled(text, of))
    pictures.sizes(of)
    for found in of.values():
        pictures.pairs(found)
        pictures.mistakes(found)


if __name__ == "__main__":
    parser = command.Parser(prog="python -m study", description=__doc__)
    parser.add_argument("dataset", nargs="?", help="a key of `datasets` in params.yaml")
    given = parser.parse_args()
    command.finish(lambda: train(given.dataset) if given.dataset else write())
