"""Pictures in files: upright, flattened, in the asked size and colour, or refused in one line."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stages.common import layout
from stages.common.errors import UserError
from stages.sources import idx, pictures
from stages.sources.schema import Pictures

GREY = np.arange(0, 240, 40, dtype=np.uint8).reshape(2, 3)
COLOUR = np.stack([GREY, GREY[::-1], GREY[:, ::-1]], axis=-1)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff"])
def test_a_picture_of_the_right_size_is_read_as_it_is(tmp_path: Path, suffix: str) -> None:
    for pixels in (GREY, COLOUR):
        Image.fromarray(pixels).save(tmp_path / f"picture.{suffix}")
        assert np.array_equal(pictures.read(tmp_path / f"picture.{suffix}", pixels.shape), pixels)


def test_a_jpeg_is_read_with_the_loss_that_it_has(tmp_path: Path) -> None:
    smooth = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (64, 1))
    Image.fromarray(smooth).save(tmp_path / "picture.jpg", quality=95)
    found = pictures.read(tmp_path / "picture.jpg", (64, 64)).astype(int)
    assert np.abs(found - smooth).max() <= 8


def test_grey_becomes_colour_and_colour_grey(tmp_path: Path) -> None:
    Image.fromarray(GREY).save(tmp_path / "grey.png")
    Image.fromarray(COLOUR).save(tmp_path / "colour.png")
    assert np.array_equal(pictures.read(tmp_path / "grey.png", (2, 3, 3)), np.stack([GREY] * 3, axis=-1))
    luma = COLOUR @ [0.299, 0.587, 0.114]  # ITU-R BT.601
    assert np.abs(pictures.read(tmp_path / "colour.png", (2, 3)) - luma).max() <= 1
    assert pictures.read(tmp_path / "grey.png", (2, 3, 1)).shape == (2, 3, 1)


def test_a_photograph_is_turned_upright(tmp_path: Path) -> None:
    turned = Image.fromarray(GREY)
    exif = turned.getexif()
    exif[0x0112] = 6  # the camera was turned: show it by a quarter turn clockwise
    turned.save(tmp_path / "photo.png", exif=exif)
    assert np.array_equal(pictures.read(tmp_path / "photo.png", (3, 2)), np.rot90(GREY, -1))


def test_the_commonest_size_is_that_of_photographs_held_upright(tmp_path: Path) -> None:
    (tmp_path / "train/a").mkdir(parents=True)
    photo = Image.fromarray(GREY)
    exif = photo.getexif()
    for number, orientation in enumerate((6, 8, 1)):
        exif[0x0112] = orientation
        photo.save(tmp_path / f"train/a/{number}.png", exif=exif)
    assert pictures.find_commonest_shape(tmp_path) == (3, 2, 1)


def test_what_is_transparent_is_white(tmp_path: Path) -> None:
    alpha = np.array([[0, 255, 255], [255, 255, 0]], np.uint8)
    Image.fromarray(np.stack([GREY, alpha], axis=-1), "LA").save(tmp_path / "picture.png")
    assert np.array_equal(pictures.read(tmp_path / "picture.png", (2, 3)), np.where(alpha, GREY, 255))


def test_another_size_is_stretched(tmp_path: Path) -> None:
    halves = np.repeat(np.array([[0, 200]], np.uint8), [40], axis=0).repeat(50, axis=1)
    Image.fromarray(halves).save(tmp_path / "picture.png")
    found = pictures.read(tmp_path / "picture.png", (8, 10))
    assert found.shape == (8, 10)
    assert (found[:, :4] < 10).all()
    assert (found[:, 6:] > 190).all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot identify image file"),
        (b"<html>", "cannot identify image file"),
        ("16 bits", "the mode I;16"),
        ("cut off", "truncated"),
        ("a bomb", "decompression bomb"),
    ],
)
def test_what_is_no_picture_is_one_line(tmp_path: Path, content: bytes | str, message: str) -> None:
    path = tmp_path / "picture.png"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content == "16 bits":
        Image.fromarray(np.full((2, 2), 1000, np.uint16)).save(path)
    elif content == "cut off":
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (50, 50), np.uint8)).save(path)
        path.write_bytes(path.read_bytes()[:1000])
    else:
        Image.new("1", (10_000, 10_000)).save(path)
    with pytest.raises(UserError) as error:
        pictures.read(path, (2, 3))
    assert str(error.value).startswith(f"{path}: expected a picture")
    assert message in str(error.value)


def test_a_missing_picture_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"expected a picture, found no file; check its name"):
        pictures.read(tmp_path / "picture.png", (2, 3))


@pytest.mark.parametrize(("pixels", "background"), [(GREY // 4, "dark"), (255 - GREY // 4, "light")])
def test_the_background_is_what_the_edges_are(pixels: np.ndarray, background: str) -> None:
    framed = np.pad(255 - pixels, 3, constant_values=int(pixels[0, 0]))
    assert pictures.find_background(framed[None], 255) == background


def test_photographs_have_no_background_in_common() -> None:
    mixed = np.stack([np.zeros((4, 4)), np.full((4, 4), 255)])
    assert pictures.find_background(mixed, 255) is None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for part, name, files in (("train", "b", 2), ("train", "a c", 3), ("test", "b", 1)):
        (tmp_path / part / name).mkdir(parents=True)
        for number in range(files):
            Image.fromarray(GREY + number).save(tmp_path / part / name / f"{number}.png")
    (tmp_path / "train/b/.hidden").write_text("")
    return tmp_path


def source(folder: Path) -> Pictures:
    return Pictures(kind="pictures", folder=str(folder), classes=["a c", "b"], height=2, width=3, channels=1)


def test_classes_are_numbered_alphabetically_and_pictures_taken_in_order(folder: Path) -> None:
    pictures.write_files(source(folder), folder)
    assert pictures.list_classes(folder) == ["a c", "b"]
    assert idx.read(folder / layout.TRAIN_LABELS).tolist() == [0, 0, 0, 1, 1]
    assert idx.read(folder / layout.TEST_LABELS).tolist() == [1]
    assert [image[0, 0] for image in idx.read(folder / layout.TRAIN_IMAGES)] == [0, 1, 2, 0, 1]


def test_a_class_of_test_pictures_alone_is_refused(folder: Path) -> None:
    (folder / "test/d").mkdir()
    with pytest.raises(UserError, match=r"test/d: expected a class in source\.classes in params\.yaml"):
        pictures.write_files(source(folder), folder)


def test_a_folder_of_another_name_does_not_exchange_the_classes(folder: Path) -> None:
    (folder / "train/a c").rename(folder / "train/zebra")
    with pytest.raises(UserError, match=r"train/zebra: expected a class in source\.classes"):
        pictures.write_files(source(folder), folder)


def test_a_class_without_training_pictures_is_refused(folder: Path) -> None:
    for file in (folder / "train/b").iterdir():
        file.unlink()
    with pytest.raises(UserError, match=r"train/b: expected pictures of this class, found none"):
        pictures.write_files(source(folder), folder)


def test_pictures_that_the_memory_does_not_hold_are_refused(folder: Path) -> None:
    large = source(folder).model_copy(update={"height": 10**7, "width": 10**7})
    with pytest.raises(UserError, match="expected pictures that the memory holds, found: Unable to allocate"):
        pictures.write_files(large, folder)


def test_a_picture_with_broken_exif_is_named(folder: Path) -> None:
    Image.fromarray(GREY).save(folder / "train/b/broken.png", exif=b"Exif\0\0garbagegarbage")
    with pytest.raises(UserError, match=r"train/b/broken\.png: expected a picture"):
        pictures.find_commonest_shape(folder)


def test_a_file_that_is_no_picture_is_named(folder: Path) -> None:
    (folder / "train/b/notes.txt").write_text("")
    with pytest.raises(UserError, match=r"train/b/notes.txt: expected a picture, one of \.bmp"):
        pictures.write_files(source(folder), folder)


def test_a_folder_without_classes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    for part in ("train", "test"):
        with pytest.raises(UserError, match="sub-folder for each class, found none"):
            pictures.list_files_by_class(tmp_path / part)
