"""Parts of a data set: the images and labels of its raw files, checked."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.common import layout
from stages.common.errors import UserError
from stages.common.shapes import COLOUR_BATCH_NDIM, GREY_BATCH_NDIM
from stages.sources import idx
from stages.splits.arrays import Split
from stages.splits.schema import PreprocessParameters

MOST_LABELS_SHOWN = 12  # in an error


def read_parts(parameters: PreprocessParameters, raw: Path) -> dict[str, Split]:
    """Return the images of each part with the indices of their classes; check that the parts fit together.

    Labels count from 0 or from 1, as the training labels do. Every class has training images.

    Args:
        parameters: the parameters of the data set.
        raw: the folder of its raw files.

    Raises:
        UserError: if a raw file is not what the parameters say, or unlike those of the training images.
    """
    present = parameters.files.items_by_file()
    decoded = {
        part: decode(raw / images, raw / labels, parameters.largest_pixel)
        for part, (images, labels) in layout.PARTS.items()
        if images in present
    }
    training = decoded["train"]
    class_count, labels_file = len(parameters.classes), raw / layout.TRAIN_LABELS
    first = 1 if training.labels.min() > 0 else 0
    if first == 1 and parameters.classes == [str(number) for number in range(class_count)]:
        raise UserError(
            f"{labels_file}: expected labels from 0, since the classes in params.yaml are '0', '1' and so "
            "on, found labels from 1; give the classes other names"
        )
    if len(labels := np.unique(training.labels)) < class_count:
        every = f"every label from 0 to {class_count - 1} or every label from 1 to {class_count}"
        raise _build_error(labels, every, class_count, labels_file)
    for part, split in decoded.items():
        images_file = raw / layout.PARTS[part][0]
        for property_, expected, found in (
            ("shape", training.images.shape[1:], split.images.shape[1:]),
            ("type", training.images.dtype.name, split.images.dtype.name),
        ):
            if expected != found:
                raise UserError(
                    f"{images_file}: expected images of {property_} {expected}, as the training images are, "
                    f"found {found}; convert the images"
                )
    return {
        part: Split(
            split.images, index_classes(split.labels, first, class_count, raw / layout.PARTS[part][1])
        )
        for part, split in decoded.items()
    }


def decode(images_file: Path, labels_file: Path, largest_pixel: int) -> Split:
    """Read the images and labels of one part of a data set and check their shapes, types and values.

    Returns:
        The images, and the labels as they stand in the file.

    Raises:
        UserError: unless images are grey or have three colours, their type can hold `largest_pixel`, every
            pixel is from 0 to `largest_pixel`, and there is one label, a whole number, for each image.
    """
    images, labels = idx.read(images_file), idx.read(labels_file)
    if images.ndim not in (GREY_BATCH_NDIM, COLOUR_BATCH_NDIM) or (
        images.ndim == COLOUR_BATCH_NDIM and images.shape[-1] not in (1, 3)
    ):
        raise UserError(
            f"{images_file}: expected shape (n, height, width), or for colour (n, height, width, 3), "
            f"found {images.shape}; convert the images"
        )
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise UserError(
            f"{labels_file}: expected whole numbers in 1 dimension, "
            f"found {labels.dtype.name} in {labels.ndim}; convert the labels"
        )
    if len(images) != len(labels):
        raise UserError(
            f"{labels_file}: expected {len(images)} labels, one an image, found {len(labels)}; "
            "take images and labels from one source"
        )
    if images.size == 0:
        raise UserError(
            f"{images_file}: expected images with pixels, found shape {images.shape}; take another file"
        )
    if images.dtype.kind != "f" and largest_pixel > np.iinfo(images.dtype).max:
        raise UserError(
            f"params.yaml: largest_pixel: expected at most {np.iinfo(images.dtype).max}, the largest number "
            f"of the type {images.dtype.name} of {images_file}, found {largest_pixel}; lower largest_pixel"
        )
    smallest, largest = images.min(), images.max()
    if not 0 <= smallest <= largest <= largest_pixel:  # false for NaN, so NaN is refused, too
        raise UserError(
            f"{images_file}: expected pixels from 0 to {largest_pixel} (largest_pixel in params.yaml), "
            f"found {smallest} to {largest}; correct largest_pixel or the images"
        )
    return Split(images, labels)


def index_classes(labels: NDArray[Any], first: int, class_count: int, file: Path) -> NDArray[Any]:
    """Return the indices of classes, from 0, for labels that count from `first`.

    Args:
        labels: shape (n,), whole numbers.
        first: the label of the first class.
        class_count: the number of classes.
        file: the file of the labels, for an error.

    Returns:
        Indices, shape (n,), as uint8, or as int32 for more than 256 classes.

    Raises:
        UserError: if a label is no class.
    """
    present = np.unique(labels)
    if present[0] < first or present[-1] >= first + class_count:
        raise _build_error(present, f"labels from {first} to {first + class_count - 1}", class_count, file)
    dtype = np.uint8 if class_count - 1 <= np.iinfo(np.uint8).max else np.int32
    return (labels.astype(np.int64) - first).astype(dtype)


def _build_error(labels: NDArray[Any], expected: str, class_count: int, file: Path) -> UserError:
    texts = [str(label) for label in labels]
    listed = texts if len(texts) <= MOST_LABELS_SHOWN else [*texts[: MOST_LABELS_SHOWN - 2], "...", texts[-1]]
    return UserError(
        f"{file}: expected {expected} ({class_count} classes in params.yaml), found {', '.join(listed)}; "
        "correct the classes or the labels"
    )
