"""Bring a data set in params.yaml up to date with its source: python -m tools.new.refresh NAME.

For pictures, files or arrays that have changed on purpose, and after another height, width or number of
channels: the sizes and hashes are written anew, and the classes of pictures are those of the folders now.
Every class keeps its number, unless a class before it is gone.
"""

import os
import tempfile
from pathlib import Path
from typing import Any

from stages.common import command, files, layout
from stages.common.errors import UserError
from stages.common.wording import join_names
from stages.parameters import FILE as PARAMETERS_FILE
from stages.parameters import Dataset
from stages.parameters import load as load_parameters
from stages.sources import bundled, idx, npz, picture_folders, picture_parts, pictures
from stages.sources.mirrors import MIRROR_VARIABLE
from stages.sources.schema import Mirrors, Npz, Pictures, ScikitLearn
from tools.common import settings
from tools.new import download, examination, picture_layout, section, yaml_text


def main(name: str) -> None:
    """Write the new numbers, and print what has changed."""
    dataset = load_parameters().dataset(name)
    with tempfile.TemporaryDirectory() as folder:
        try:
            text, lines = _build_text(name, dataset, Path(folder))
            settings_text = _update_background(name, dataset, Path(folder), lines)
        except UserError as error:  # the folder is gone when the message is read
            raise UserError(str(error).replace(f"{folder}{os.sep}", "")) from None
    if not lines:
        print(f"{PARAMETERS_FILE}: {name} is up to date with its source")
        return
    yaml_text.write_both(text, settings_text)
    print(f"{PARAMETERS_FILE}: changed {name}:", *lines, sep="\n- ")
    print(f"Next: dvc repro evaluate@{name}, then git add --all, and commit")


def _build_text(name: str, dataset: Dataset, folder: Path) -> tuple[str, list[str]]:
    """Return the new text of params.yaml, and a line for each change.

    Args:
        name: the key of the data set.
        dataset: its parameters.
        folder: an empty folder, which gets the raw files.
    """
    changes, notes = _write_raw_files(name, dataset, folder)
    names = dataset.files.items_by_file()
    found = {
        file: download.describe(folder / file)
        for pair in layout.PARTS.values()
        for file in pair
        if (folder / file).exists()
    }
    lines = [
        f"{file}: {found[file]['bytes']:,} bytes" if file in found else f"{file}: gone"
        for file in dict.fromkeys([*names, *found])
        if file not in found or file not in names or names[file].sha256 != found[file]["sha256"]
    ]
    for key, value in changes.items():
        if key == "classes":
            lines.append(f"classes: {', '.join(map(str, value))}")
            if gone := [own_name for own_name in dataset.classes if own_name not in value]:
                lines.append(f"warning: no training images any more of {join_names(gone)}")
    changes["files"] = {file: found.get(file) for file in dict.fromkeys([*names, *found])}
    if (folder / layout.VALIDATION_LABELS).exists():
        changes["validation_images"] = len(idx.read(folder / layout.VALIDATION_LABELS))
    if not lines:
        return "", []
    classes = len(changes.get("classes", dataset.classes))
    images = len(idx.read(folder / layout.TRAIN_LABELS))
    if "validation_images" not in changes and not classes <= dataset.validation_images <= images - classes:
        changes["validation_images"] = section.count_validation_images(folder, classes)
        lines.append(f"validation_images: {changes['validation_images']:,}")
    text = yaml_text.replace_section(yaml_text.read(PARAMETERS_FILE), name, changes)
    files.write_text(folder / PARAMETERS_FILE, text)
    updated = load_parameters(folder / PARAMETERS_FILE)
    _, warnings = examination.examine(updated, name, folder, f"{PARAMETERS_FILE}: datasets.{name}")
    lines.append(section.summarize(updated.dataset(name).model_dump(by_alias=True), folder))
    return text, [*lines, *_compare_counts(name, folder), *notes, *warnings]


def _compare_counts(name: str, folder: Path) -> list[str]:
    """Return a line with how many images each part has more or fewer than the raw files that are there."""
    changes = []
    for part, (_, labels) in layout.PARTS.items():
        old, new = (place / labels for place in (layout.raw(name), folder))
        if old.exists() and new.exists():
            change = len(idx.read(new)) - len(idx.read(old))
            changes.append(f"{part} {change:+,}")
    return [f"images: {', '.join(changes)}"] if changes else []


def _update_background(name: str, dataset: Dataset, folder: Path, lines: list[str]) -> str:
    """Return the text of tools.yaml with the background of the images; add a line if it is another one."""
    text = yaml_text.read(settings.FILE)
    if not lines or name not in settings.load().datasets:
        return text
    background = section.build_about(folder, dataset.largest_pixel)["background"]
    if background == settings.load().dataset(name).about.background:
        return text
    lines.append(f"{settings.FILE}: about.background: {background or 'not the same for all images'}")
    return yaml_text.replace_section(text, name, {"about": {"background": background}})


def _write_raw_files(name: str, dataset: Dataset, folder: Path) -> tuple[dict[str, Any], list[str]]:
    """Write the raw files of the source as it is now.

    Returns:
        The changes of the section but for the files, and notes on what was left out.
    """
    match dataset.source:
        case Pictures():
            return _write_pictures(dataset, dataset.source, folder)
        case ScikitLearn():
            bundled.write_files(dataset.source, folder)
        case Npz():
            archive = folder / dataset.source.archive.name
            _copy_first(name, dataset.source.urls, dataset.source.archive.name, archive)
            npz.write_files(dataset.source, archive, folder)
            return {"source": {"archive": download.describe(archive)}}, []
        case Mirrors():
            for file, expected in dataset.files.items_by_file().items():
                _copy_first(name, dataset.source.urls, expected.name or file, folder / file)
    return {}, []


def _write_pictures(dataset: Dataset, source: Pictures, folder: Path) -> tuple[dict[str, Any], list[str]]:
    with picture_folders.open_folder(source.folder) as root:
        if not (root / source.train).is_dir():
            raise UserError(
                f"{root / source.train}: expected the folder of the training pictures, source.train in "
                f"{PARAMETERS_FILE}, found none; put it there, or correct source.train"
            )
        present = picture_layout.list_classes(root / source.train)
        known = [name for name in source.classes if name in present]
        folders = [*known, *(name for name in present if name not in known)]
        own_names = dict(zip(source.classes, dataset.classes, strict=True))
        changed = source.model_copy(update={"classes": folders})
        pictures.write_parts(changed, picture_parts.divide(changed, root), root, folder)
        parts = (source.train, source.validation, source.test)
        notes = [
            note for part in parts if isinstance(part, str) for note in picture_layout.note_empty(root / part)
        ]
    if folders == source.classes:
        return {}, notes
    names = [own_names.get(name, name) for name in folders]
    return {"source": {"classes": folders}, "classes": names}, notes


def _copy_first(dataset: str, urls: list[str], name: str, target: Path) -> None:
    """Copy a file from the first address that has it."""
    reasons = []
    first = os.environ.get(MIRROR_VARIABLE)
    for url in [*([f"{first.rstrip('/')}/{dataset}"] if first else []), *urls]:
        try:
            download.copy(f"{url.rstrip('/')}/{name}", target)
        except UserError as error:
            reasons.append(str(error))
        else:
            return
    raise UserError("; ".join(reasons))


if __name__ == "__main__":
    parser = command.Parser(prog="python -m tools.new.refresh", description=__doc__)
    parser.add_argument("name", help="a key under `datasets:` in params.yaml")
    arguments = parser.parse_args()
    command.finish(lambda: main(arguments.name))
