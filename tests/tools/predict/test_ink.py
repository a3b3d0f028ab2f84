"""Ink on paper: it is found whatever the paper, the light and the edges are like, and framed."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy import ndimage
from sklearn.datasets import load_sample_images

from stages.common.errors import UserError
from tools.common.settings import Framing
from tools.predict import framing, images, ink
from tools.predict.images import ImageFormat

FRAMING = Framing(longest_side=20, stroke_width=[2.0, 2.8], centre="mass")
FORMAT = ImageFormat((28, 28), np.dtype(np.uint8), 255, "dark", FRAMING)


def draw_seven(
    size: tuple[int, int] = (300, 200),
    pen: int = 12,
    paper: int = 255,
    colour: int = 0,
    place: tuple[int, int] = (40, 30),
) -> Image.Image:
    """Draw a seven, 100 pixels high and 70 wide, off the middle of a sheet."""
    picture = Image.new("L", size, paper)
    left, top = place
    line = [(left, top), (left + 70, top), (left + 30, top + 100)]
    ImageDraw.Draw(picture).line(line, fill=colour, width=pen, joint="curve")
    return picture


def read(path: Path, picture: Image.Image) -> np.ndarray:
    """Return the image that a network gets of a picture, shape (28, 28)."""
    picture.save(path)
    (image,) = images.read(path, FORMAT).pixels
    return image


def compare(first: np.ndarray, second: np.ndarray) -> float:
    """Return the correlation of two images."""
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])


@pytest.mark.slow
def test_even_paper_is_even_to_its_edges_whatever_its_size() -> None:
    for width in range(60, 257):
        rows_of_one_shade = np.repeat(np.linspace(100, 200, 256)[:, None], width, axis=1)
        assert np.ptp(ink._estimate_paper(rows_of_one_shade), axis=1).max() < 0.01


@pytest.fixture
def seven(tmp_path: Path) -> np.ndarray:
    return read(tmp_path / "seven.png", draw_seven())


def test_the_ink_fills_the_box_and_its_mass_is_in_the_middle(seven: np.ndarray) -> None:
    rows, columns = (np.flatnonzero((seven > 0).any(axis=axis)) for axis in (1, 0))
    assert max(np.ptp(rows), np.ptp(columns)) + 1 in (20, 21)  # an edge may lie between two pixels
    assert ndimage.center_of_mass(seven.astype(float)) == pytest.approx((13.5, 13.5), abs=0.6)
    assert seven.max() == 255
    box = framing.frame(np.ones((50, 5), bool), FRAMING.model_copy(update={"centre": "box"}), (28, 28))
    assert ndimage.center_of_mass(box.astype(float)) == pytest.approx((13.5, 13.5), abs=0.1)


def shade(picture: Image.Image) -> Image.Image:
    light = np.linspace(1, 0.5, picture.width)[None]
    return Image.fromarray((np.asarray(picture) * light).astype(np.uint8))


def shade_corners(picture: Image.Image) -> Image.Image:
    """Darken the corners, as a lens does."""
    y, x = (np.linspace(-1, 1, side) for side in (picture.height, picture.width))
    light = 1 - 0.25 * (y[:, None] ** 2 + x[None] ** 2)
    return Image.fromarray((np.asarray(picture) * light).astype(np.uint8))


def cast_shadow(picture: Image.Image) -> Image.Image:
    y, x = np.mgrid[0 : picture.height, 0 : picture.width]
    return Image.fromarray(np.where(x + y > 220, np.asarray(picture) * 0.6, picture).astype(np.uint8))


def add_noise(picture: Image.Image) -> Image.Image:
    noise = np.random.default_rng(0).normal(0, 8, (picture.height, picture.width))
    return Image.fromarray((np.asarray(picture) + noise).clip(0, 255).astype(np.uint8))


def add_texture(picture: Image.Image) -> Image.Image:
    noise = np.random.default_rng(0).normal(0, 1, (picture.height, picture.width))
    smooth = ndimage.gaussian_filter(noise, 3)
    return Image.fromarray((np.asarray(picture) + 2 * smooth / smooth.std()).clip(0, 255).astype(np.uint8))


def rule(picture: Image.Image) -> Image.Image:
    pixels = np.asarray(picture).copy()
    pixels[5::20] = (pixels[5::20] * 0.8).astype(np.uint8)
    pixels[:, 5::20] = (pixels[:, 5::20] * 0.8).astype(np.uint8)
    return Image.fromarray(pixels)


def lay_on_table(picture: Image.Image) -> Image.Image:
    pixels = np.asarray(picture).copy()
    pixels[-20:] = 60
    return Image.fromarray(pixels)


def make_transparent(picture: Image.Image) -> Image.Image:
    """Make a canvas export of black strokes."""
    pixels = np.asarray(picture)
    return Image.fromarray(np.dstack([np.zeros_like(pixels)] * 3 + [255 - pixels]))


def make_transparent_and_white(picture: Image.Image) -> Image.Image:
    pixels = np.asarray(picture)
    return Image.fromarray(np.dstack([np.full_like(pixels, 255)] * 3 + [255 - pixels]))


def add_specks(picture: Image.Image) -> Image.Image:
    pixels = np.asarray(picture).copy()
    for place in ((150, 20), (20, 250), (170, 280)):
        pixels[place[0] : place[0] + 3, place[1] : place[1] + 3] = 60
    return Image.fromarray(pixels)


@pytest.mark.parametrize(
    "change",
    [
        lambda picture: picture,
        lambda picture: Image.eval(picture, lambda value: 255 - value),
        lambda picture: picture.convert("RGB"),
        lambda picture: picture.resize((900, 600)),
        lambda picture: picture.resize((150, 100), Image.Resampling.BOX),
        shade,
        shade_corners,
        cast_shadow,
        add_noise,
        rule,
        lay_on_table,
        lambda picture: lay_on_table(picture.rotate(90, expand=True)).rotate(-90, expand=True),
        lambda picture: shade(rule(lay_on_table(picture))),
        make_transparent,
        make_transparent_and_white,
        add_specks,
        *(
            lambda picture, margin=margin: picture.crop(
                (40 - 6 - margin, 30 - 6 - margin, 40 + 76 + margin, 30 + 104 + margin)
            )
            for margin in (0, 1, 2, 4, 8)
        ),
    ],
)
def test_the_image_is_the_same_on_other_paper(tmp_path: Path, seven: np.ndarray, change) -> None:
    assert compare(read(tmp_path / "other.png", change(draw_seven())), seven) > 0.93


@pytest.mark.parametrize("paper", [255, 225, 215, 200, 170, 150])
def test_grey_ink_on_grey_paper_is_ink(tmp_path: Path, seven: np.ndarray, paper: int) -> None:
    assert compare(read(tmp_path / "grey.png", draw_seven(paper=paper, colour=30)), seven) > 0.97


@pytest.mark.parametrize("place", [(8, 8), (150, 60), (220, 90)])
def test_the_place_on_the_sheet_does_not_matter(
    tmp_path: Path, seven: np.ndarray, place: tuple[int, int]
) -> None:
    assert compare(read(tmp_path / "moved.png", draw_seven(place=place)), seven) > 0.93


@pytest.mark.parametrize("pen", [2, 4, 8, 16, 24])
def test_strokes_get_a_usual_width(tmp_path: Path, pen: int) -> None:
    image = read(tmp_path / "pen.png", draw_seven(pen=pen))
    large = np.asarray(Image.fromarray(image).resize((224, 224), Image.Resampling.BICUBIC)) > 127
    assert 1.6 <= framing.measure_stroke(large) / 8 <= 3.2


def test_a_stroke_is_not_made_so_thin_that_it_tears() -> None:
    ring = np.zeros((100, 100), bool)
    y, x = np.mgrid[0:100, 0:100] - 50
    ring[(np.hypot(x, y) < 50) & (np.hypot(x, y) > 12)] = True
    ring[(np.abs(x) < 2) & (y > 0)] = True
    ring[(y > 20) & (y < 45) & (x > 0)] = False  # one side hangs on a thin bridge
    framed = framing.frame(ring, FRAMING, (28, 28)) > 100
    assert ndimage.label(framed, np.ones((3, 3)))[1] == 1


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_picture_without_ink_has_no_image(tmp_path: Path, value: int) -> None:
    Image.new("L", (300, 200), value).save(tmp_path / "blank.png")
    assert len(images.read(tmp_path / "blank.png", FORMAT).pixels) == 0
    blank = Image.new("L", (300, 200), value)
    for change in (add_noise, shade, shade_corners, add_texture):
        change(blank).save(tmp_path / "uneven.png")
        assert len(images.read(tmp_path / "uneven.png", FORMAT).pixels) == 0, change


def test_a_picture_of_the_size_of_the_images_is_framed_already(tmp_path: Path) -> None:
    image = np.zeros((28, 28), np.uint8)
    image[2:10, 3:5] = 200
    Image.fromarray(image).save(tmp_path / "own.png")
    read_image = images.read(tmp_path / "own.png", FORMAT)
    assert not read_image.framed
    assert np.array_equal(read_image.pixels[0], image)


def test_the_background_is_that_of_the_training_images(tmp_path: Path, seven: np.ndarray) -> None:
    draw_seven().save(tmp_path / "seven.png")
    on_light = images.read(tmp_path / "seven.png", FORMAT._replace(background="light", largest_pixel=1))
    assert (on_light.background, on_light.inverted, on_light.framed) == ("light", False, True)
    assert np.array_equal(on_light.pixels[0], np.rint((255 - seven) / 255))
    in_colour = images.read(tmp_path / "seven.png", FORMAT._replace(shape=(28, 28, 3)))
    assert np.array_equal(in_colour.pixels[0], np.dstack([seven] * 3))
    assert ink.find_ink(ink.read_grey(tmp_path / "seven.png"), "dark") is None


def test_two_drawings_on_a_sheet_are_told_and_parts_of_one_are_not(tmp_path: Path) -> None:
    two = draw_seven()
    two.paste(draw_seven(size=(130, 200), place=(20, 30)), (170, 0))
    coin = draw_seven()
    ImageDraw.Draw(coin).ellipse((200, 60, 250, 110), outline=90, width=6)
    dashed = draw_seven(pen=14)
    ImageDraw.Draw(dashed).line([(0, 80), (300, 80)], fill=255, width=4)  # through the middle of the seven
    for name, picture, count in (("two", two, 2), ("coin", coin, 2), ("dashed", dashed, 1)):
        picture.save(tmp_path / f"{name}.png")
        found = ink.find_ink(ink.read_grey(tmp_path / f"{name}.png"))
        assert found is not None
        assert found.drawings == count, name
    warning = images.read(tmp_path / "two.png", FORMAT).warning
    assert warning is not None
    assert "2 drawings apart from each other, taken for one; crop the picture to one" in warning


def test_photographs_of_things_are_not_taken_for_drawings(tmp_path: Path) -> None:
    for number, photograph in enumerate(load_sample_images().images):
        Image.fromarray(photograph).save(tmp_path / f"{number}.png")
        assert images.read(tmp_path / f"{number}.png", FORMAT).is_cluttered
    for change in (add_noise, shade, shade_corners):
        change(draw_seven(paper=230)).save(tmp_path / "seven.png")
        assert not images.read(tmp_path / "seven.png", FORMAT).is_cluttered, change


@pytest.mark.parametrize("side", [1, 2, 5, 9])
def test_a_tiny_picture_is_no_crash(tmp_path: Path, side: int) -> None:
    for width in (side, 400):
        random = np.random.default_rng(side)
        Image.fromarray(random.integers(0, 256, (side, width), np.uint8)).save(tmp_path / "tiny.png")
        assert images.read(tmp_path / "tiny.png", FORMAT).pixels.shape[1:] == (28, 28)
    small = draw_seven().crop((30, 20, 130, 140)).resize((20, 24), Image.Resampling.BOX)
    assert compare(read(tmp_path / "small.png", small), read(tmp_path / "seven.png", draw_seven())) > 0.8


def test_what_is_no_picture_is_one_line(tmp_path: Path) -> None:
    for name, content in (("text.png", b"text"), ("cut.png", b"\x89PNG\r\n\x1a\n")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=f"{name}: expected a picture, found "):
            images.read(tmp_path / name, FORMAT)
