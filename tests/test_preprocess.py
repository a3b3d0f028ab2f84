"""Preprocessing: wrong raw files are refused, and the splits are what they are said to be."""

from pathlib import Path

import numpy as np
import pytest

from stages import arrays, checksums, idx, layout
from stages.arrays import Split
from stages.errors import UserError
from stages.preprocess import decode, hold_out

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
        decode(*pair, classes=CLASSES, largest_pixel=119)
    return str(error.value)


def test_good_files_are_decoded(pair: tuple[Path, Path]) -> None:
    split = decode(*pair, classes=CLASSES, largest_pixel=119)
    assert split.images.tolist() == np.arange(120).reshape(20, 3, 2).tolist()
    assert split.labels.tolist() == [0, 1, 2, 3] * 5


def test_labels_must_be_as_many_as_images(pair: tuple[Path, Path]) -> None:
    idx.write(pair[1], np.arange(19, dtype=np.uint8) % CLASSES)
    assert decode_error(pair) == f"{pair[1]}: expected 20 labels, one an image, found 19"


def test_labels_must_be_classes(pair: tuple[Path, Path]) -> None:
    idx.write(pair[1], np.arange(20, dtype=np.uint8) % 5)
    assert decode_error(pair).endswith(
        "expected every label from 0 to 3 (classes in params.yaml), found [0, 1, 2, 3, 4]"
    )


def test_every_class_must_occur(pair: tuple[Path, Path]) -> None:
    idx.write(pair[1], np.arange(20, dtype=np.uint8) % 3)
    assert decode_error(pair).endswith("found [0, 1, 2]")


def test_pixels_must_not_exceed_the_largest(pair: tuple[Path, Path]) -> None:
    idx.write(pair[0], np.full((20, 3, 2), 120, np.uint8))
    assert decode_error(pair).endswith("expected pixels up to 119 (largest_pixel in params.yaml), found 120")


def test_images_and_labels_must_not_be_exchanged(pair: tuple[Path, Path]) -> None:
    images, labels = pair
    assert decode_error((labels, images)) == f"{labels}: expected uint8 in 3 dimensions, found uint8 in 1"


def test_images_must_be_bytes(pair: tuple[Path, Path]) -> None:
    idx.write(pair[0], np.zeros((20, 3, 2), ">f4"))
    assert decode_error(pair).endswith("expected uint8 in 3 dimensions, found float32 in 3")


@pytest.mark.parametrize("shape", [(0, 3, 2), (20, 0, 2)])
def test_images_must_have_pixels(pair: tuple[Path, Path], shape: tuple[int, ...]) -> None:
    idx.write(pair[0], np.zeros(shape, np.uint8))
    idx.write(pair[1], np.zeros(shape[0], np.uint8))
    assert decode_error(pair).endswith(f"expected images with pixels, found shape {shape}")


def whole(images_of_class: list[int]) -> Split:
    """Shuffled labels, and images whose pixels tell which they are."""
    labels = np.repeat(np.arange(len(images_of_class), dtype=np.uint8), images_of_class)
    np.random.default_rng(0).shuffle(labels)
    numbers = np.arange(len(labels), dtype=">u2").view(np.uint8).reshape(-1, 2, 1)
    return Split(numbers, labels)


def test_every_image_is_in_exactly_one_split_in_its_order() -> None:
    training, validation = hold_out(whole([100, 200, 300]).labels, validation_images=60, seed=0)
    assert sorted([*training, *validation]) == list(range(600))
    assert sorted(training) == training.tolist()
    assert sorted(validation) == validation.tolist()


def test_the_validation_split_has_the_asked_size_and_every_class_in_proportion() -> None:
    labels = whole([100, 200, 300]).labels
    _, validation = hold_out(labels, validation_images=60, seed=0)
    assert np.bincount(labels[validation]).tolist() == [10, 20, 30]


def test_the_seed_alone_decides_the_split() -> None:
    labels = whole([100, 200, 300]).labels
    first, again, other = (hold_out(labels, 60, seed)[1].tolist() for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_the_rows_of_a_split_are_written_with_their_labels_chunk_by_chunk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrays, "CHUNK_BYTES", 14)  # seven images of two pixels
    given, rows = whole([100, 200, 300]), np.array([3, 599, 0, *range(100, 150)])
    arrays.write(tmp_path / "split", given, rows)
    np.save(tmp_path / "images.npy", given.images[rows])
    assert (tmp_path / "split" / arrays.IMAGES).read_bytes() == (tmp_path / "images.npy").read_bytes()
    assert arrays.read(tmp_path / "split").labels.tolist() == given.labels[rows].tolist()


@pytest.mark.parametrize("size", [2, 598, 600, 5000])
def test_a_validation_split_of_impossible_size_is_refused(size: int) -> None:
    with pytest.raises(UserError) as error:
        hold_out(whole([100, 200, 300]).labels, size, seed=0)
    assert str(error.value) == (
        f"params.yaml: validation_images: expected from 3 (one a class) to 597, found {size}"
    )


@pytest.mark.parametrize(("size", "part"), [(590, "training"), (20, "validation")])
def test_a_class_must_not_vanish_from_a_split(size: int, part: str) -> None:
    with pytest.raises(UserError, match=f"found {size}, which leaves one out of {part}"):
        hold_out(whole([300, 298, 2]).labels, size, seed=0)


def test_a_class_of_one_image_cannot_be_divided() -> None:
    with pytest.raises(UserError, match="expected at least two training images of each class"):
        hold_out(whole([100, 100, 1]).labels, 20, seed=0)


def test_a_written_split_is_mapped_into_memory(tmp_path: Path) -> None:
    split = whole([3, 3])
    arrays.write(tmp_path / "split", split)
    again = arrays.read(tmp_path / "split")
    assert isinstance(again.images, np.memmap)
    assert again.images.dtype == np.uint8
    assert np.array_equal(again.images, split.images)
    assert np.array_equal(again.labels, split.labels)


@pytest.mark.parametrize(
    "labels",
    [np.zeros(5, np.uint8), np.zeros(6), np.zeros((6, 1), np.uint8), np.array([print] * 6)],
    ids=["fewer", "float64", "2 d", "a pickle"],
)
def test_arrays_that_are_no_split_are_refused(tmp_path: Path, labels: np.ndarray) -> None:
    arrays.write(tmp_path / "split", whole([3, 3]))
    np.save(tmp_path / "split" / arrays.LABELS, labels)
    sign(tmp_path / "split")
    with pytest.raises(UserError, match=r"expected .* found.*; run dvc repro preprocess"):
        arrays.read(tmp_path / "split")


def sign(folder: Path) -> None:
    """Write the checksums of whatever is in the folder."""
    checksums.write(folder / arrays.CHECKSUMS, [folder / arrays.IMAGES, folder / arrays.LABELS])


@pytest.mark.parametrize("missing", [arrays.IMAGES, arrays.LABELS, arrays.CHECKSUMS])
def test_arrays_that_are_missing_are_named(tmp_path: Path, missing: str) -> None:
    arrays.write(tmp_path / "split", whole([3, 3]))
    path = tmp_path / "split" / missing
    path.unlink()
    with pytest.raises(UserError) as error:
        arrays.read(tmp_path / "split")
    assert str(error.value) == f"{path}: expected a file, found none; run dvc repro"


@pytest.mark.parametrize("content", [b"", b"not an array", b"\x93NUMPY\x01\x00"])
def test_arrays_that_are_none_are_refused(tmp_path: Path, content: bytes) -> None:
    arrays.write(tmp_path / "split", whole([3, 3]))
    (tmp_path / "split" / arrays.LABELS).write_bytes(content)
    sign(tmp_path / "split")
    with pytest.raises(UserError, match=r"expected images.npy and labels.npy, found: .*; run dvc repro"):
        arrays.read(tmp_path / "split")
