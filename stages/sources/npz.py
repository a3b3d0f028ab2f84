"""Arrays of an .npz file, NumPy's archive of several arrays, as IDX files."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.common import layout
from stages.common.errors import UserError
from stages.sources import idx
from stages.sources.schema import Npz

# Both files of a pair get one dtype, so that test values mean what training values do.
PAIRS = ((layout.TRAIN_IMAGES, layout.TEST_IMAGES), (layout.TRAIN_LABELS, layout.TEST_LABELS))
COLUMN = (1,)


def read_shapes(archive: Path) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the arrays of an .npz file by their names.

    Raises:
        UserError: if the file is no .npz file.
    """
    try:
        if not zipfile.is_zipfile(archive):
            raise ValueError("no ZIP archive")  # noqa: TRY301 - one message for all
        with archive.open("rb") as file, np.load(file, allow_pickle=False) as members:
            arrays = {name: _read_array(members, name) for name in members}
            return {name: array.shape for name, array in arrays.items() if array is not None}
    except Exception as error:  # noqa: BLE001 - a file may be anything, and zipfile and NumPy raise anything
        raise _build_error(archive.name, error) from None


def write_files(source: Npz, archive: Path, folder: Path) -> None:
    """Write the four IDX files of an .npz file into a folder.

    Args:
        source: names the array for each file.
        archive: the .npz file.
        folder: the folder to write to.

    Raises:
        UserError: if an array is missing, or IDX has no code for its dtype.
    """
    names = source.arrays.items_by_file()
    available = read_shapes(archive)
    for name, array in names.items():
        if array not in available:
            raise UserError(
                f"params.yaml: source.arrays.{name}: expected one of {', '.join(available)}, found {array!r}"
            )
    try:
        with archive.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            for pair in PAIRS:
                for name, values in zip(
                    pair, idx.to_smallest_dtype(*(arrays[names[name]] for name in pair)), strict=True
                ):
                    idx.write(folder / name, _flatten_column(values))
    except ValueError as error:
        raise _build_error(source.archive.name, error) from None


def _read_array(members: Any, name: str) -> NDArray[Any] | None:
    """Return an array of an archive, or None for objects and for members that are no arrays."""
    try:
        array = members[name]
    except ValueError:  # as NumPy refuses to unpickle
        return None
    return array if isinstance(array, np.ndarray) else None


def _flatten_column(values: NDArray[Any]) -> NDArray[Any]:
    """Turn a column of labels, shape (n, 1), into shape (n,)."""
    return values.reshape(-1) if values.shape[1:] == COLUMN else values


def _build_error(name: str, error: Exception) -> UserError:
    return UserError(f"{name}: expected an .npz file of numbers, found: {error}; make it anew")
