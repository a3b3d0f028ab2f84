"""A data set that scikit-learn brings along, as IDX files."""

from pathlib import Path

import numpy as np
import sklearn.datasets
from sklearn.model_selection import train_test_split

from stages.common import layout
from stages.common.errors import UserError
from stages.sources import idx
from stages.sources.schema import ScikitLearn


def write_files(source: ScikitLearn, folder: Path) -> None:
    """Write the four IDX files of a bundled data set into a folder.

    Such a set comes without a division into training and test: `test_images` of it, stratified by
    class, become the test set. The seed of this choice belongs to the source and to its hashes, so
    that no other seed can change the test set. The images are stored as uint8, without loss.

    Raises:
        UserError: if scikit-learn has no such loader or it does not load images.
    """
    try:
        bunch = getattr(sklearn.datasets, source.loader)()
        images, labels = bunch.images.astype(np.uint8), bunch.target.astype(np.uint8)
    except (AttributeError, TypeError, ImportError):
        raise UserError(
            f"params.yaml: source.loader: expected a function of sklearn.datasets that loads images, "
            f"found {source.loader!r}"
        ) from None
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
