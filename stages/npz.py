"""The arrays of an .npz file, as NumPy saves several in one, as IDX files."""

import zipfile
from pathlib import Path

import numpy as np

from stages import idx
from stages.errors import UserError
from stages.sources import Npz

LABELS = "labels"
# What reading something else raises, and writing what IDX has no type for.
ERRORS = (ValueError, OSError, EOFError, TypeError, zipfile.BadZipFile)


def shapes(archive: Path) -> dict[str, tuple[int, ...]]:
    """The shape of each array of an .npz file, by its name.

    Raises:
        UserError: if it is none.
    """
    try:
        if not zipfile.is_zipfile(archive):
            raise ValueError("something else")
        with np.load(archive, allow_pickle=False) as arrays:
            return {name: arrays[name].shape for name in arrays}
    except ERRORS as error:
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
    try:
        with np.load(archive, allow_pickle=False) as arrays:
            for name, array in source.arrays.by_name().items():
                if array not in arrays:
                    raise UserError(
                        f"params.yaml: source.arrays.{name}: expected one of {', '.join(arrays)}, "
                        f"found {array!r}"
                    )
                values = idx.narrowed(arrays[array])
                # Some have a column of labels, one of them in each row.
                idx.write(folder / name, values.reshape(-1) if LABELS in name else values)
    except ERRORS as error:
        raise _unexpected(source.archive.name, error) from None


def _unexpected(name: str, error: Exception) -> UserError:
    return UserError(f"{name}: expected an .npz file of numbers, found: {error}; make it anew")
