"""Parts of a data set: raw files that are not what they should be are refused, each in one line."""

from pathlib import Path

import numpy as np
import pytest

from stages.checks.parts import decode
from stages.common import layout
from stages.common.errors import UserError
from stages.sources import idx

CLASSES = 4


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A good pair of files: 20 images of 3 x 2 pixels."""
    images, labels = tmp_path / layout.TRAIN_IMAGES, tmp_path / layout.TRAIN_LABELS
    idx.write(images, np.arange(120, dtype=np.uint8).reshape(20, 3, 2))
    idx.write(labels, np.arange(20, dtype=np.uint8) % CLASSES)
    return images, labels


def decode_error(pair: tuple[Path, Path]) -> str:
    with pytest.raises(UserError) as error:
        decode(*pair, largest_pixel=119)
    return str(error.value)


def test_good_files_are_decoded(pair: tuple[Path, Path]) -> None:
    split = decode(*pair, largest_pixel=119)
    assert split.images.tolist() == np.arange(120).reshape(20, 3, 2).tolist()
    assert split.labels.tolist() == [0, 1, 2, 3] * 5


def test_labels_must_be_as_many_as_images(pair: tuple[Path, Path]) -> None:
    idx.write(pair[1], np.arange(19, dtype=np.uint8) % CLASSES)
    assert decode_error(pair).startswith(f"{pair[1]}: expected 20 labels, one an image, found 19; ")


def test_pixels_must_not_exceed_the_largest(pair: tuple[Path, Path]) -> None:
    idx.write(pair[0], np.full((20, 3, 2), 120, np.uint8))
    expected = "expected pixels from 0 to 119 (largest_pixel in params.yaml), found 120 to 120; "
    assert expected in decode_error(pair)


@pytest.mark.parametrize("pixel", [-1, float("nan"), float("inf")])
def test_pixels_must_be_numbers_from_0(pair: tuple[Path, Path], pixel: float) -> None:
    idx.write(pair[0], np.full((20, 3, 2), pixel, np.float32))
    assert "expected pixels from 0 to 119" in decode_error(pair)


def test_images_and_labels_must_not_be_exchanged(pair: tuple[Path, Path]) -> None:
    images, labels = pair
    assert decode_error((labels, images)).startswith(f"{labels}: expected shape (n, height, width)")


def test_images_have_one_channel_or_three(pair: tuple[Path, Path]) -> None:
    idx.write(pair[0], np.zeros((20, 3, 2, 4), np.uint8))
    assert "found (20, 3, 2, 4); " in decode_error(pair)


def test_labels_must_be_whole_numbers(pair: tuple[Path, Path]) -> None:
    idx.write(pair[1], np.zeros(20, np.float32))
    assert "expected whole numbers in 1 dimension, found float32 in 1; " in decode_error(pair)


@pytest.mark.parametrize("shape", [(0, 3, 2), (20, 0, 2)])
def test_images_must_have_pixels(pair: tuple[Path, Path], shape: tuple[int, ...]) -> None:
    idx.write(pair[0], np.zeros(shape, np.uint8))
    idx.write(pair[1], np.zeros(shape[0], np.uint8))
    assert f"expected images with pixels, found shape {shape}; " in decode_error(pair)
