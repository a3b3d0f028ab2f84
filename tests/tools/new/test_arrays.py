"""Arrays and IDX files as people have them: read, or refused in their own names with what to do."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers import Project
from sections import count_images, read_both, read_section

from stages.common import layout
from stages.sources import idx

random = np.random.default_rng(0)
LABELS = np.tile(np.arange(3), 20)
USUAL = {
    "x_train": random.integers(0, 256, (60, 8, 9), np.uint8),
    "y_train": LABELS,
    "x_test": random.integers(0, 256, (12, 8, 9), np.uint8),
    "y_test": LABELS[:12],
}
NAMES = dict(zip(layout.RAW_FILES, USUAL, strict=True))


def refuse(project: Project, origin: Path) -> str:
    """Return the line on stderr, after looking that nothing has changed."""
    before = read_both(project)
    done = project.here("tools.new", "letters", origin, expect=2)
    assert done.stderr.count("\n") == 1
    assert read_both(project) == before
    return done.stderr


def save_archive(folder: Path, **changes: np.ndarray | None) -> Path:
    arrays = {**USUAL, **changes}
    path = folder / "letters.npz"
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    return path


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("y_train", lambda y: np.eye(3)[y], "y_train: expected one whole number for each image"),
        ("y_train", lambda y: np.eye(3)[y], "save y_train.argmax(axis=1)"),
        ("y_test", lambda y: np.eye(3)[y], "save y_test.argmax(axis=1)"),
        ("y_train", lambda y: y.astype(float), "found float64; save y_train.astype(int)"),
        ("y_test", lambda y: y.astype(np.float32), "found float32; save y_test.astype(int)"),
        ("y_train", lambda y: y / 2, "found fractions such as 0.5; save np.unique(y_train, return_inverse"),
        ("x_train", lambda x: x.reshape(60, 72), "found (60, 72), an image a row; save x_train.reshape(-1, "),
        ("y_train", lambda y: np.array(["a", "b", "c"])[y], "found text; save np.unique(y_train, return"),
        ("y_train", lambda y: np.array([b"a", b"b", b"c"])[y], "found text; save np.unique(y_train"),
        ("y_train", lambda y: y.astype(object), "y_train in letters.npz: expected numbers, found Python"),
        ("y_train", lambda y: np.array([0, 2, 5])[y], "y_train: expected training labels without gaps"),
        ("y_train", lambda y: np.array([0, 2, 5])[y], "found 0, 2, 5; save np.searchsorted("),
        ("y_train", lambda y: y[:50], "y_train: expected 60 labels, one an image, found 50"),
        ("y_test", lambda y: y + 5, "y_test: expected labels from 0 to 2"),
        ("x_train", lambda x: x / 127.5 - 1, "x_train: expected pixels from 0, found -1.0 to 1.0"),
        ("x_train", lambda x: x / 127.5 - 1, "save (x_train + 1) / 2"),
        ("x_train", lambda x: x.astype(int) - 100, "save x_train - smallest, the smallest pixel of all"),
        ("x_train", lambda x: np.stack([x] * 3, axis=1), "with the channels first; save x_train.transpose("),
        ("x_train", lambda x: x[:, :, :7], "x_test: expected images of shape (8, 7)"),
        ("x_train", lambda x: x[:0], "x_train: expected images with pixels, found shape (0, 8, 9)"),
        ("x_test", lambda _: None, "expected one array of test images, with test or t10k in its name"),
        ("y_test", lambda _: None, "expected one array of test labels, with test or t10k in its name"),
        ("x_train", lambda _: None, "expected one array of train images, with train in its name"),
    ],
)  # fmt: skip
def test_an_array_is_refused_by_its_own_name(
    parameters: Project,
    tmp_path: Path,
    name: str,
    change: Callable[[np.ndarray], np.ndarray | None],
    message: str,
) -> None:
    line = refuse(parameters, save_archive(tmp_path, **{name: change(USUAL[name])}))
    assert message in line
    assert "idx" not in line


@pytest.mark.parametrize(
    ("renamed", "found"),
    [
        ({"x_test": "x_val", "y_test": "y_val"}, "x_val (12, 8, 9), y_val (12,)"),
        ({"x_test": "X_te", "y_test": "Y_te"}, "X_te (12, 8, 9), Y_te (12,)"),
        ({name: f"arr_{number}" for number, name in enumerate(USUAL)}, "arr_2 (12, 8, 9)"),
    ],
)
def test_an_archive_of_other_names_says_what_it_has(
    parameters: Project, tmp_path: Path, renamed: dict[str, str], found: str
) -> None:
    np.savez(tmp_path / "a.npz", **{renamed.get(name, name): array for name, array in USUAL.items()})
    line = refuse(parameters, tmp_path / "a.npz")
    assert found in line
    assert "np.savez('a.npz', x_train=..., y_train=..., x_test=..., y_test=...)" in line


def test_validation_arrays_are_the_validation_images(parameters: Project, tmp_path: Path) -> None:
    more = {"val_images": USUAL["x_test"][::-1], "val_labels": LABELS[:12][::-1]}
    parameters.here("tools.new", "letters", save_archive(tmp_path, **more))
    assert read_section(parameters, "letters")["validation_images"] == 12
    assert count_images(parameters, "letters") == {"train": 60, "validation": 12, "test": 12}


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.float16, np.int64])
@pytest.mark.parametrize("divisor", [1, 255])
def test_the_same_images_are_one_data_set_whatever_their_type(
    parameters: Project, tmp_path: Path, kind: type, divisor: int
) -> None:
    if divisor == 255 and kind in (np.int64, np.float16):
        return  # these hold no shares of 255
    images = {name: (USUAL[name] / divisor).astype(kind) for name in ("x_train", "x_test")}
    parameters.here("tools.new", "whole", save_archive(tmp_path))
    (tmp_path / "other").mkdir()
    parameters.here("tools.new", "other", save_archive(tmp_path / "other", **images))
    whole, other = (read_section(parameters, name) for name in ("whole", "other"))
    for section in (whole, other):
        del section["source"]
    assert whole == other


def save_idx(folder: Path, **changes: Callable[[bytes], bytes]) -> Path:
    folder.mkdir()
    for name, key in NAMES.items():
        idx.write(folder / name, USUAL[key].astype(np.uint8))
        if key in changes:
            (folder / name).write_bytes(changes[key]((folder / name).read_bytes()))
    return folder


def swap_sizes(content: bytes) -> bytes:
    sizes = np.frombuffer(content[4:16], ">u4").astype("<u4").tobytes()
    return content[:4] + sizes + content[16:]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda _: b"", "train-images-idx3-ubyte: expected an IDX file"),
        (swap_sizes, "train-images-idx3-ubyte: expected sizes with the first byte first"),
        (
            lambda content: content[3::-1] + swap_sizes(content)[4:],
            "found another byte order (little-endian)",
        ),
        (lambda content: content[:-1], "expected 4336 bytes for an IDX file"),
        (lambda content: gzip.compress(content)[:200], "the file is damaged: copy it again"),
    ],
)
def test_a_damaged_idx_file_is_one_line(
    parameters: Project, tmp_path: Path, change: Callable[[bytes], bytes], message: str
) -> None:
    assert message in refuse(parameters, save_idx(tmp_path / "letters", x_train=change))


def test_files_of_other_systems_beside_idx_files_are_skipped(parameters: Project, tmp_path: Path) -> None:
    folder = save_idx(tmp_path / "letters")
    for name in layout.RAW_FILES:
        (folder / f"._{name}").write_bytes(b"\0\5\26\7")
        (folder / name).with_suffix(".gz").write_bytes(gzip.compress((folder / name).read_bytes()))
    (folder / ".DS_Store").write_bytes(b"x")
    parameters.here("tools.new", "letters", folder)
    assert count_images(parameters, "letters") == {"train": 48, "validation": 12, "test": 12}


def test_validation_files_are_the_validation_images(parameters: Project, tmp_path: Path) -> None:
    folder = save_idx(tmp_path / "letters")
    for test, validation in zip(layout.PARTS["test"], layout.PARTS["validation"], strict=True):
        (folder / validation).write_bytes((folder / test).read_bytes())
    done = parameters.here("tools.new", "letters", folder)
    assert "warning: test images identical to a validation image: 12 of 12" in done.stdout
    assert count_images(parameters, "letters") == {"train": 60, "validation": 12, "test": 12}
