"""A picture of a data set: some training images of each class, and the numbers of images."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.scoring import gallery
from stages.splits.arrays import Split

COLUMNS = gallery.COLUMNS
# Images of each class by the largest number of classes that gets so many; of more classes, the first are
# drawn.
SAMPLES = {12: COLUMNS, 24: COLUMNS // 2, 48: COLUMNS // 4, 96: 1}


def draw_samples(
    path: Path, splits: Mapping[str, tuple[Split, NDArray[np.int64]]], classes: Sequence[str]
) -> None:
    """Draw the first training images of each class, side by side, as a PNG file of the same bytes everywhere.

    The caption of the first image of a class is its name and the numbers of training, validation and test
    images.

    Args:
        path: the file to write.
        splits: by name, a whole part of the data set, with indices of classes as labels, and the rows in it.
        classes: the names of the classes.
    """
    training, rows = splits["train"]
    labels = training.labels[rows]
    counts = {
        name: np.bincount(part.labels[of_split], minlength=len(classes))
        for name, (part, of_split) in splits.items()
    }
    shown = classes[: max(SAMPLES)]
    per_class = next(samples for most, samples in SAMPLES.items() if len(shown) <= most)
    images: list[NDArray[Any] | None] = []
    captions = []
    for label, name in enumerate(shown):
        of_class = rows[np.flatnonzero(labels == label)[:per_class]]
        numbers = " + ".join(f"{counts[split][label]:,}" for split in splits)
        for position in range(per_class):
            images.append(training.images[of_class[position]] if position < len(of_class) else None)
            captions.append(f"{gallery.shorten(name)}\n{numbers}" if position == 0 else "")
    more = f" The first {len(shown)} of {len(classes):,} classes." if len(shown) < len(classes) else ""
    title = (
        f"Images for training + validation + test of each class, and the first {per_class} of training.{more}"
    )
    gallery.draw_gallery(path, title, images, captions)
