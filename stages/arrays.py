"""The images and labels of one split, as two NumPy files in one folder, and their checksums."""

from math import prod
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stages import checksums
from stages.errors import UserError
from stages.files import whole_folder

IMAGES = "images.npy"
LABELS = "labels.npy"
CHECKSUMS = "SHA256SUMS"
REMEDY = "run dvc repro preprocess"
CHUNK_BYTES = 4 << 20  # of images to hold in memory at once: large enough to be fast


class Split(NamedTuple):
    """Images and their classes.

    Attributes:
        images: uint8, shape (n, height, width).
        labels: uint8, shape (n,), the index of each image's class.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]


def rows_at_once(images: NDArray[np.uint8]) -> int:
    """How many images make a chunk, at least one."""
    return max(1, CHUNK_BYTES // max(1, prod(images.shape[1:])))


def write(folder: Path, split: Split, rows: NDArray[np.int64] | None = None) -> None:
    """Write a split, or the given rows of it in their order, replacing the folder as a whole."""
    chosen = np.arange(len(split.labels)) if rows is None else rows
    step = rows_at_once(split.images)
    size = len(chosen) * (1 + prod(split.images.shape[1:]))
    with whole_folder(folder, size) as new:
        for name, array in ((IMAGES, split.images), (LABELS, split.labels)):
            with (new / name).open("wb") as file:
                shape = (len(chosen), *array.shape[1:])
                header = {"descr": array.dtype.str, "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(file, header)
                for start in range(0, len(chosen), step):
                    file.write(array[chosen[start : start + step]].tobytes())
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
    for array, dimensions in ((images, 3), (labels, 1)):
        if not isinstance(array, np.ndarray) or array.dtype != np.uint8 or array.ndim != dimensions:
            raise UserError(f"{folder}: expected uint8 images and labels, found others; {REMEDY}")
    if len(images) != len(labels):
        raise UserError(
            f"{folder}: expected as many labels as images, found {len(labels)} and {len(images)}; {REMEDY}"
        )
    return Split(images, labels)
