"""The background of images: dark, light, or not the same for all."""

import numpy as np
import pytest

from stages.scoring.background import find_background

GREY = np.arange(0, 240, 40, dtype=np.uint8).reshape(2, 3)


@pytest.mark.parametrize(("pixels", "background"), [(GREY // 4, "dark"), (255 - GREY // 4, "light")])
def test_the_background_is_what_the_edges_are(pixels: np.ndarray, background: str) -> None:
    framed = np.pad(255 - pixels, 3, constant_values=int(pixels[0, 0]))
    assert find_background(framed[None], 255) == background


def test_photographs_have_no_background_in_common() -> None:
    mixed = np.stack([np.zeros((4, 4)), np.full((4, 4), 255)])
    assert find_background(mixed, 255) is None


def test_a_single_exception_leaves_the_background_unknown() -> None:
    images = np.zeros((100, 4, 4), np.uint8)
    images[57] = 200
    assert find_background(images, 255) is None
