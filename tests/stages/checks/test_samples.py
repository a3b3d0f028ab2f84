"""The picture of a data set: some images of each class, in order, whatever the number of classes."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stages.checks import samples
from stages.splits.arrays import Split


@pytest.mark.parametrize(("classes", "rows"), [(2, 2), (13, 7), (30, 8), (60, 8), (300, 12)])
def test_any_number_of_classes_fits(tmp_path: Path, classes: int, rows: int) -> None:
    labels = np.arange(classes).repeat(3)
    images = np.full((len(labels), 6, 6), 50, np.uint8)
    part = Split(images, labels)
    splits = {name: (part, np.arange(len(labels))) for name in ("train", "validation", "test")}
    names = [f"Soft-coated_wheaten_terrier_{number}" for number in range(classes)]
    samples.draw_samples(tmp_path / "samples.png", splits, names)
    with Image.open(tmp_path / "samples.png") as picture:
        assert picture.width == 1200
        assert rows * 145 < picture.height < rows * 215 + 60
