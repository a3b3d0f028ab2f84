"""Importer of a data set from a folder, a URL or an .npz archive: its source, and its four IDX files."""

import re
from pathlib import Path
from typing import Any

from stages.common import checksums, layout
from stages.common.errors import UserError
from stages.common.validation import validate
from stages.sources import mirrors, npz, pictures
from stages.sources.schema import Npz, Pictures, Url

ASSUMED_BYTES = 10**12  # of a file whose size is not known yet; bounds the time of its download
LONGEST_SIDE = 64  # pixels; a dense network has as many weights for each pixel as its first layer has units
TEST_WORDS = ("t10k", "test")  # MNIST's name and the usual name of the test part
IMAGES_NDIMS, LABELS_NDIMS = (3, 4), (1, 2)


def import_dataset(origin: str, folder: Path) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Write the four IDX files of a data set into a folder.

    Args:
        origin: the folder or URL to import from; `~` is the home directory.
        folder: gets the IDX files, under the names that MNIST gave them.

    Returns:
        The content of `source` and of `files` in params.yaml.

    Raises:
        UserError: if there is no data set of a known kind.
    """
    validate(Url, origin, "FROM")  # before a password is sent anywhere
    if "://" not in origin:
        origin = str(Path(origin).expanduser())
    source_names: dict[str, str] = {}
    if Path(origin, "train").is_dir():
        source = _import_pictures(origin, folder)
    elif origin.endswith(".npz"):
        source = _import_archive(origin, folder)
    else:
        source, source_names = _import_idx(origin, folder)
    files = {name: _describe(folder / name) for name in layout.RAW_FILES}
    for name, source_name in source_names.items():
        if source_name != name:
            files[name]["name"] = source_name
    return source, files


def _import_pictures(origin: str, folder: Path) -> dict[str, Any]:
    height, width, channels = pictures.find_commonest_shape(Path(origin))
    scale = min(1, LONGEST_SIDE / max(height, width))
    source = {
        "kind": "pictures",
        "folder": origin,
        "classes": pictures.list_classes(Path(origin)),
        "height": max(1, round(height * scale)),
        "width": max(1, round(width * scale)),
        "channels": channels,
    }
    pictures.write_files(validate(Pictures, source, "FROM"), folder)
    return source


def _import_archive(origin: str, folder: Path) -> dict[str, Any]:
    if "://" in origin:
        mirror, _, name = origin.rpartition("/")
    else:
        mirror, name = str(Path(origin).parent), Path(origin).name
    archive = folder / name
    _copy(origin, archive)
    shapes = npz.read_shapes(archive)
    source = {
        "kind": "npz",
        "urls": [mirror],
        "archive": {"name": name, **_describe(archive)},
        "arrays": {file: _find_array(file, name, shapes) for file in layout.RAW_FILES},
    }
    npz.write_files(validate(Npz, source, "FROM"), archive, folder)
    return source


def _find_array(file: str, archive: str, shapes: dict[str, tuple[int, ...]]) -> str:
    """Return the name of the array for a raw file, judged by names and dimensions.

    Args:
        file: the name of the raw file.
        archive: the name of the archive, for an error.
        shapes: the shape of each array of the archive, by its name.

    Raises:
        UserError: unless exactly one array fits.
    """
    words = ("train",) if file in (layout.TRAIN_IMAGES, layout.TRAIN_LABELS) else TEST_WORDS
    ndims = IMAGES_NDIMS if file in (layout.TRAIN_IMAGES, layout.TEST_IMAGES) else LABELS_NDIMS
    candidates = [
        name
        for name, shape in shapes.items()
        if any(word in name.lower() for word in words) and len(shape) in ndims
    ]
    if len(candidates) != 1:
        arrays = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise UserError(
            f"{archive}: expected one array with {' or '.join(words)} in its name and {ndims[0]} or "
            f"{ndims[1]} dimensions, found {len(candidates)} among {arrays or 'no arrays'}; rename the arrays"
        )
    return candidates[0]


def _import_idx(origin: str, folder: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Copy four IDX files; return the source, and by the name of each raw file its name at the source."""
    names = {file: file for file in layout.RAW_FILES}
    mirror = origin.rstrip("/")
    if "://" not in origin:
        prefix = "" if Path(origin).is_dir() else Path(origin).name
        directory = Path(origin) if Path(origin).is_dir() else Path(origin).parent
        names = {file: _find_file(file, directory, prefix) for file in layout.RAW_FILES}
        mirror = str(directory)
    for file, name in names.items():
        _copy(f"{mirror}/{name}", folder / file)
    return {"kind": "mirrors", "urls": [mirror]}, names


def _find_file(file: str, directory: Path, prefix: str) -> str:
    """Return the name of the file for a raw file, without .gz, judged by names.

    Args:
        file: the name of the raw file.
        directory: the folder to look in.
        prefix: the beginning of the names to look at.

    Raises:
        UserError: unless exactly one file fits.
    """
    part, content = file.split("-")[:2]
    words = TEST_WORDS if part in TEST_WORDS else (part,)
    pattern = re.compile(rf"({'|'.join(words)})-{content}[-.]idx\d-[a-z]+\d*(\.gz)?$")
    paths = sorted(directory.iterdir()) if directory.is_dir() else []
    candidates = {
        path.name.removesuffix(".gz")
        for path in paths
        if path.name.startswith(prefix) and pattern.search(path.name)
    }
    if len(candidates) != 1:
        raise UserError(
            f"{directory / prefix}: expected one file with {' or '.join(words)}-{content}-idx in its name, "
            f"found {', '.join(sorted(candidates)) or 'none'}; name a folder or how its files begin"
        )
    return candidates.pop()


def _copy(address: str, target: Path) -> None:
    try:
        with target.open("wb") as file:
            for chunk in mirrors.read_chunks(address, ASSUMED_BYTES):
                file.write(chunk)
    except mirrors.MirrorError as error:
        advice = "try again" if error.retryable else "check FROM"
        raise UserError(f"{address}: expected a file, found: {error}; {advice}") from None


def _describe(file: Path) -> dict[str, Any]:
    return {"bytes": file.stat().st_size, "sha256": checksums.sha256(file)}
