"""Sheets of small images: PNG files of many images side by side, as a page holds them."""

import base64
import io
from collections.abc import Iterator, Sequence
from math import ceil
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stages.common.shapes import GREY_IMAGE_NDIM
from stages.splits.arrays import Split

COLUMNS = 32
IMAGES_OF_A_SHEET = 1024
SAMPLE_IMAGES = 512  # whose size tells that of the others
LONGEST_SIDE = 96  # pixels; larger images are made smaller
MOST_BYTES = 6_000_000  # of all images of a split; 10,000 of Fashion-MNIST have 5.5 million
WHITE = 255


class Sheets(NamedTuple):
    """The images of a split that a page holds.

    Attributes:
        numbers: the numbers of the images in the split, in the order of the sheets.
        height: of an image, in pixels.
        width: of an image, in pixels.
        addresses: data URLs of the sheets, of IMAGES_OF_A_SHEET images each.
    """

    numbers: NDArray[np.int64]
    height: int
    width: int
    addresses: list[str]


def build(split: Split, order: NDArray[np.int64], largest_pixel: int) -> Sheets:
    """Draw the images of a split, as many as fit into a page.

    Args:
        split: images, shape (n, height, width) or (n, height, width, channels), and labels.
        order: the numbers of the images to draw, the most important first.
        largest_pixel: the pixel value that becomes white.
    """
    height, width = _fit(split.images.shape[1:3])

    def draw(numbers: NDArray[np.int64]) -> list[str]:
        tiles = list(_draw_tiles(split.images, numbers, largest_pixel, (height, width)))
        starts = range(0, len(tiles), IMAGES_OF_A_SHEET)
        return [_encode(tiles[start : start + IMAGES_OF_A_SHEET]) for start in starts]

    bytes_per_image = sum(map(len, draw(order[:SAMPLE_IMAGES]))) / max(len(order[:SAMPLE_IMAGES]), 1)
    count = int(MOST_BYTES / max(bytes_per_image, 1))
    numbers = np.sort(order[:count])
    return Sheets(numbers, height, width, draw(numbers))


def _fit(sides: tuple[int, ...]) -> tuple[int, int]:
    scale = min(1, LONGEST_SIDE / max(sides))
    height, width = (max(1, round(side * scale)) for side in sides)
    return height, width


def _draw_tiles(
    images: NDArray[Any], numbers: NDArray[np.int64], largest_pixel: int, sides: tuple[int, int]
) -> Iterator[NDArray[np.uint8]]:
    """Yield images of 8 bits, grey or in colour, of the given height and width."""
    for number in numbers:
        image = np.asarray(images[number])
        if image.ndim > GREY_IMAGE_NDIM and image.shape[-1] == 1:
            image = image[..., 0]
        pixels = image if largest_pixel == WHITE else np.rint(image * (WHITE / largest_pixel))
        tile = np.clip(pixels, 0, WHITE).astype(np.uint8)
        if tile.shape[:2] != sides:
            tile = np.asarray(Image.fromarray(tile).resize(sides[::-1], Image.Resampling.BOX))
        yield tile


def _encode(tiles: Sequence[NDArray[np.uint8]]) -> str:
    """Return a sheet of tiles, in rows of COLUMNS, as a data URL."""
    height, width = tiles[0].shape[:2]
    sheet = np.zeros((ceil(len(tiles) / COLUMNS) * height, COLUMNS * width, *tiles[0].shape[2:]), np.uint8)
    for place, tile in enumerate(tiles):
        row, column = divmod(place, COLUMNS)
        sheet[row * height : (row + 1) * height, column * width : (column + 1) * width] = tile
    png = io.BytesIO()
    Image.fromarray(sheet).save(png, format="PNG")
    return f"data:image/png;base64,{base64.b64encode(png.getvalue()).decode()}"
