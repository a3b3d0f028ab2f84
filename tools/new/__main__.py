"""Add a data set to params.yaml and tools.yaml: find its files, compute their hashes, name its classes.

FROM is a folder or a URL with four IDX files, an .npz file with four arrays, or a folder of pictures,
train/CLASS/*.png and test/CLASS/*.png. Afterwards, read the new sections and correct what you know better.
"""

import os
import tempfile
from pathlib import Path

from stages import preprocess
from stages.common import command, files, layout
from stages.common.errors import UserError
from stages.common.fields import Key
from stages.common.validation import validate
from stages.parameters import FILE as PARAMETERS_FILE
from stages.parameters import Parameters
from stages.parameters import load as load_parameters
from stages.sources import places
from tools.common import dvc, dvc_hashes, git, settings
from tools.new import importer, section


def main(name: str, origin: str) -> None:
    """Write both sections, and print what to do next."""
    parameters = load_parameters()
    validate(Key, name, "the name")
    if name in parameters.datasets:
        raise UserError(
            f"{PARAMETERS_FILE}: expected a new name, found {name!r} there already; choose another"
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
            summary, parameters_text, settings_text = _build_texts(name, origin, parameters, Path(folder))
        except UserError as error:  # the folder is gone when the message is read
            raise UserError(str(error).replace(f"{folder}{os.sep}", "")) from None
    _write_both(parameters_text, settings_text)
    print(f"{PARAMETERS_FILE}: added {name}: {summary}")
    print(f"{settings.FILE}: added {name}: about")
    print(f"Next: correct both where you know better, then run: dvc repro evaluate@{name}")


def _expect_nothing_of(name: str) -> None:
    """Raise a UserError if a new data set's stages would replace files of which there is no other copy."""
    folders = [layout.raw(name), *(layout.processed(name, split) for split in layout.SPLITS)]
    written = [layout.model(name), layout.metrics(name), layout.history(name)]
    files_there = [path for path in written if path.is_file()]
    files_there += [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
    if not files_there:
        return
    cache = Path(dvc.run("cache", "dir").strip())
    for path in files_there:
        in_git = git.try_run("ls-files", "--error-unmatch", "--", str(path)) is not None
        if not in_git and not dvc_hashes.is_in_cache(path, cache):
            raise UserError(
                f"{path}: expected no file there, since the stages of {name} write to that place, found one; "
                "move it and what is beside it elsewhere, or choose another name"
            )


def _build_texts(name: str, origin: str, parameters: Parameters, folder: Path) -> tuple[str, str, str]:
    """Return a summary of the data set, and the new texts of params.yaml and tools.yaml.

    Both are loaded, and the data is divided into splits, so that no stage refuses the data set later.

    Args:
        name: the key of the data set.
        origin: the folder or URL to import from.
        parameters: the content of params.yaml.
        folder: an empty folder, which gets the files of the data set.

    Raises:
        UserError: if a stage or a tool would refuse the data set.
    """
    source, raw_files = importer.import_dataset(origin, folder)
    dataset = section.build_section(source, raw_files, folder, parameters)
    about = section.build_about(folder, dataset["largest_pixel"])
    parameters_text = section.insert_section(_read_text(PARAMETERS_FILE), name, dataset)
    settings_text = section.insert_section(_read_text(settings.FILE), name, {"about": about})
    files.write_text(folder / PARAMETERS_FILE, parameters_text)
    files.write_text(folder / settings.FILE, settings_text)
    updated = load_parameters(folder / PARAMETERS_FILE)
    settings.load(updated, folder / settings.FILE)
    preprocess.divide(updated.dataset(name), folder)
    return section.summarize(dataset), parameters_text, settings_text


def _write_both(parameters_text: str, settings_text: str) -> None:
    """Replace params.yaml and tools.yaml; after an error, both are as they were."""
    old_settings = settings.FILE.read_bytes()
    try:
        # Both new files are complete before the first replaces its old file; params.yaml is the last.
        with (
            files.atomic_file(PARAMETERS_FILE) as new_parameters,
            files.atomic_file(settings.FILE) as new_settings,
        ):
            new_parameters.write_bytes(parameters_text.encode())
            new_settings.write_bytes(settings_text.encode())
    except BaseException:
        if settings.FILE.read_bytes() != old_settings:
            with files.atomic_file(settings.FILE) as new_settings:
                new_settings.write_bytes(old_settings)
        raise


def _read_text(path: Path) -> str:
    return path.read_bytes().decode()  # without a conversion of line ends


if __name__ == "__main__":
    parser = command.Parser(prog="python -m tools.new", description=__doc__)
    parser.add_argument("name", help="the key of the data set: small letters, numbers and _")
    parser.add_argument("origin", metavar="FROM", help="the folder, URL or .npz file to import from")
    arguments = parser.parse_args()
    command.finish(lambda: main(arguments.name, arguments.origin))
