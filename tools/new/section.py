"""Sections of params.yaml and tools.yaml for a data set that has just been imported."""

from math import ceil, floor, isfinite
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.checks import parts
from stages.common import layout
from stages.common.errors import UserError
from stages.common.fields import MOST_CLASSES
from stages.scoring.background import find_background
from stages.sources import idx
from tools.new import advice, defaults
from tools.new.importer import Imported

MOST_LISTED_CLASSES = 100  # in a list of names that are only numbers; for more, `classes` is their number
# A fifth of few images, since a tenth would be too few to measure anything; of many images, a tenth.
SHARE_OF_FEW, MOST_OF_FEW, SHARE_OF_MANY, MOST_OF_MANY = 0.2, 200, 0.1, 5000
UINT8_MAX = 255
RESIZING_ERROR = 1e-3  # by which floating-point pixels exceed their range after an image is resized


def build_section(imported: Imported, folder: Path) -> dict[str, Any]:
    """Return the section of a data set in params.yaml, with hyperparameters chosen by rule.

    Args:
        imported: the source and the files.
        folder: the folder of the IDX files.

    Raises:
        UserError: if the images or the labels are not of a kind that the stages take.
    """
    largest_pixel = UINT8_MAX if imported.source["kind"] == "pictures" else _find_largest_pixel(folder)
    training = parts.decode(folder / layout.TRAIN_IMAGES, folder / layout.TRAIN_LABELS, largest_pixel)
    classes = _name_classes(imported.source, training.labels)
    advice.expect_no_gaps(training.labels, imported.names.get(layout.TRAIN_LABELS, layout.TRAIN_LABELS))
    validation_images = count_validation_images(folder, count_classes(classes))
    held_out = 0 if (folder / layout.VALIDATION_LABELS).exists() else validation_images
    choice = defaults.choose(len(training.labels) - held_out, training.images.shape[1:])
    return {
        "source": imported.source,
        "files": imported.files,
        "classes": classes,
        "largest_pixel": largest_pixel,
        "validation_images": validation_images,
        "seed": 0,
        "computation": "portable",
        "network": choice.network.model_dump(),
        "training": choice.training.model_dump(exclude_none=True),
    }


def count_validation_images(folder: Path, classes: int) -> int:
    """Return how many validation images there are, or how many training images to hold out.

    Args:
        folder: the folder of the IDX files.
        classes: the number of classes, each of which shall have a validation image.
    """
    if (folder / layout.VALIDATION_LABELS).exists():
        return len(idx.read(folder / layout.VALIDATION_LABELS))
    images = len(idx.read(folder / layout.TRAIN_LABELS))
    few = min(int(SHARE_OF_FEW * images), MOST_OF_FEW)
    return max(classes, few, min(int(SHARE_OF_MANY * images), MOST_OF_MANY))


def build_about(folder: Path, largest_pixel: int) -> dict[str, Any]:
    """Return the content of `about` in tools.yaml: the background of the images, and empty values.

    Args:
        folder: the folder of the IDX files.
        largest_pixel: the largest value that a pixel may have.
    """
    parts = [images for images, _ in layout.PARTS.values() if (folder / images).exists()]
    backgrounds = {find_background(idx.read(folder / images), largest_pixel) for images in parts}
    return {
        "title": None,
        "licence": None,
        "source": None,
        "limits": [],
        "background": backgrounds.pop() if len(backgrounds) == 1 else None,
    }


def _name_classes(source: dict[str, Any], labels: NDArray[Any]) -> list[str] | int:
    """Return the names of the classes, or the number of classes if they are many and start with 0."""
    if source["kind"] == "pictures":
        return list(source["classes"])
    first, last = min(1, int(labels.min())), int(labels.max())
    if last > MOST_CLASSES:
        raise UserError(f"{layout.TRAIN_LABELS}: expected labels up to {MOST_CLASSES:,}, found {last:,}")
    if first == 0 and last >= MOST_LISTED_CLASSES:
        return last + 1
    return [str(label) for label in range(first, last + 1)]


def _find_largest_pixel(folder: Path) -> int:
    names = [images for images, _ in layout.PARTS.values() if (folder / images).exists()]
    parts = [idx.read(folder / name) for name in names]
    largest = max(float(images.max(initial=0)) for images in parts)
    if not isfinite(largest):
        raise UserError(f"{layout.TRAIN_IMAGES}: expected pixels that are numbers, found {largest}")
    whole = floor(largest)
    if largest > 1 and 0 < largest - whole < RESIZING_ERROR:
        raise UserError(
            f"{layout.TRAIN_IMAGES}: expected pixels up to a whole number, found {largest}; "
            f"clip them to {whole}"
        )
    are_bytes = all(images.dtype == np.uint8 for images in parts)
    return UINT8_MAX if are_bytes and largest > UINT8_MAX // 2 else max(1, ceil(largest))


def summarize(section: dict[str, Any], folder: Path) -> str:
    """Return a summary of a section of params.yaml in a few words.

    Args:
        section: the content.
        folder: the folder of the IDX files.
    """
    images = idx.read(folder / layout.TRAIN_IMAGES)
    tests = len(idx.read(folder / layout.TEST_LABELS))
    validation = section["validation_images"]
    held_out = 0 if (folder / layout.VALIDATION_LABELS).exists() else validation
    size = " x ".join(map(str, [*images.shape[1:3], *(images.shape[3:] or [1])]))
    return (
        f"{count_classes(section['classes'])} classes, images of {size} (height x width x channels): "
        f"{len(images) - held_out:,} for training, {validation:,} for validation, {tests:,} for the test"
    )


def count_classes(classes: list[str] | int) -> int:
    """Return the number of classes, which params.yaml has as names or as a number."""
    return classes if isinstance(classes, int) else len(classes)
