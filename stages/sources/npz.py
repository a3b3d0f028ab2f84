"""Arrays of an .npz file, NumPy's archive of several arrays, as IDX files."""

import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stages.common import layout
from stages.common.errors import UserError
from stages.sources import idx
from stages.sources.schema import Npz

COLUMN = (1,)
UINT8_MAX = 255


class Member(NamedTuple):
    """An array of an archive: its shape, and its dtype, or None for Python objects, which are not read."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any] | None


def read_members(archive: Path) -> dict[str, Member]:
    """Return the arrays of an .npz file by their names.

    Raises:
        UserError: if the file is no .npz file.
    """
    try:
        if not zipfile.is_zipfile(archive):
            raise ValueError("no ZIP archive")  # noqa: TRY301 - one message for all
        with archive.open("rb") as file, np.load(file, allow_pickle=False) as members:
            arrays = {name: _read_array(members, name) for name in members}
            return {name: array for name, array in arrays.items() if array is not None}
    except Exception as error:  # noqa: BLE001 - a file may be anything, and zipfile and NumPy raise anything
        raise _build_error(archive.name, error) from None


def read_arrays(source: Npz, archive: Path) -> dict[str, NDArray[Any]]:
    """Return the array for each raw file, as it is stored.

    Raises:
        UserError: if an array is missing.
    """
    names = source.arrays.items_by_file()
    available = [name for name, member in read_members(archive).items() if member.dtype is not None]
    for name, array in names.items():
        if array not in available:
            raise UserError(
                f"params.yaml: source.arrays.{name}: expected one of {', '.join(available)}, found {array!r}"
            )
    with archive.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return {name: arrays[array] for name, array in names.items()}


def write_files(source: Npz, archive: Path, folder: Path) -> None:
    """Write the IDX files of an .npz file into a folder.

    All images get one dtype, so that test values mean what training values do, and so do all labels: the
    smallest that holds them. Floating-point images whose pixels are whole numbers, or whole numbers divided
    by 255, are stored as these whole numbers.

    Args:
        source: names the array for each file.
        archive: the .npz file.
        folder: the folder to write to.

    Raises:
        UserError: if an array is missing, or IDX has no code for its dtype.
    """
    arrays = read_arrays(source, archive)
    try:
        for position, convert in enumerate((_to_whole_pixels, _keep)):
            files = [pair[position] for pair in layout.PARTS.values() if pair[position] in arrays]
            values = idx.to_smallest_dtype(*convert([arrays.pop(file) for file in files]))
            for file, array in zip(files, values, strict=True):
                idx.write(folder / file, _flatten_column(array))
    except ValueError as error:
        raise _build_error(source.archive.name, error) from None


def _keep(arrays: list[NDArray[Any]]) -> list[NDArray[Any]]:
    return arrays


def _to_whole_pixels(arrays: list[NDArray[Any]]) -> list[NDArray[Any]]:
    """Return images as whole numbers if their floating-point pixels are that, or that divided by 255."""
    if any(array.dtype.kind != "f" for array in arrays):
        return arrays
    for factor in (1, UINT8_MAX):
        if all(_are_quotients(array, factor) for array in arrays):
            return [np.rint(array * factor).astype(np.int32) for array in arrays]
    return arrays


def _are_quotients(array: NDArray[Any], divisor: int) -> bool:
    """Return whether an array is what whole numbers give, divided by a number and rounded to its dtype."""
    if not np.isfinite(array).all() or float(np.abs(array).max(initial=0)) * divisor > np.iinfo(np.int32).max:
        return False
    if divisor > 1 and array.max(initial=0) > 1:
        return False
    return bool((np.rint(array * divisor) / array.dtype.type(divisor) == array).all())


def _read_array(members: Any, name: str) -> Member | None:
    """Return what an archive says of an array, or None for a member that is no array."""
    try:
        array = members[name]
    except ValueError:  # as NumPy refuses to unpickle
        return Member((), None)
    return Member(array.shape, array.dtype) if isinstance(array, np.ndarray) else None


def _flatten_column(values: NDArray[Any]) -> NDArray[Any]:
    """Turn a column of labels, shape (n, 1), into shape (n,)."""
    return values.reshape(-1) if values.shape[1:] == COLUMN else values


def _build_error(name: str, error: Exception) -> UserError:
    return UserError(f"{name}: expected an .npz file of numbers, found: {error}; make it anew")
