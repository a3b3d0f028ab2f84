"""Write a page to look at the mistakes of a network, and to try it: python -m tools.explore DATASET.

explore/DATASET.html is one file that needs no server and no network. With --base REVISION, it shows which
images that revision answered otherwise. Exit code: 0, or 2 after a mistake.
"""

from pathlib import Path

from stages.common import command, files
from stages.common.errors import UserError
from tools.common.revision import find_revision
from tools.explore import contents, page

FOLDER = Path("explore")


def main(dataset: str, base: str | None) -> None:
    """Write the page of a data set.

    Args:
        dataset: its key.
        base: the name of a revision to compare the predictions with; None for no comparison.
    """
    path = FOLDER / f"{dataset}.html"
    if (FOLDER.exists() and not FOLDER.is_dir()) or path.is_dir():
        wrong, expected = (path, "a file") if FOLDER.is_dir() else (FOLDER, "a folder")
        raise UserError(f"{wrong}: expected {expected}, or nothing, found the other; move it away")
    collected = contents.collect(dataset, find_revision(base) if base is not None else None)
    files.write_text(path, page.build(collected))
    print(f"Open it in a browser: {path}")


if __name__ == "__main__":
    parser = command.Parser(prog="python -m tools.explore", description=__doc__)
    parser.add_argument("dataset", help="a key under `datasets:` in params.yaml")
    parser.add_argument("--base", metavar="REVISION", help="a commit, branch or tag to compare with")
    arguments = parser.parse_args()
    command.finish(lambda: main(arguments.dataset, arguments.base))
