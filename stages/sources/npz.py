"""The arrays of an .npz file, as NumPy saves several in one, as IDX files."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.common import layout
from stages.common.errors import UserError
from stages.sources import idx
from stages.sources.schema import Npz

# Whose arrays are of one type, so that those for testing mean what those for training do.
PAIRS = ((layout.TRAIN_IMAGES, layout.TEST_IMAGES), (layout.TRAIN_LABELS, layout.TEST_LABELS))
COLUMN = (1,)


def shapes(archive: Path) -> dict[str, tuple[int, ...]]:
    """The shape of each array of an .npz file, by its name.

    Raises:
        UserError: if it is none.
    """
    try:
        if not zipfile.is_zipfile(archive):
            raise ValueError("something else")  # noqa: TRY301 - one message for all
        with archive.open("rb") as file, np.load(file, allow_pickle=False) as members:
            arrays = {name: _array(members, name) for name in members}
            return {name: array.shape for name, array in arrays.items() if array is not None}
    except Exception as error:  # noqa: BLE001 - a file may be anything, and zipfile and NumPy raise anything
        raise _unexpected(archive.name, error) from None


def write_files(source: Npz, archive: Path, folder: Path) -> None:
    """Write the four IDX files of an .npz file into a folder.

    Args:
        source: names the array that each file is made of.
        archive: the .npz file.
        folder: to write to.

    Raises:
        UserError: if an array is missing or of a type that IDX has no code for.
    """
    names = source.arrays.by_name()
    there = shapes(archive)
    for name, array in names.items():
        if array not in there:
            raise UserError(
                f"params.yaml: source.arrays.{name}: expected one of {', '.join(there)}, found {array!r}"
            )
    try:
        with archive.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            for pair in PAIRS:
                for name, values in zip(
                    pair, idx.narrowed(*(arrays[names[name]] for name in pair)), strict=True
                ):
                    idx.write(folder / name, _flat(values))
    except ValueError as error:
        raise _unexpected(source.archive.name, error) from None


def _array(members: Any, name: str) -> NDArray[Any] | None:
    """An array, unless it is of objects or none, which an archive may have besides those that are wanted."""
    try:
        array = members[name]
    except ValueError:  # as NumPy refuses to unpickle
        return None
    return array if isinstance(array, np.ndarray) else None


def _flat(values: NDArray[Any]) -> NDArray[Any]:
    """Labels in one dimension, which some have in a column; all else as it is."""
    return values.reshape(-1) if values.shape[1:] == COLUMN else values


def _unexpected(name: str, error: Exception) -> UserError:
    return UserError(f"{name}: expected an .npz file of numbers, found: {error}; make it anew")
