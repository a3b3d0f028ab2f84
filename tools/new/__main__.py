"""Add a data set to params.yaml: find its files, hash them, name its classes.

FROM is a folder or an address with the four IDX files, an .npz file with four arrays, or a folder of
pictures: train/CLASS/*.png and test/CLASS/*.png. Read what it wrote, and change what you know better.
"""

import os
import tempfile
from pathlib import Path
from typing import Any

from stages import parameters, preprocess
from stages.common import command, files
from stages.common.errors import UserError
from stages.common.validation import Key, checked
from stages.parameters import Parameters
from tools.new import importer, section


def main(name: str, origin: str) -> None:
    """Write the section and say what to do next."""
    known = parameters.load()
    checked(Key, name, "the name")
    if name in known.datasets:
        raise UserError(f"params.yaml: expected a new name, found {name!r} there already; choose another")
    text = parameters.FILE.read_bytes().decode()  # with its own line ends
    with tempfile.TemporaryDirectory() as folder:
        try:
            added, text = _section(name, origin, known, text, Path(folder))
        except UserError as error:  # what is in that folder, nobody finds there later
            raise UserError(str(error).replace(f"{folder}{os.sep}", "")) from None
    files.write_text(parameters.FILE, text)
    print(f"params.yaml: added {name}: {section.summary(added)}")
    print(f"Next: read what it says of {name}, then run: dvc repro evaluate@{name}")


def _section(
    name: str, origin: str, known: Parameters, text: str, folder: Path
) -> tuple[dict[str, Any], str]:
    """The section and the text with it, of which no stage will refuse anything."""
    source, raw_files = importer.fetch(origin, folder)
    added = section.of(source, raw_files, folder, known)
    text = section.inserted(text, name, added)
    tried = folder / parameters.FILE.name
    files.write_text(tried, text)
    preprocess.splits(parameters.load(tried).dataset(name), folder)
    return added, text


if __name__ == "__main__":
    parser = command.Parser(prog="python -m tools.new", description=__doc__)
    parser.add_argument("name", help="of the data set: small letters, numbers and _")
    parser.add_argument("origin", metavar="FROM", help="where its files are")
    given = parser.parse_args()
    command.finish(lambda: main(given.name, given.origin))
