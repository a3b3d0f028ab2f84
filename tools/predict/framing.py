"""Framing of ink as on the images of a data set: its size, the width of its strokes, and its place."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from skimage import morphology

from tools.common.settings import Framing
from tools.predict.ink import Mask, crop

SCALE = 8  # times the size of the image, at which strokes are made thinner or thicker
SHARES_OF_CHANGE = (1, 0.75, 0.5, 0.25)  # of the width, until nothing tears and no hole closes
MARGIN = 4 * SCALE  # pixels around the ink, into which strokes may grow


def frame(ink: Mask, framing: Framing, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Draw ink as an image of a data set.

    Args:
        ink: the mask of the ink, cropped to it, of any size.
        framing: how the images are framed.
        shape: height and width of the image.

    Returns:
        The image, from 0 where there is no ink to 255.
    """
    enlarged = _resize(ink, framing.longest_side * SCALE) > 0.5  # noqa: PLR2004 - half of a pixel
    large = _resize(crop(_adjust_strokes(enlarged, framing)), framing.longest_side * SCALE)
    middle = ndimage.center_of_mass(large) if framing.centre == "mass" else np.array(large.shape) / 2
    canvas = np.zeros([side * SCALE for side in shape])
    places = []
    for side, length, centre in zip(canvas.shape, large.shape, middle, strict=True):
        start = round(side / 2 - float(centre))
        places.append(slice(max(0, min(start, side - length)), None))
    rows, columns = places
    room = canvas[rows, columns]
    room[: large.shape[0], : large.shape[1]] = large[: room.shape[0], : room.shape[1]]
    small: NDArray[np.float64] = canvas.reshape(shape[0], SCALE, shape[1], SCALE).mean(axis=(1, 3))
    return np.rint(255 * small).astype(np.uint8)


def measure_stroke(ink: Mask) -> float:
    """Return the width of strokes in pixels: twice the median distance of their middle from the edge."""
    padded = np.pad(ink, 1)
    middle = morphology.skeletonize(padded)  # type: ignore[no-untyped-call]
    return 2 * float(np.median(ndimage.distance_transform_edt(padded)[middle]))


def _adjust_strokes(ink: Mask, framing: Framing) -> Mask:
    """Make strokes thinner or thicker, to a usual width, or near it where they would tear or holes close."""
    padded, width = np.pad(ink, MARGIN), measure_stroke(ink) / SCALE
    thinnest, thickest = framing.stroke_width
    if thinnest <= width <= thickest:
        return padded
    parts, holes = _count_parts_and_holes(padded)
    distance = ndimage.distance_transform_edt(padded if width > thickest else ~padded)
    change = (width - thickest if width > thickest else thinnest - width) / 2 * SCALE
    for share in SHARES_OF_CHANGE:
        changed: Mask = distance > share * change if width > thickest else distance <= share * change
        parts_then, holes_then = _count_parts_and_holes(changed)
        # Thicker strokes may join parts, such as the dashes of a pencil.
        if holes_then == holes and (parts_then == parts or width < thinnest):
            return changed
    return padded


def _count_parts_and_holes(ink: Mask) -> tuple[int, int]:
    return ndimage.label(ink, structure=np.ones((3, 3)))[1], ndimage.label(~ink)[1]


def _resize(ink: Mask, longest_side: int) -> NDArray[np.float64]:
    """Return ink, from 0 to 1, of another size, in its proportions."""
    scale = longest_side / max(ink.shape)
    height, width = (max(1, round(side * scale)) for side in ink.shape)
    image = Image.fromarray(ink.astype(np.uint8) * 255).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(image, np.float64) / 255
