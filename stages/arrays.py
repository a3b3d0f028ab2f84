"""The images and labels of one split, as two NumPy files in one folder."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stages.errors import UserError
from stages.files import whole_folder

IMAGES = "images.npy"
LABELS = "labels.npy"
REMEDY = "run dvc repro preprocess"


class Split(NamedTuple):
    """Images and their classes.

    Attributes:
        images: uint8, shape (n, height, width).
        labels: uint8, shape (n,), the index of each image's class.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]


def write(folder: Path, split: Split) -> None:
    """Write a split, replacing the folder as a whole."""
    with whole_folder(folder) as new:
        np.save(new / IMAGES, split.images, allow_pickle=False)
        np.save(new / LABELS, split.labels, allow_pickle=False)


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
