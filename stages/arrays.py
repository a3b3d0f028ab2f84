"""The images and labels of one split, as two NumPy files in one folder."""

from math import prod
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stages.errors import UserError
from stages.files import whole_folder

IMAGES = "images.npy"
LABELS = "labels.npy"
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
    with whole_folder(folder) as new:
        for name, array in ((IMAGES, split.images), (LABELS, split.labels)):
            with (new / name).open("wb") as file:
                shape = (len(chosen), *array.shape[1:])
                header = {"descr": array.dtype.str, "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(file, header)
                for start in range(0, len(chosen), step):
                    array[chosen[start : start + step]].tofile(file)


def read(folder: Path) -> Split:
    """Map the arrays of a split into memory: nothing is read before it is used.

    Raises:
        UserError: if the files are missing or are not a split.
    """
    try:
        images = np.load(folder / IMAGES, mmap_mode="r", allow_pickle=False)
        labels = np.load(folder / LABELS, mmap_mode="r", allow_pickle=False)
    except (FileNotFoundError, ValueError, EOFError) as error:
        raise UserError(f"{folder}: expected {IMAGES} and {LABELS}, found: {error}; {REMEDY}") from None
    for array, dimensions in ((images, 3), (labels, 1)):
        if not isinstance(array, np.ndarray) or array.dtype != np.uint8 or array.ndim != dimensions:
            raise UserError(f"{folder}: expected uint8 images and labels, found others; {REMEDY}")
    if len(images) != len(labels):
        raise UserError(
            f"{folder}: expected as many labels as images, found {len(labels)} and {len(images)}; {REMEDY}"
        )
    return Split(images, labels)
