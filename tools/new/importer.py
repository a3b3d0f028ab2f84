"""What is where somebody says that their data set is: its source, and the four IDX files that come of it."""

import re
from pathlib import Path
from typing import Any

from stages.common import checksums, layout
from stages.common.errors import UserError
from stages.common.validation import checked
from stages.sources import mirrors, npz, pictures
from stages.sources.schema import Npz, Pictures, Url

LARGEST_BYTES = 10**12  # of a file whose size nobody has told yet; sets how long it may take
LARGEST_SIDE = 64  # pixels: each costs a feed-forward network as many weights as its first layer is wide
FILES = (layout.TRAIN_IMAGES, layout.TRAIN_LABELS, layout.TEST_IMAGES, layout.TEST_LABELS)
TEST_NAMES = ("t10k", "test")  # MNIST's name and the usual one


def fetch(origin: str, folder: Path) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Get a data set's files into a folder.

    Args:
        origin: a folder or an address.
        folder: gets the four IDX files, under the names that MNIST gave them.

    Returns:
        The section `source` of params.yaml, and `files`.

    Raises:
        UserError: if there is no data set of a known kind.
    """
    checked(Url, origin, "FROM")  # before anything is sent there
    if "://" not in origin:
        origin = str(Path(origin).expanduser())
    names: dict[str, str] = {}
    if Path(origin, "train").is_dir():
        source = _from_pictures(origin, folder)
    elif origin.endswith(".npz"):
        source = _from_archive(origin, folder)
    else:
        source, names = _from_idx(origin, folder)
    described = {name: _described(folder / name) for name in FILES}
    for name, elsewhere in names.items():
        if elsewhere != name:
            described[name]["name"] = elsewhere
    return source, described


def _from_pictures(origin: str, folder: Path) -> dict[str, Any]:
    height, width, channels = pictures.commonest_shape(Path(origin))
    smaller = min(1, LARGEST_SIDE / max(height, width))
    source = {
        "kind": "pictures",
        "folder": origin,
        "classes": pictures.classes(Path(origin)),
        "height": max(1, round(height * smaller)),
        "width": max(1, round(width * smaller)),
        "channels": channels,
    }
    pictures.write_files(checked(Pictures, source, "FROM"), folder)
    return source


def _from_archive(origin: str, folder: Path) -> dict[str, Any]:
    if "://" in origin:
        place, _, name = origin.rpartition("/")
    else:
        place, name = str(Path(origin).parent), Path(origin).name
    archive = folder / name
    _copy(origin, archive)
    shapes = npz.shapes(archive)
    source = {
        "kind": "npz",
        "urls": [place],
        "archive": {"name": name, **_described(archive)},
        "arrays": {file: _array_for(file, name, shapes) for file in FILES},
    }
    npz.write_files(checked(Npz, source, "FROM"), archive, folder)
    return source


def _array_for(file: str, archive: str, shapes: dict[str, tuple[int, ...]]) -> str:
    """The array of the archive that a file is to be made of, by its name and its dimensions."""
    part = ("train",) if file in FILES[:2] else TEST_NAMES
    dimensions = (3, 4) if file in (layout.TRAIN_IMAGES, layout.TEST_IMAGES) else (1, 2)
    suitable = [
        name
        for name, shape in shapes.items()
        if any(word in name.lower() for word in part) and len(shape) in dimensions
    ]
    if len(suitable) != 1:
        there = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise UserError(
            f"{archive}: expected one array with {part[0]} in its name and {dimensions[0]} or "
            f"{dimensions[1]} dimensions, found of all arrays ({there}) {len(suitable)}; save them so"
        )
    return suitable[0]


def _from_idx(origin: str, folder: Path) -> tuple[dict[str, Any], dict[str, str]]:
    names = {file: file for file in FILES}
    place = origin.rstrip("/")
    if "://" not in origin:
        beginning = "" if Path(origin).is_dir() else Path(origin).name
        directory = Path(origin) if Path(origin).is_dir() else Path(origin).parent
        names = {file: _file_for(file, directory, beginning) for file in FILES}
        place = str(directory)
    for file, name in names.items():
        _copy(f"{place}/{name}", folder / file)
    return {"kind": "mirrors", "urls": [place]}, names


def _file_for(file: str, directory: Path, beginning: str) -> str:
    """The file of a folder that has the role of a file of MNIST's: its name, without .gz."""
    part, what = file.split("-")[:2]
    words = TEST_NAMES if part == TEST_NAMES[0] else (part,)
    name = re.compile(rf"({'|'.join(words)})-{what}[-.]idx\d-[a-z]+\d*(\.gz)?$")
    there = sorted(directory.iterdir()) if directory.is_dir() else []
    suitable = {
        path.name.removesuffix(".gz")
        for path in there
        if path.name.startswith(beginning) and name.search(path.name)
    }
    if len(suitable) != 1:
        raise UserError(
            f"{directory / beginning}: expected one file with {' or '.join(words)}-{what}-idx in its name, "
            f"found {', '.join(sorted(suitable)) or 'none'}; name a folder or how its files begin"
        )
    return suitable.pop()


def _copy(address: str, target: Path) -> None:
    try:
        with target.open("wb") as file:
            for chunk in mirrors.chunks(address, LARGEST_BYTES):
                file.write(chunk)
    except mirrors.MirrorError as error:
        what_to_do = "try again" if error.may_pass else "check FROM"
        raise UserError(f"{address}: expected a file, found: {error}; {what_to_do}") from None


def _described(file: Path) -> dict[str, Any]:
    return {"bytes": file.stat().st_size, "sha256": checksums.sha256(file)}
