"""Check the raw files of a data set and write its three splits as arrays."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from stages import arrays, checksums, idx, layout, parameters
from stages.arrays import Split
from stages.errors import UserError
from stages.parameters import Dataset
from stages.streams import seed_of

Rows = NDArray[np.int64]


def decode(images_file: Path, labels_file: Path, classes: int, largest_pixel: int) -> Split:
    """Read the images and labels of one part of a data set and check that they can be right.

    Raises:
        UserError: unless there are as many labels as images, of which every pixel is at most
            `largest_pixel` and every label less than `classes`, and every class occurs.
    """
    images, labels = idx.read(images_file), idx.read(labels_file)
    _expect_bytes(images_file, images, dimensions=3)
    _expect_bytes(labels_file, labels, dimensions=1)
    if len(images) != len(labels):
        raise UserError(f"{labels_file}: expected {len(images)} labels, one an image, found {len(labels)}")
    if images.size == 0:
        raise UserError(f"{images_file}: expected images with pixels, found shape {images.shape}")
    if images.max() > largest_pixel:
        raise UserError(
            f"{images_file}: expected pixels up to {largest_pixel} (largest_pixel in params.yaml), "
            f"found {images.max()}"
        )
    found = set(np.unique(labels).tolist())
    if found != set(range(classes)):
        raise UserError(
            f"{labels_file}: expected every label from 0 to {classes - 1} (classes in params.yaml), "
            f"found {sorted(found)}"
        )
    return Split(images, labels)


def hold_out(labels: NDArray[np.uint8], validation_images: int, seed: int) -> tuple[Rows, Rows]:
    """Divide a split into one for training and a stratified one for validation.

    Args:
        labels: shape (n,), the class of each image.
        validation_images: how many to hold out.
        seed: decides which.

    Returns:
        The rows of each, in ascending order.

    Raises:
        UserError: if either would be without a class.
    """
    classes, images = int(labels.max()) + 1, len(labels)
    if min(np.bincount(labels)) < 2:  # noqa: PLR2004 - one for each part
        raise UserError("the labels: expected at least two training images of each class, found fewer")
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
    for name, part in (("training", training), ("validation", validation)):
        if len(np.unique(labels[part])) < classes:
            raise UserError(
                f"params.yaml: validation_images: expected a number that leaves every class in both parts, "
                f"found {validation_images}, which leaves one out of {name}"
            )
    return np.sort(training), np.sort(validation)


def splits(dataset: Dataset, raw: Path) -> dict[str, tuple[Split, Rows]]:
    """For `train`, `validation` and `test`: what they are taken from, and which rows of it."""
    classes = len(dataset.classes)
    given = decode(raw / layout.TRAIN_IMAGES, raw / layout.TRAIN_LABELS, classes, dataset.largest_pixel)
    test = decode(raw / layout.TEST_IMAGES, raw / layout.TEST_LABELS, classes, dataset.largest_pixel)
    if given.images.shape[1:] != test.images.shape[1:]:
        raise UserError(
            f"{raw / layout.TEST_IMAGES}: expected images of {given.images.shape[1:]} pixels like the "
            f"training images, found {test.images.shape[1:]}"
        )
    training, validation = hold_out(given.labels, dataset.validation_images, dataset.seed)
    return {
        "train": (given, training),
        "validation": (given, validation),
        "test": (test, np.arange(len(test.labels))),
    }


def _expect_bytes(file: Path, array: NDArray[Any], dimensions: int) -> None:
    if array.dtype != np.uint8 or array.ndim != dimensions:
        raise UserError(
            f"{file}: expected uint8 in {dimensions} dimensions, found {array.dtype.name} in {array.ndim}"
        )


def main(dataset: str) -> None:
    """Read data/raw/DATASET/ and write data/processed/DATASET/."""
    settings, raw = parameters.load().dataset(dataset), layout.raw(dataset)
    for name, expected in settings.files.by_name().items():
        checksums.expect(raw / name, expected.sha256)
    for name, (whole, rows) in splits(settings, raw).items():
        arrays.write(layout.processed(dataset, name), whole, rows)
        print(f"{layout.processed(dataset, name)}: {len(rows):,} images", flush=True)
