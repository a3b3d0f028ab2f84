"""Import of an .npz file: which array is which part, as IDX files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stages.common import layout
from stages.common.errors import UserError
from stages.common.validation import validate
from stages.sources import npz
from stages.sources.npz import Member
from stages.sources.schema import Npz
from tools.new import advice, download

# Words in the names of the arrays of a part; MNIST's name for the test part is t10k.
PART_WORDS = {"train": ("train",), "validation": ("val",), "test": ("test", "t10k")}
IMAGES_NDIMS, LABELS_NDIMS, ROWS_NDIM = (3, 4), (1, 2), 2
EXAMPLE = "np.savez('{archive}', x_train=..., y_train=..., x_test=..., y_test=...)"


def import_archive(origin: str, folder: Path) -> tuple[dict[str, Any], dict[str, str], list[str]]:
    """Write the arrays of an .npz file as IDX files.

    Returns:
        The content of `source` in params.yaml, the name of the array for each raw file, and notes on arrays
        that are left out.

    Raises:
        UserError: if an array is missing, ambiguous, or none that the stages take.
    """
    if "://" in origin:
        mirror, _, name = origin.rpartition("/")
    else:
        mirror, name = str(Path(origin).parent), Path(origin).name
    archive = folder / name
    download.copy(origin, archive)
    members = npz.read_members(archive)
    arrays = {
        file: array
        for part, files in layout.PARTS.items()
        for file in files
        if (array := _find_array(part, file == files[0], name, members)) is not None
    }
    if len(arrays.keys() & set(layout.PARTS["validation"])) == 1:  # images or labels alone are of no use
        arrays = {file: array for file, array in arrays.items() if file not in layout.PARTS["validation"]}
    unused = [array for array in members if array not in arrays.values()]
    source = {
        "kind": "npz",
        "urls": [mirror],
        "archive": {"name": name, **download.describe(archive)},
        "arrays": arrays,
    }
    checked: Npz = validate(Npz, source, "FROM")
    content = npz.read_arrays(checked, archive)
    for images, labels in layout.PARTS.values():
        if images in arrays:
            advice.expect_images(content[images], arrays[images])
            advice.expect_labels(content[labels], arrays[labels])
    npz.write_files(checked, archive, folder)
    return source, arrays, [f"{', '.join(unused)} in {name}: left out"] if unused else []


def _refuse_rows(members: Mapping[str, Member], archive: str) -> None:
    """Raise a UserError if an array has images with their pixels in a row."""
    for name, member in members.items():
        if len(member.shape) == ROWS_NDIM and member.shape[1] > 1:
            raise UserError(
                f"{name} in {archive}: expected images of shape (n, height, width), found {member.shape}, an "
                f"image a row; save {name}.reshape(-1, height, width)"
            )


def _find_array(part: str, are_images: bool, archive: str, members: Mapping[str, Member]) -> str | None:
    """Return the name of the array for a raw file, judged by names and dimensions; None if it may be missing.

    Args:
        part: of the data set.
        are_images: whether the images or the labels are wanted.
        archive: the name of the archive, for an error.
        members: the shape and dtype of each array of the archive, by its name.

    Raises:
        UserError: unless exactly one array fits.
    """
    words, ndims = PART_WORDS[part], IMAGES_NDIMS if are_images else LABELS_NDIMS
    named = {name: member for name, member in members.items() if any(word in name.lower() for word in words)}
    for name, member in named.items():
        if member.dtype is None and part != "validation":
            raise UserError(
                f"{name} in {archive}: expected numbers, found Python objects; {advice.FOR_OBJECTS}"
            )
    candidates = [
        name for name, member in named.items() if len(member.shape) in ndims and member.dtype is not None
    ]
    if part == "validation" and not candidates:
        return None
    if len(candidates) != 1:
        content = "images" if are_images else "labels"
        if are_images and not candidates:
            _refuse_rows(named, archive)
        arrays = ", ".join(f"{name} {member.shape}" for name, member in members.items())
        raise UserError(
            f"{archive}: expected one array of {part} {content}, with {' or '.join(words)} in its name and "
            f"{ndims[0]} or {ndims[1]} dimensions, found {', '.join(candidates) or 'none'} among "
            f"{arrays or 'no arrays'}; name the arrays: {EXAMPLE.format(archive=archive)}"
        )
    return candidates[0]
