"""The images that come with scikit-learn, `load_digits`, as IDX files."""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from stages.common import layout
from stages.common.errors import UserError
from stages.sources import idx
from stages.sources.schema import ScikitLearn


def write_files(source: ScikitLearn, folder: Path) -> None:
    """Write the four IDX files of the bundled images into a folder.

    The images come without a division into training and test. So `test_images` of them, stratified by class,
    become the test set. The seed of this choice belongs to the source and to its hashes, so that no other
    seed can change the test set. The images are stored as uint8, without loss.

    Raises:
        UserError: if `test_images` images cannot include every class.
    """
    bunch = load_digits()
    images, labels = bunch.images.astype(np.uint8), bunch.target.astype(np.uint8)
    try:
        train, test = train_test_split(
            np.arange(len(labels)), test_size=source.test_images, stratify=labels, random_state=source.seed
        )
    except ValueError as error:
        raise UserError(
            f"params.yaml: source.test_images: expected a part of {len(labels)} images with every class, "
            f"found {source.test_images}: {error}"
        ) from None
    idx.write(folder / layout.TRAIN_IMAGES, images[train])
    idx.write(folder / layout.TRAIN_LABELS, labels[train])
    idx.write(folder / layout.TEST_IMAGES, images[test])
    idx.write(folder / layout.TEST_LABELS, labels[test])
