"""Arrays of a split on disk: images and labels as two NumPy files, and their checksums."""

import hashlib
from collections.abc import Iterable
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stages.common import checksums, remedies
from stages.common.errors import UserError
from stages.common.files import atomic_folder
from stages.common.shapes import COLOUR_BATCH_NDIM, GREY_BATCH_NDIM

IMAGES = "images.npy"
LABELS = "labels.npy"
CHECKSUMS = "SHA256SUMS"
CHUNK_BYTES = 4 << 20  # of images in memory at once; more is no faster


class Split(NamedTuple):
    """Images and their labels.

    Attributes:
        images: shape (n, height, width) or (n, height, width, channels); uint8, or another of IDX's types.
        labels: shape (n,), the index of each image's class; uint8, or int32 for more than 256 classes.
    """

    images: NDArray[Any]
    labels: NDArray[Any]


def count_rows_per_chunk(images: NDArray[Any]) -> int:
    """Return the number of images, shape (n, ...), in a chunk; at least 1."""
    return max(1, CHUNK_BYTES // max(1, images.itemsize * prod(images.shape[1:])))


def write(folder: Path, split: Split, rows: NDArray[np.int64] | None = None) -> None:
    """Write a split, or some rows of it, replacing the folder as a whole.

    Args:
        folder: the folder to replace.
        split: any arrays of equal length; on disk they are little-endian.
        rows: shape (m,), the rows to write, in this order; None for all.

    Raises:
        UserError: if the disk is full or writing is not permitted.
    """
    rows = np.arange(len(split.labels)) if rows is None else rows
    step = count_rows_per_chunk(split.images)
    size = sum(array.itemsize * len(rows) * prod(array.shape[1:]) for array in split)
    with atomic_folder(folder, size) as new:
        for name, array in ((IMAGES, split.images), (LABELS, split.labels)):
            with (new / name).open("wb") as file:
                shape = (len(rows), *array.shape[1:])
                portable = array.dtype.newbyteorder("<")  # IDX files are big-endian, processors are not
                header = {"descr": portable.str, "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(file, header)
                for start in range(0, len(rows), step):
                    file.write(array[rows[start : start + step]].astype(portable, copy=False).tobytes())
        checksums.write(new / CHECKSUMS, [new / IMAGES, new / LABELS])


def read(folder: Path) -> Split:
    """Check the arrays of a split, and map them into memory; a split may be larger than the memory.

    Raises:
        UserError: if files are missing, have other checksums, or are no split.
    """
    checksums.check(folder / CHECKSUMS, [folder / IMAGES, folder / LABELS])
    remedy = f"run dvc repro {_name_stage(folder)}"
    try:
        images = np.load(folder / IMAGES, mmap_mode="r", allow_pickle=False)
        labels = np.load(folder / LABELS, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # noqa: BLE001 - a header may be anything, and NumPy raise anything
        raise UserError(f"{folder}: expected {IMAGES} and {LABELS}, found: {error}; {remedy}") from None
    for name, array, kinds, dimensions in (
        (IMAGES, images, "iuf", (GREY_BATCH_NDIM, COLOUR_BATCH_NDIM)),
        (LABELS, labels, "iu", (1,)),
    ):
        is_array = isinstance(array, np.ndarray)
        if not is_array or array.dtype.kind not in kinds or array.ndim not in dimensions:
            found = f"{array.dtype.name} of shape {array.shape}" if is_array else "no array"
            raise UserError(f"{folder}: expected images and labels, found {found} in {name}; {remedy}")
    if len(images) != len(labels):
        raise UserError(
            f"{folder}: expected as many labels as images, found {len(labels)} and {len(images)}; {remedy}"
        )
    return Split(images, labels)


def compute_fingerprint(folders: Iterable[Path]) -> str:
    """Return the SHA-256 of the content of splits.

    Raises:
        UserError: if a split is missing.
    """
    digest = hashlib.sha256()
    for folder in folders:
        path = folder / CHECKSUMS
        if not path.exists():
            remedy = remedies.get_or_make(_name_stage(folder))
            raise UserError(f"{path}: expected a file, found none; {remedy}")
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _name_stage(folder: Path) -> str:
    """Return the stage that writes the folder of a split, data/processed/NAME/SPLIT."""
    return f"preprocess@{folder.parent.name}"
