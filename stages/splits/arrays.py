"""The images and labels of one split, as two NumPy files in one folder, and their checksums."""

import hashlib
from collections.abc import Iterable
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stages.common import checksums
from stages.common.errors import UserError
from stages.common.files import whole_folder

IMAGES = "images.npy"
LABELS = "labels.npy"
CHECKSUMS = "SHA256SUMS"
REMEDY = "run dvc repro preprocess"
CHUNK_BYTES = 4 << 20  # of images to hold in memory at once: large enough to be fast


class Split(NamedTuple):
    """Images and their classes.

    Attributes:
        images: shape (n, height, width) or (n, height, width, channels); uint8, or another of IDX's types.
        labels: shape (n,), the index of each image's class; uint8, or int32 where there are too many.
    """

    images: NDArray[Any]
    labels: NDArray[Any]


def rows_at_once(images: NDArray[Any]) -> int:
    """How many of some images, shape (n, ...), make a chunk, at least one."""
    return max(1, CHUNK_BYTES // max(1, images.itemsize * prod(images.shape[1:])))


def write(folder: Path, split: Split, rows: NDArray[np.int64] | None = None) -> None:
    """Write a split, or some rows of it, replacing the folder as a whole.

    Args:
        folder: of the two files and their checksums.
        split: any arrays of equal length; on disk they are little-endian.
        rows: shape (m,), which to write, in this order; None for all.

    Raises:
        UserError: if the disk has no room for it or lets nobody write.
    """
    chosen = np.arange(len(split.labels)) if rows is None else rows
    step = rows_at_once(split.images)
    size = sum(array.itemsize * len(chosen) * prod(array.shape[1:]) for array in split)
    with whole_folder(folder, size) as new:
        for name, array in ((IMAGES, split.images), (LABELS, split.labels)):
            with (new / name).open("wb") as file:
                shape = (len(chosen), *array.shape[1:])
                portable = array.dtype.newbyteorder("<")  # as nearly every processor is, and no IDX file
                header = {"descr": portable.str, "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(file, header)
                for start in range(0, len(chosen), step):
                    file.write(array[chosen[start : start + step]].astype(portable, copy=False).tobytes())
        checksums.write(new / CHECKSUMS, [new / IMAGES, new / LABELS])


def read(folder: Path) -> Split:
    """Check the arrays of a split, and map them into memory: a split may be larger than that.

    Raises:
        UserError: if the files are missing, are not those that were written, or are not a split.
    """
    checksums.check(folder / CHECKSUMS, [folder / IMAGES, folder / LABELS])
    try:
        images = np.load(folder / IMAGES, mmap_mode="r", allow_pickle=False)
        labels = np.load(folder / LABELS, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # noqa: BLE001 - a header may be anything, and NumPy raise anything
        raise UserError(f"{folder}: expected {IMAGES} and {LABELS}, found: {error}; {REMEDY}") from None
    for array, kinds, dimensions in ((images, "iuf", (3, 4)), (labels, "iu", (1,))):
        is_array = isinstance(array, np.ndarray)
        if not is_array or array.dtype.kind not in kinds or array.ndim not in dimensions:
            raise UserError(f"{folder}: expected images and labels, found arrays of others; {REMEDY}")
    if len(images) != len(labels):
        raise UserError(
            f"{folder}: expected as many labels as images, found {len(labels)} and {len(images)}; {REMEDY}"
        )
    return Split(images, labels)


def fingerprint(folders: Iterable[Path]) -> str:
    """The SHA-256 of all that some splits are.

    Raises:
        UserError: if one of them is not there.
    """
    found = hashlib.sha256()
    for path in (folder / CHECKSUMS for folder in folders):
        if not path.exists():
            raise UserError(f"{path}: expected a file, found none; {REMEDY}")
        found.update(path.read_bytes())
    return found.hexdigest()
