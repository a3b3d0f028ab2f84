"""Check the raw files of a data set and write its three splits as arrays."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from stages import parameters
from stages.common import checksums, layout
from stages.common.errors import UserError
from stages.common.seeds import seed_of
from stages.parameters import Dataset
from stages.sources import idx
from stages.splits import arrays
from stages.splits.arrays import Split

Rows = NDArray[np.int64]
GREY, COLOUR = 3, 4  # dimensions
UINT8 = 256  # numbers that uint8 has
SHOWN = 12  # labels in an error


def decode(images_file: Path, labels_file: Path, largest_pixel: int) -> Split:
    """Read the images and labels of one part of a data set and check that they can be right.

    Returns:
        The images, and their labels as the file has them.

    Raises:
        UserError: unless the images are grey or have three colours, every pixel is from 0 to
            `largest_pixel`, which their type can have, and there is a label, a whole number, for each.
    """
    images, labels = idx.read(images_file), idx.read(labels_file)
    if images.ndim not in (GREY, COLOUR) or (images.ndim == COLOUR and images.shape[-1] not in (1, 3)):
        raise UserError(
            f"{images_file}: expected shape (n, height, width), or for colour (n, height, width, 3), "
            f"found {images.shape}"
        )
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise UserError(
            f"{labels_file}: expected whole numbers in 1 dimension, "
            f"found {labels.dtype.name} in {labels.ndim}"
        )
    if len(images) != len(labels):
        raise UserError(f"{labels_file}: expected {len(images)} labels, one an image, found {len(labels)}")
    if images.size == 0:
        raise UserError(f"{images_file}: expected images with pixels, found shape {images.shape}")
    if images.dtype.kind != "f" and largest_pixel > np.iinfo(images.dtype).max:
        raise UserError(
            f"params.yaml: largest_pixel: expected at most {np.iinfo(images.dtype).max}, the largest number "
            f"of the type {images.dtype.name} of {images_file}, found {largest_pixel}"
        )
    smallest, largest = images.min(), images.max()
    if not 0 <= smallest <= largest <= largest_pixel:  # which no NaN is
        raise UserError(
            f"{images_file}: expected pixels from 0 to {largest_pixel} (largest_pixel in params.yaml), "
            f"found {smallest} to {largest}"
        )
    return Split(images, labels)


def class_indices(labels: NDArray[Any], first: int, classes: int, file: Path) -> NDArray[Any]:
    """The classes of labels that count from `first`.

    Args:
        labels: shape (n,), whole numbers.
        first: the label of the first class.
        classes: how many there are.
        file: where the labels are from, for an error.

    Returns:
        Their indices from 0, shape (n,), as uint8 or, of more than 256 classes, as int32.

    Raises:
        UserError: naming the file, if a label is no class.
    """
    found = np.unique(labels)
    if found[0] < first or found[-1] >= first + classes:
        raise _wrong_labels(found, f"labels from {first} to {first + classes - 1}", classes, file)
    return (labels.astype(np.int64) - first).astype(np.uint8 if classes <= UINT8 else np.int32)


def _wrong_labels(found: NDArray[Any], expected: str, classes: int, file: Path) -> UserError:
    texts = [str(label) for label in found]
    shown = texts if len(texts) <= SHOWN else [*texts[: SHOWN - 2], "...", texts[-1]]
    return UserError(
        f"{file}: expected {expected} ({classes} classes in params.yaml), found {', '.join(shown)}"
    )


def hold_out(labels: NDArray[Any], validation_images: int, seed: int) -> tuple[Rows, Rows]:
    """Divide a split into one for training and a stratified one for validation.

    Args:
        labels: shape (n,), the class of each image.
        validation_images: how many to hold out.
        seed: decides which.

    Returns:
        The rows of each, in ascending order.

    Raises:
        UserError: if a class would have no training images; for validation a rare one may be without.
        ValueError: if a class has one image, which cannot be divided.
    """
    classes, images = int(labels.max()) + 1, len(labels)
    if not classes <= validation_images <= images - classes:
        raise UserError(
            f"params.yaml: validation_images: expected from {classes} (one a class) to {images - classes}, "
            f"found {validation_images}"
        )
    training, validation = train_test_split(
        np.arange(images),
        test_size=validation_images,
        stratify=labels,
        random_state=seed_of("split", seed),
    )
    if len(np.unique(labels[training])) < classes:
        raise UserError(
            f"params.yaml: validation_images: expected a number that leaves every class in training, "
            f"found {validation_images}"
        )
    return np.sort(training), np.sort(validation)


def splits(dataset: Dataset, raw: Path) -> dict[str, tuple[Split, Rows]]:
    """For `train`, `validation` and `test`: what they are taken from, and which rows of it.

    Labels count from 0 or from 1, as those for training do. Every class has training images; there may be
    some without test images.
    """
    given = decode(raw / layout.TRAIN_IMAGES, raw / layout.TRAIN_LABELS, dataset.largest_pixel)
    test = decode(raw / layout.TEST_IMAGES, raw / layout.TEST_LABELS, dataset.largest_pixel)
    classes, labels_file = len(dataset.classes), raw / layout.TRAIN_LABELS
    first = 1 if given.labels.min() > 0 else 0
    if first == 1 and dataset.classes == [str(number) for number in range(classes)]:
        raise UserError(
            f"{labels_file}: expected labels from 0, as the classes in params.yaml are called, found labels "
            "from 1; write names there"
        )
    if len(found := np.unique(given.labels)) < classes:
        every = f"every label from 0 to {classes - 1} or every one from 1 to {classes}"
        raise _wrong_labels(found, every, classes, labels_file)
    given = Split(given.images, class_indices(given.labels, first, classes, labels_file))
    test = Split(test.images, class_indices(test.labels, first, classes, raw / layout.TEST_LABELS))
    shapes, types = zip(
        *((part.images.shape[1:], part.images.dtype.name) for part in (given, test)), strict=True
    )
    for what, (expected, other) in (("shape", shapes), ("type", types)):
        if expected != other:
            raise UserError(
                f"{raw / layout.TEST_IMAGES}: expected images of {what} {expected}, as the training images "
                f"are, found {other}"
            )
    rare = np.flatnonzero(np.bincount(given.labels) < 2)[:SHOWN]  # noqa: PLR2004 - one for each part
    if rare.size:
        raise UserError(
            f"{labels_file}: expected at least two training images of each class, found one of "
            f"{', '.join(dataset.classes[label] for label in rare)}"
        )
    training, validation = hold_out(given.labels, dataset.validation_images, dataset.seed)
    return {
        "train": (given, training),
        "validation": (given, validation),
        "test": (test, np.arange(len(test.labels))),
    }


def main(dataset: str) -> None:
    """Read data/raw/DATASET/ and write data/processed/DATASET/."""
    settings, raw = parameters.load().dataset(dataset), layout.raw(dataset)
    for name, expected in settings.files.by_name().items():
        checksums.expect(raw / name, expected.sha256)
    for name, (whole, rows) in splits(settings, raw).items():
        arrays.write(layout.processed(dataset, name), whole, rows)
        print(f"{layout.processed(dataset, name)}: {len(rows):,} images", flush=True)
