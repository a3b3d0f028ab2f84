"""Add a data set to params.yaml and tools.yaml: find its files, compute their hashes, name its classes.

FROM is a folder of pictures, CLASS/*.jpg, or train/CLASS/*.jpg and test/CLASS/*.jpg, also as a .zip or .tar
file; or a folder or a URL with IDX files; or an .npz file. Afterwards, read the new sections and correct what
you know better.
"""

import os
import tempfile
from pathlib import Path

from stages.common import command, files, layout
from stages.common.errors import UserError
from stages.common.fields import Key
from stages.common.validation import validate
from stages.parameters import FILE as PARAMETERS_FILE
from stages.parameters import load as load_parameters
from stages.sources import places
from tools.common import lock, settings
from tools.new import defaults, examination, importer, results, section, yaml_text

LOCK = Path(".dvc/tmp/new.lock")


def main(name: str, origin: str, groups: str | None = None) -> None:
    """Write both sections, and print what was found and what to do next."""
    with lock.exclusive_lock(LOCK, "make new"):  # which would write to the same files
        _add(name, origin, groups)


def _add(name: str, origin: str, groups: str | None) -> None:
    parameters = load_parameters()
    validate(Key, name, "the name")
    if not origin:
        raise UserError("FROM: expected a folder, a file or an address, found nothing; name one")
    if name in parameters.datasets:
        raise UserError(
            f"{PARAMETERS_FILE}: expected a new name, found {name!r} there already; choose another, or, for "
            f"its source as it is now, run: make refresh NAME={name}"
        )
    if name in settings.load().datasets:
        raise UserError(
            f"{settings.FILE}: expected a new name, found {name!r} there, though not in {PARAMETERS_FILE}; "
            "remove it, or choose another"
        )
    places.expect_outside_outputs([origin], "FROM")
    _expect_nothing_of(name)
    with tempfile.TemporaryDirectory() as folder:
        try:
            lines, parameters_text, settings_text = _build_texts(name, origin, groups, Path(folder))
        except UserError as error:  # the folder is gone when the message is read
            raise UserError(str(error).replace(f"{folder}{os.sep}", "")) from None
    yaml_text.write_both(parameters_text, settings_text)
    print(f"{PARAMETERS_FILE}: added {name}: {lines[0]}", *lines[1:], sep="\n- ")
    print(f"{settings.FILE}: added {name}: about")
    if "://" not in origin:
        print(f"With dvc push, {layout.raw(name)} goes to others; {origin} stays on this machine.")
    print(
        f"Next: correct both where you know better, then run: dvc repro evaluate@{name}, then git add --all, "
        "and commit"
    )


def _expect_nothing_of(name: str) -> None:
    """Raise a UserError if a new data set's stages would replace files of which there is no other copy."""
    if strange := results.list_strange(name):
        raise UserError(
            f"{strange[0]}: expected no file there, since the stages of {name} write to that place, found "
            "one; move it and what is beside it elsewhere, or choose another name"
        )


def _build_texts(name: str, origin: str, groups: str | None, folder: Path) -> tuple[list[str], str, str]:
    """Return lines about the data set, and the new texts of params.yaml and tools.yaml.

    Both are loaded, and the data is divided into splits, so that no stage refuses the data set later.

    Args:
        name: the key of the data set.
        origin: the folder or URL to import from.
        groups: what tells the groups of pictures that must not be divided.
        folder: an empty folder, which gets the files of the data set.

    Raises:
        UserError: if a stage or a tool would refuse the data set.
    """
    imported = importer.import_dataset(origin, folder, groups)
    try:
        dataset = section.build_section(imported, folder)
        about = section.build_about(folder, dataset["largest_pixel"])
        parameters_text = yaml_text.insert_section(yaml_text.read(PARAMETERS_FILE), name, dataset)
        settings_text = yaml_text.insert_section(yaml_text.read(settings.FILE), name, {"about": about})
        files.write_text(folder / PARAMETERS_FILE, parameters_text)
        files.write_text(folder / settings.FILE, settings_text)
        updated = load_parameters(folder / PARAMETERS_FILE)
        settings.load(updated, folder / settings.FILE)
        splits, warnings = examination.examine(updated, name, folder, origin)
    except UserError as error:  # in the names that the files or arrays have at their source
        text = str(error)
        for file, own_name in imported.names.items():
            text = text.replace(f"{folder / file}", own_name).replace(file, own_name)
        raise UserError(text) from None
    lines = [section.summarize(dataset, folder), *imported.notes]
    lines += defaults.choose(len(splits["train"][1]), splits["train"][0].images.shape[1:]).reasons
    lines += warnings
    return lines, parameters_text, settings_text


if __name__ == "__main__":
    parser = command.Parser(prog="python -m tools.new", description=__doc__)
    parser.add_argument("name", help="the key of the data set: small letters, numbers and _")
    parser.add_argument("origin", metavar="FROM", help="the folder, URL or file to import from")
    parser.add_argument(
        "--groups",
        help="pictures that must not be divided between training and test, as those of one writer: a regular "
        "expression for their paths in FROM with the group in parentheses, or a .csv file in FROM with the "
        "columns file and group",
    )
    arguments = parser.parse_args()
    command.finish(lambda: main(arguments.name, arguments.origin, arguments.groups))
