"""Import of IDX files from a folder or a URL: which file is which."""

import re
from pathlib import Path
from typing import Any

from stages.common import layout
from stages.common.errors import UserError
from stages.sources import idx, picture_folders
from tools.new import advice, download

TEST_WORDS = ("t10k", "test")  # MNIST's name and the usual name of the test part
PART_WORDS = {"train": ("train",), "validation": ("validation", "val"), "test": TEST_WORDS}
NAME = re.compile(r"(images|labels)[-.]idx\d-[a-z]+\d*(\.gz)?$")


def has_idx_files(folder: Path) -> bool:
    """Return whether a file in a folder has a name as MNIST's files have."""
    return any(NAME.search(path.name) for path in picture_folders.list_files(folder) if path.is_file())


def import_files(origin: str, folder: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Copy the IDX files of a data set into a folder.

    Args:
        origin: a folder, a URL, or how the names of the files in a folder begin.
        folder: gets the files, under the names that MNIST gave them.

    Returns:
        The content of `source` in params.yaml, and by the name of each raw file its name at the source.

    Raises:
        UserError: if files are missing or ambiguous, or have no images or labels that the stages take.
    """
    names = {file: file for file in layout.RAW_FILES}
    mirror = origin.rstrip("/")
    if "://" not in origin:
        directory, prefix = (
            (Path(origin), "") if Path(origin).is_dir() else (Path(origin).parent, Path(origin).name)
        )
        _expect_something(origin, directory, prefix)
        found = {
            file: _find_file(part, kind, directory, prefix)
            for part, files in layout.PARTS.items()
            for kind, file in zip(("images", "labels"), files, strict=True)
        }
        names = {file: name for file, name in found.items() if name is not None}
        mirror = str(directory)
    for file, name in names.items():
        download.copy(f"{mirror}/{name}", folder / file)
    for images, labels in layout.PARTS.values():
        if images in names and labels in names:
            advice.expect_images(idx.read(folder / images), names[images])
            advice.expect_labels(idx.read(folder / labels), names[labels])
    return {"kind": "mirrors", "urls": [mirror]}, names


def _expect_something(origin: str, directory: Path, prefix: str) -> None:
    names = [path.name for path in directory.iterdir()] if directory.is_dir() else []
    if not any(name.startswith(prefix) for name in names):
        raise UserError(
            f"{origin}: expected a folder or URL with IDX files, an .npz file, or a folder, .zip or .tar "
            "file of pictures, found nothing there; check FROM"
        )


def _find_file(part: str, kind: str, directory: Path, prefix: str) -> str | None:
    """Return the name of the file for a raw file, without .gz, judged by names; None if it may be missing.

    Args:
        part: of the data set.
        kind: `images` or `labels`.
        directory: the folder to look in.
        prefix: the beginning of the names to look at.

    Raises:
        UserError: unless exactly one file fits.
    """
    words = PART_WORDS[part]
    pattern = re.compile(rf"({'|'.join(words)})[-_.]{kind}[-.]idx\d-[a-z]+\d*(\.gz)?$")
    candidates = {
        path.name.removesuffix(".gz")
        for path in picture_folders.list_files(directory)
        if path.name.startswith(prefix) and pattern.search(path.name) and path.is_file()
    }
    if part == "validation" and not candidates:
        return None
    if len(candidates) != 1:
        raise UserError(
            f"{directory / prefix}: expected one file with {' or '.join(words)}-{kind}-idx in its name, "
            f"found {', '.join(sorted(candidates)) or 'none'}; name a folder or how its files begin"
        )
    return candidates.pop()
