"""Advice on arrays that the stages would refuse: what they seem to be, and how to save them instead."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.common.errors import UserError
from stages.common.fields import MOST_CLASSES
from stages.common.shapes import COLOUR_BATCH_NDIM, GREY_BATCH_NDIM

CHANNELS = (1, 3)
MOST_SHOWN = 8
FOR_OBJECTS = "save an array of numbers; for names, np.unique(names, return_inverse=True)[1]"


def expect_images(images: NDArray[Any], name: str) -> None:
    """Raise a UserError if images have an axis of colours in another place, or negative pixels.

    Args:
        images: as they are stored.
        name: by which a person knows the array.
    """
    if images.dtype.kind not in "biuf":
        raise UserError(f"{name}: expected pixels that are numbers, found {images.dtype}; {FOR_OBJECTS}")
    if images.size == 0:
        raise UserError(f"{name}: expected images with pixels, found shape {images.shape}; take another file")
    channels_first = (
        images.ndim == COLOUR_BATCH_NDIM and images.shape[1] in CHANNELS and images.shape[-1] not in CHANNELS
    )
    if channels_first:
        raise UserError(
            f"{name}: expected shape (n, height, width, channels), found {images.shape}, with the channels "
            f"first; save {name}.transpose(0, 2, 3, 1)"
        )
    if images.ndim not in (GREY_BATCH_NDIM, COLOUR_BATCH_NDIM):
        return  # preprocess says what it expects
    smallest, largest = images.min(), images.max()
    if smallest < 0:
        symmetric = (
            f"({name} + 1) / 2"
            if smallest >= -1 and largest <= 1
            else f"{name} - smallest, the smallest pixel of all"
        )
        raise UserError(
            f"{name}: expected pixels from 0, found {smallest} to {largest}; save {symmetric}, training and "
            "test images alike"
        )


def expect_labels(labels: NDArray[Any], name: str) -> None:
    """Raise a UserError unless labels are whole numbers in one dimension, one for each image.

    Args:
        labels: as they are stored.
        name: by which a person knows the array.
    """
    if labels.dtype.kind in "USO":
        raise UserError(
            f"{name}: expected whole numbers, found {'text' if labels.dtype.kind in 'US' else 'objects'}; "
            f"save np.unique({name}, return_inverse=True)[1], and put the names into classes in params.yaml"
        )
    if labels.ndim == 2 and min(labels.shape) > 1:  # noqa: PLR2004 - a table
        raise UserError(
            f"{name}: expected one whole number for each image, found a table of shape {labels.shape}, as of "
            f"one-hot labels; save {name}.argmax(axis=1)"
        )
    if labels.dtype.kind == "f":
        if fractions := labels[labels != np.rint(labels)].tolist():
            raise UserError(
                f"{name}: expected whole numbers, found fractions such as {fractions[0]}; save "
                f"np.unique({name}, return_inverse=True)[1]"
            )
        raise UserError(f"{name}: expected whole numbers, found {labels.dtype.name}; save {name}.astype(int)")


def expect_no_gaps(labels: NDArray[Any], name: str) -> None:
    """Raise a UserError if training labels leave out numbers between the smallest and the largest.

    Args:
        labels: shape (n,), whole numbers.
        name: by which a person knows the array.
    """
    present = np.unique(labels)
    first, last = min(1, int(present[0])), int(present[-1])
    if first >= 0 and last <= MOST_CLASSES and 1 < len(present) < last - first + 1:
        shown = ", ".join(map(str, present[:MOST_SHOWN])) + (", ..." if len(present) > MOST_SHOWN else "")
        raise UserError(
            f"{name}: expected training labels without gaps, 0 to {len(present) - 1} for {len(present)} "
            f"classes, found {shown}; save np.searchsorted(np.unique({name}), {name}), and the test labels "
            "by the same numbers"
        )
