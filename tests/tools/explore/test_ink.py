"""Pictures are converted in the page as `tools.predict` converts them."""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import Opened
from PIL import Image, ImageDraw

from tools.common.settings import Framing
from tools.explore.page import FOLDER
from tools.predict import images
from tools.predict.images import ImageFormat

FRAMING = Framing(longest_side=20, stroke_width=[2.0, 2.8], centre="mass")

CONVERT = """async ([address, contents]) => {
    const image = new Image();
    image.src = address;
    await image.decode();
    const { width, height } = image;
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    const found = convertPicture(context.getImageData(0, 0, width, height), contents, false);
    return found && { pixels: [...toPixels(found.channels, contents.largestPixel)], notes: found.notes };
}"""


@pytest.fixture
def opened(open_page: Callable[[Path], Opened], tmp_path: Path) -> Opened:
    names = ("pixels.js", "ink.js", "network.js", "trial.js")
    script = "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in names)
    (tmp_path / "page.html").write_text(f"<script>{script}</script>", encoding="utf-8")
    return open_page(tmp_path / "page.html")


def compare(opened: Opened, path: Path, picture: Image.Image, image_format: ImageFormat) -> None:
    """Expect the pixels of the page to be those of predict, but for the rounding of pixels at edges."""
    picture.save(path)
    expected = images.read(path, image_format)
    address = f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"
    framing = image_format.framing.model_dump() if image_format.framing else None
    contents = {
        "shape": image_format.shape,
        "largestPixel": image_format.largest_pixel,
        "background": image_format.background,
        "framing": framing,
    }
    found = opened.page.evaluate(CONVERT, [address, contents])
    assert opened.messages == []
    if not len(expected.pixels):
        assert found is None
        return
    pixels = np.array(found["pixels"]).reshape(image_format.shape)
    difference = np.abs(pixels - expected.pixels[0]) / image_format.largest_pixel
    assert difference.mean() < 0.005
    assert difference.max() < 0.12
    assert f"on a {expected.background} background" in found["notes"]
    assert ("framed" in found["notes"]) == expected.framed


def scribble(seed: int) -> Image.Image:
    """Draw a line of ink on paper, of any size, width, shade, light and place."""
    random = np.random.default_rng(seed)
    height, width = random.integers(60, 420, 2)
    paper = int(random.integers(110, 256))
    picture = Image.new("L", (int(width), int(height)), paper)
    points = [
        (int(random.uniform(0.15, 0.85) * width), int(random.uniform(0.15, 0.85) * height)) for _ in range(4)
    ]
    pen = int(max(2, random.uniform(0.01, 0.09) * min(width, height)))
    ImageDraw.Draw(picture).line(points, fill=int(random.integers(0, 60)), width=pen, joint="curve")
    light = np.linspace(1, random.uniform(0.6, 1), int(width))[None] * np.ones((int(height), 1))
    pixels = np.asarray(picture) * light + random.normal(0, random.uniform(0, 5), light.shape)
    shaded = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    return Image.eval(shaded, lambda pixel: 255 - pixel) if seed % 4 == 3 else shaded


@pytest.mark.slow
@pytest.mark.parametrize("centre", ["mass", "box"])
@pytest.mark.parametrize("start", range(0, 24, 6))
def test_ink_is_found_and_framed(opened: Opened, tmp_path: Path, start: int, centre: Any) -> None:
    framing = FRAMING.model_copy(update={"centre": centre})
    for seed in range(start, start + 6):
        image_format = ImageFormat(
            (28, 28), np.dtype(np.uint8), 255, "light" if seed % 5 == 0 else "dark", framing
        )
        compare(opened, tmp_path / "scribble.png", scribble(seed), image_format)


def test_a_table_beside_the_paper_is_left_out(opened: Opened, tmp_path: Path) -> None:
    picture = Image.new("L", (300, 240), 230)
    drawing = ImageDraw.Draw(picture)
    drawing.line([(150, 60), (160, 180)], fill=20, width=12)
    drawing.rectangle((0, 0, 300, 25), fill=90)
    compare(
        opened,
        tmp_path / "table.png",
        picture,
        ImageFormat((28, 28), np.dtype(np.uint8), 255, "dark", FRAMING),
    )


def test_paper_without_ink_is_nothing(opened: Opened, tmp_path: Path) -> None:
    image_format = ImageFormat((28, 28), np.dtype(np.uint8), 255, "dark", FRAMING)
    compare(opened, tmp_path / "paper.png", Image.new("L", (90, 120), 240), image_format)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize(
    ("shape", "largest"), [((28, 28), 255), ((8, 8), 16), ((16, 12, 3), 255), ((12, 12, 1), 100)]
)
@pytest.mark.parametrize("background", ["dark", "light", None])
def test_other_pictures_are_scaled(
    opened: Opened, tmp_path: Path, mode: str, shape: tuple[int, ...], largest: int, background: Any
) -> None:
    random = np.random.default_rng(0)
    channels = (3,) if mode == "RGB" else ()
    small = Image.fromarray(random.integers(0, 256, (9, 7, *channels), np.uint8))
    image_format = ImageFormat(shape, np.dtype(np.uint8), largest, background)
    for size in ((70, 45), (7, 9)):
        compare(opened, tmp_path / "picture.png", small.resize(size, Image.Resampling.BICUBIC), image_format)
