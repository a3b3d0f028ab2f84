"""Picture files: upright, flattened, in the asked size and colour, or refused in one line with a remedy."""

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stages.common.errors import UserError
from stages.sources import picture_files

GREY = np.arange(0, 240, 40, dtype=np.uint8).reshape(2, 3)
COLOUR = np.stack([GREY, GREY[::-1], GREY[:, ::-1]], axis=-1)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff"])
def test_a_picture_of_the_right_size_is_read_as_it_is(tmp_path: Path, suffix: str) -> None:
    for pixels in (GREY, COLOUR):
        Image.fromarray(pixels).save(tmp_path / f"picture.{suffix}")
        assert np.array_equal(picture_files.read(tmp_path / f"picture.{suffix}", pixels.shape), pixels)


def test_a_jpeg_is_read_with_the_loss_that_it_has(tmp_path: Path) -> None:
    smooth = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (64, 1))
    Image.fromarray(smooth).save(tmp_path / "picture.jpg", quality=95)
    found = picture_files.read(tmp_path / "picture.jpg", (64, 64)).astype(int)
    assert np.abs(found - smooth).max() <= 8


def test_grey_becomes_colour_and_colour_grey(tmp_path: Path) -> None:
    Image.fromarray(GREY).save(tmp_path / "grey.png")
    Image.fromarray(COLOUR).save(tmp_path / "colour.png")
    assert np.array_equal(picture_files.read(tmp_path / "grey.png", (2, 3, 3)), np.stack([GREY] * 3, axis=-1))
    luma = COLOUR @ [0.299, 0.587, 0.114]  # ITU-R BT.601
    assert np.abs(picture_files.read(tmp_path / "colour.png", (2, 3)) - luma).max() <= 1
    assert picture_files.read(tmp_path / "grey.png", (2, 3, 1)).shape == (2, 3, 1)


def test_a_photograph_is_turned_upright(tmp_path: Path) -> None:
    turned = Image.fromarray(GREY)
    exif = turned.getexif()
    exif[0x0112] = 6  # the camera was turned: show it by a quarter turn clockwise
    turned.save(tmp_path / "photo.png", exif=exif)
    assert np.array_equal(picture_files.read(tmp_path / "photo.png", (3, 2)), np.rot90(GREY, -1))


def test_the_size_of_a_photograph_is_that_of_one_held_upright(tmp_path: Path) -> None:
    photo = Image.fromarray(GREY)
    exif = photo.getexif()
    for orientation, size in ((6, (3, 2)), (8, (3, 2)), (1, (2, 3))):
        exif[0x0112] = orientation
        photo.save(tmp_path / "photo.png", exif=exif)
        assert picture_files.read_size(tmp_path / "photo.png") == size


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "JPEG"])
def test_a_grey_picture_has_no_colours_whatever_its_file_could_have(tmp_path: Path, mode: str) -> None:
    shades = Image.fromarray(np.tile(np.arange(0, 256, 4, dtype=np.uint8), (64, 1)))
    path = tmp_path / ("picture.jpg" if mode == "JPEG" else "picture.png")
    if mode == "I;16":
        Image.fromarray(np.asarray(shades, np.uint16) * 257).save(path)
    else:
        shades.convert("RGB" if mode == "JPEG" else mode).save(path)
    assert not picture_files.has_colours(path)
    coloured = shades.convert("RGB")
    coloured.putpixel((5, 5), (200, 0, 0))
    coloured.save(path.with_suffix(".webp"), lossless=True)
    assert picture_files.has_colours(path.with_suffix(".webp"))


def test_what_is_transparent_is_white(tmp_path: Path) -> None:
    alpha = np.array([[0, 255, 255], [255, 255, 0]], np.uint8)
    Image.fromarray(np.stack([GREY, alpha], axis=-1), "LA").save(tmp_path / "picture.png")
    assert np.array_equal(picture_files.read(tmp_path / "picture.png", (2, 3)), np.where(alpha, GREY, 255))


def test_another_size_is_stretched(tmp_path: Path) -> None:
    halves = np.repeat(np.array([[0, 200]], np.uint8), [40], axis=0).repeat(50, axis=1)
    Image.fromarray(halves).save(tmp_path / "picture.png")
    found = picture_files.read(tmp_path / "picture.png", (8, 10))
    assert found.shape == (8, 10)
    assert (found[:, :4] < 10).all()
    assert (found[:, 6:] > 190).all()


def save_noise(path: Path, mode: str = "RGB", side: int = 50) -> None:
    shape = (side, side) if mode == "L" else (side, side, len(mode))
    Image.fromarray(np.random.default_rng(0).integers(0, 255, shape, np.uint8), mode).save(path)


def cut_off(path: Path) -> None:
    save_noise(path)
    path.write_bytes(path.read_bytes()[:1000])


@pytest.mark.parametrize(
    ("name", "make", "remedy"),
    [
        ("a.png", lambda path: path.write_bytes(b""), "an empty file; copy it again"),
        ("a.png", lambda path: path.write_text("<html>"), "a file of another format; move it elsewhere"),
        ("a.heic", lambda path: path.write_bytes(bytes(50)), "a file of another format; save it as JPEG"),
        ("a.MOV", lambda path: path.write_bytes(bytes(50)), "of another format; move the video elsewhere"),
        ("a.jpg", lambda path: path.write_bytes(gzip.compress(b"x")), "of another format; decompress it"),
        ("a.png", cut_off, "a damaged one (image file is truncated"),
        ("a.jpg", cut_off, "a damaged one (image file is truncated"),
        ("a.png", lambda path: Image.new("1", (10_000, 10_000)).save(path), "10,000 x 10,000 pixels"),
        ("a.png", lambda path: Image.new("1", (20_000, 20_000)).save(path), "make it smaller"),
        ("a.tiff", lambda path: Image.new("F", (9, 9)).save(path), "pixels of the type F; save it with"),
        ("a.png", os.mkfifo, "a folder, a device or a pipe; move it elsewhere"),
        ("a.png", Path.mkdir, "a folder, a device or a pipe; move it elsewhere"),
    ],
)  # fmt: skip
def test_what_is_no_picture_is_one_line_with_a_remedy(
    tmp_path: Path, name: str, make: Callable[[Path], object], remedy: str
) -> None:
    path = tmp_path / name
    make(path)
    for function in (picture_files.read, lambda path, _: picture_files.read_size(path)):
        if function is not picture_files.read and ("damaged" in remedy or "type F" in remedy):
            continue  # the header is whole
        with (
            picture_files.ignore_warnings(),
            pytest.raises((UserError, picture_files.PictureError)) as error,
        ):
            function(path, (2, 3))
        assert remedy in str(error.value)


@pytest.mark.parametrize(
    "suffix", ["png", "jpg", "jpeg", "jfif", "gif", "bmp", "tiff", "webp", "avif", "pgm", "jp2"]
)
def test_every_usual_format_is_read_whatever_its_name(tmp_path: Path, suffix: str) -> None:
    smooth = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (64, 1))
    path = tmp_path / f"picture.{suffix}"
    Image.fromarray(smooth).save(path, "JPEG" if suffix == "jfif" else None)
    for name in (path, path.rename(tmp_path / "picture")):
        found = picture_files.read(name if name.exists() else tmp_path / "picture", (64, 64)).astype(int)
        assert np.abs(found - smooth).max() <= 16


def test_sixteen_bits_are_read_as_eight(tmp_path: Path) -> None:
    Image.fromarray(GREY.astype(np.uint16) * 257).save(tmp_path / "picture.png")
    assert np.array_equal(picture_files.read(tmp_path / "picture.png", (2, 3)), GREY)


def test_a_large_jpeg_is_what_it_would_be_without_haste(tmp_path: Path) -> None:
    y, x = np.mgrid[:1200, :1600]
    smooth = ((np.sin(x / 90) + np.cos(y / 70)) * 60 + 128).astype(np.uint8)
    Image.fromarray(smooth).save(tmp_path / "photo.jpg", quality=95)
    Image.fromarray(smooth).save(tmp_path / "photo.png")
    fast, whole = (
        picture_files.read(tmp_path / f"photo.{suffix}", (48, 64)).astype(int) for suffix in ("jpg", "png")
    )
    assert np.abs(fast - whole).max() <= 6


def test_a_missing_picture_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"expected a picture, found no file; check its name"):
        picture_files.read(tmp_path / "picture.png", (2, 3))
