"""Preprocessing: wrong raw files are refused, and the splits are what they are said to be."""

import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from helpers import ROOT
from ruamel.yaml import YAML

from stages import parameters, preprocess
from stages.common import checksums, layout
from stages.common.errors import UserError
from stages.preprocess import hold_out
from stages.sources import idx
from stages.splits import arrays
from stages.splits.arrays import Split


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


def test_a_class_must_not_vanish_from_the_training_split() -> None:
    with pytest.raises(UserError, match="expected a number that leaves every class in training, found 590"):
        hold_out(whole([300, 298, 2]).labels, 590, seed=0)


def test_a_rare_class_may_be_missing_from_the_validation_split() -> None:
    labels = whole([5000, 5000, 5]).labels  # 1,000 to 1
    training, validation = hold_out(labels, 500, seed=0)
    assert len(np.unique(labels[training])) == 3
    assert len(validation) == 500


def raw_files(folder: Path, train: np.ndarray, test: np.ndarray, image: np.ndarray) -> None:
    """Write the four files of a data set whose images are all the same."""
    for images, labels, values in (
        (layout.TRAIN_IMAGES, layout.TRAIN_LABELS, train),
        (layout.TEST_IMAGES, layout.TEST_LABELS, test),
    ):
        idx.write(folder / images, np.repeat(image[None], len(values), axis=0))
        idx.write(folder / labels, values)


def dataset_of(classes: object, validation_images: int, largest_pixel: int = 255) -> parameters.Dataset:
    content = YAML(typ="safe").load(ROOT / "params.yaml")["datasets"]["digits"]
    changed = {"classes": classes, "validation_images": validation_images, "largest_pixel": largest_pixel}
    return parameters.Dataset.model_validate(content | changed)


IMAGE = np.arange(6, dtype=np.uint8).reshape(2, 3)


def test_labels_may_count_from_1(tmp_path: Path) -> None:
    raw_files(tmp_path, np.tile([1, 2, 3], 10).astype(np.uint8), np.array([3, 1], np.uint8), IMAGE)
    found = preprocess.divide(dataset_of(["a", "b", "c"], 6), tmp_path)
    assert found["train"][0].labels.tolist() == [0, 1, 2] * 10
    assert found["test"][0].labels.tolist() == [2, 0]


def test_labels_that_count_from_1_must_not_be_named_from_0(tmp_path: Path) -> None:
    raw_files(tmp_path, np.tile([1, 2, 3], 10).astype(np.uint8), np.array([3, 1], np.uint8), IMAGE)
    with pytest.raises(UserError, match="found labels from 1; give the classes other names"):
        preprocess.divide(dataset_of(3, 6), tmp_path)


OF_3 = "(3 classes in params.yaml)"
FROM_0 = f"expected labels from 0 to 2 {OF_3}"
EVERY = f"expected every label from 0 to 2 or every label from 1 to 3 {OF_3}"


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        ([0, 1, 2, 3], [0], f"{layout.TRAIN_LABELS}: {FROM_0}, found 0, 1, 2, 3"),
        ([0, 2], [0], f"{layout.TRAIN_LABELS}: {EVERY}, found 0, 2"),
        ([0, 1, 2], [3], f"{layout.TEST_LABELS}: {FROM_0}, found 3"),
        ([1, 2, 3], [0], f"{layout.TEST_LABELS}: expected labels from 1 to 3"),
        ([-1, 1, 2], [0], f"{layout.TRAIN_LABELS}: {FROM_0}, found -1, 1, 2"),
    ],
)
def test_labels_must_be_classes(tmp_path: Path, train: list[int], test: list[int], message: str) -> None:
    raw_files(tmp_path, np.array(train * 10, np.int16), np.array(test, np.int16), IMAGE)
    with pytest.raises(UserError, match=re.escape(message)):
        preprocess.divide(dataset_of(["a", "b", "c"], 6), tmp_path)


def test_a_thousand_classes_of_which_the_test_images_have_a_few(tmp_path: Path) -> None:
    raw_files(tmp_path, np.tile(np.arange(1000, dtype=np.int16), 4), np.array([999, 256], np.int16), IMAGE)
    found = preprocess.divide(dataset_of(1000, 1000), tmp_path)
    assert found["test"][0].labels.tolist() == [999, 256]
    assert found["validation"][1].shape == (1000,)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int32", "float32", "float64"])
@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 1), (2, 3, 3)])
def test_images_of_each_type_are_kept_as_they_are(tmp_path: Path, dtype: str, shape: tuple[int, ...]) -> None:
    image = np.arange(np.prod(shape), dtype=dtype).reshape(shape)
    raw_files(tmp_path, np.array([0, 1] * 10, np.uint8), np.array([0], np.uint8), image)
    for name, (given, rows) in preprocess.divide(dataset_of(2, 4, largest_pixel=127), tmp_path).items():
        arrays.write(tmp_path / name, given, rows)
        kept = arrays.read(tmp_path / name).images
        assert kept.dtype == np.dtype(dtype).newbyteorder("<")
        assert np.array_equal(kept, np.repeat(image[None], len(rows), axis=0))


def test_a_largest_pixel_that_the_images_cannot_have_is_refused(tmp_path: Path) -> None:
    raw_files(tmp_path, np.array([0, 1] * 10, np.uint8), np.array([0], np.uint8), IMAGE.astype(np.int8))
    with pytest.raises(UserError, match=r"largest_pixel: expected at most 127, .* int8 .*, found 255"):
        preprocess.divide(dataset_of(2, 4), tmp_path)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (IMAGE[:, :2], r"shape \(2, 3\), .* found \(2, 2\)"),
        (IMAGE.astype(np.int16), "type uint8, .* found int16"),
    ],
)
def test_test_images_must_be_like_training_images(tmp_path: Path, other: np.ndarray, message: str) -> None:
    raw_files(tmp_path, np.array([0, 1] * 10, np.uint8), np.array([0], np.uint8), IMAGE)
    idx.write(tmp_path / layout.TEST_IMAGES, other[None])
    with pytest.raises(UserError, match=f"t10k-images-idx3-ubyte: expected images of {message}"):
        preprocess.divide(dataset_of(2, 4), tmp_path)


def test_a_class_of_one_image_cannot_be_divided(tmp_path: Path) -> None:
    raw_files(tmp_path, np.array([0, 1] * 10 + [2], np.uint8), np.array([0], np.uint8), IMAGE)
    with pytest.raises(UserError, match="at least two training images of each class, found one of c"):
        preprocess.divide(dataset_of(["a", "b", "c"], 4), tmp_path)


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
    with pytest.raises(UserError, match=r"expected .* found.*; run dvc repro preprocess@"):
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


class Touch:
    """An object that makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


def test_arrays_run_no_code(tmp_path: Path) -> None:
    arrays.write(tmp_path / "split", whole([3, 3]))
    (tmp_path / "split" / arrays.IMAGES).write_bytes(pickle.dumps(Touch(tmp_path / "touched")))
    sign(tmp_path / "split")
    with pytest.raises(UserError, match=r"expected images\.npy and labels\.npy, found"):
        arrays.read(tmp_path / "split")
    assert not (tmp_path / "touched").exists()
