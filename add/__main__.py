"""Add a data set to params.yaml: find its files, hash them, name its classes.

FROM is a folder or an address with the four IDX files, an .npz file with four arrays, or a folder of
pictures: train/CLASS/*.png and test/CLASS/*.png. Read what it wrote, and change what you know better.
"""

import tempfile
from pathlib import Path

from add import found, section
from stages import command, files, parameters
from stages.errors import UserError


def main(name: str, origin: str) -> None:
    """Write the section and say what to do next."""
    known = parameters.load()
    if name in known.datasets:
        raise UserError(f"params.yaml: expected a new name, found {name!r} there already; choose another")
    with tempfile.TemporaryDirectory() as folder:
        source, raw_files = found.fetch(origin, Path(folder))
        added = section.of(source, raw_files, Path(folder), known)
    text = section.inserted(parameters.FILE.read_text(encoding="utf-8"), name, added)
    with tempfile.TemporaryDirectory() as folder:  # what every stage would refuse is not written
        tried = Path(folder, parameters.FILE.name)
        files.write_text(tried, text)
        parameters.load(tried).dataset(name)
    files.write_text(parameters.FILE, text)
    print(f"params.yaml: added {name}: {section.summary(added)}")
    print(f"Next: read what it says of {name}, then run: dvc repro evaluate@{name}")


if __name__ == "__main__":
    parser = command.Parser(prog="python -m add", description=__doc__)
    parser.add_argument("name", help="of the data set: small letters, digits and _")
    parser.add_argument("origin", metavar="FROM", help="where its files are")
    given = parser.parse_args()
    command.finish(lambda: main(given.name, given.origin))
