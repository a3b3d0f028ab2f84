"""Ink on paper: which pixels of a picture are strokes, whatever its paper, light and edges are like."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from skimage import filters

from stages.common.errors import UserError
from stages.sources import picture_files

Grey = NDArray[np.float64]
Mask = NDArray[np.bool_]
Background = Literal["dark", "light"]

LONGEST_SIDE = 256  # pixels at which a picture is looked at; strokes have two or more then
WHITE, BLACK = (255, 255, 255, 255), (0, 0, 0, 255)
BLUR = 0.7  # pixels, against noise
# Paper is the median of windows of this size, and strokes are thinner than the next, as shares of the
# longest side.
PAPER_WINDOW, THICKEST_STROKE = 0.45, 0.22
PAPER_SIDE = 64  # pixels at which the paper is estimated, since it is smooth
DARKEST_PAPER = 32.0  # of 255; contrasts are shares of the paper's brightness, or of this if that is less
NOISE_RANGE = 4  # times the noise: less is no ink
LEAST_DIFFERENCE = 12.0  # of 255, of ink from paper; less is the texture of paper, or a soft shadow
FEWEST_PIXELS = 12  # of the largest part of the ink
SHARE_OF_THRESHOLD = 0.75  # thin strokes are paler than thick ones
LEAST_PART = 0.06  # of the ink of the largest part; smaller ones are dirt
# If parts that do not touch the edge have less of all ink than this, the drawing itself touches the edge.
LEAST_INNER = 0.05
SURER = 1.5  # times the ink that makes it light on dark, since shadows and tables have bright gaps
# A strip along an edge, such as a table's beside the paper: at most so deep, as a share of the side, where
# the brightness changes by such a share within a few pixels.
DEEPEST_STRIP, STRIP_CONTRAST, STRIP_BLUR = 0.22, 0.15, 4
LEAST_STRIP = 0.9  # of its pixels differ from the paper; a stroke near the edge has paper beside it
THIRDS = 3  # of an edge, all of which have the strip
# Clutter is so many pixels away from the ink, and differs from the paper by such a share of what ink does.
BESIDE, CLUTTER_CONTRAST = 3, 0.3
# Parts of a drawing are at most so far from each other, as a share of its longest side; a second drawing has
# at least such a share of the ink of the largest.
LARGEST_GAP, LEAST_DRAWING = 0.1, 0.12


class Ink(NamedTuple):
    """The ink of a picture.

    Attributes:
        mask: where it is, cropped to it.
        background: of the picture.
        drawings: how many, apart from each other.
        clutter: the share of the pixels beside it that are neither ink nor paper.
    """

    mask: Mask
    background: Background
    drawings: int
    clutter: float


def read_grey(path: Path) -> Grey:
    """Read a picture in grey, upright, made smaller to `LONGEST_SIDE`, from 0 to 255.

    What is transparent becomes white, or black if what is visible is light.

    Raises:
        UserError: if the file is no picture.
    """
    try:
        with picture_files.ignore_warnings():
            image = picture_files.open_upright(path, LONGEST_SIDE)
            image = image.convert("RGBA") if image.has_transparency_data else image
            image.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.BOX)
            pixels = picture_files.flatten(image, BLACK if _is_light(image) else WHITE)
    except picture_files.PictureError as error:
        raise UserError(f"{path}: expected a picture, found {error}") from None
    return np.asarray(Image.fromarray(pixels).convert("L"), np.float64)


def _is_light(image: Image.Image) -> bool:
    """Return whether what is visible on a transparent ground is lighter than grey."""
    if image.mode != "RGBA":
        return False
    alpha = np.asarray(image.getchannel("A"), np.float64)
    grey = np.asarray(image.convert("RGB").convert("L"), np.float64)
    return bool(alpha.min() < alpha.max() and (grey * alpha).sum() > alpha.sum() * 255 / 2)


def find_ink(picture: Grey, background: Background | None = None) -> Ink | None:
    """Find the ink of a drawing.

    A strip of something else along an edge, shadows, ruled lines that are paler than the ink, and specks
    are left out.

    Args:
        picture: shape (h, w), from 0 to 255.
        background: `dark` or `light` if it is known.

    Returns:
        The ink; None if there is none.
    """
    picture = ndimage.gaussian_filter(picture, BLUR)
    top, bottom, left, right = _find_strips(picture)
    inner = picture[top : picture.shape[0] - bottom, left : picture.shape[1] - right]
    found = _find_drawing(inner, background)
    if found is not None and inner.shape != picture.shape:
        touched = (found[0][0], found[0][-1], found[0][:, 0], found[0][:, -1])
        if any(side.any() for side, strip in zip(touched, (top, bottom, left, right), strict=True) if strip):
            found = None  # the drawing goes on there, so it was no strip
    if found is None:
        inner, found = picture, _find_drawing(picture, background)
    if found is None:
        return None
    mask, ground = found
    return Ink(crop(mask), ground, _count_drawings(mask), _measure_clutter(inner, mask))


def crop(mask: Mask) -> Mask:
    """Return the smallest part of a mask that has all of its pixels."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _find_strips(picture: Grey) -> list[int]:
    """Return the depths of strips along top, bottom, left and right, 0 where there is none."""
    return [_find_strip(turned) for turned in (picture, picture[::-1], picture.T, picture.T[::-1])]


def _find_strip(picture: Grey) -> int:
    """Return the depth of a strip along the top, which may lie at an angle; 0 if there is none."""
    deepest = int(DEEPEST_STRIP * len(picture))
    if deepest < 2 * STRIP_BLUR or picture.shape[1] < THIRDS:
        return 0
    depths = []
    for third in np.array_split(picture, THIRDS, axis=1):
        profile = np.median(third[: deepest + 2 * STRIP_BLUR], axis=1)
        profile = ndimage.median_filter(profile, 3, mode="nearest")
        steps = np.abs(profile[STRIP_BLUR:] - profile[:-STRIP_BLUR])[:deepest]
        step, least = int(steps.argmax()), STRIP_CONTRAST * max(float(np.median(third)), DARKEST_PAPER)
        inside = float(np.median(third[step + STRIP_BLUR : step + STRIP_BLUR + 2 * deepest]))
        contrast = abs(float(np.median(profile[: step + 1])) - inside)
        is_other = np.abs(third[: step + 1] - inside) > contrast / 2
        if min(steps[step], contrast) > least and is_other.mean() > LEAST_STRIP:
            depths.append(step + STRIP_BLUR + 1)
    return max(depths) if len(depths) == THIRDS else 0


def _find_drawing(picture: Grey, background: Background | None) -> tuple[Mask, Background] | None:
    """Return the mask of the ink, in the shape of the picture, and the background; None without ink."""
    best, most = None, 0.0
    for found, difference, ground in _measure_differences(picture):
        if background in (None, found):
            mask = _select(difference / np.maximum(ground, DARKEST_PAPER))
            # Of both backgrounds in the same unit, which shares of their brightness are not.
            ink = difference[mask].sum() * (1 if found == "light" else 1 / SURER)
            if ink > most and difference[mask].mean() > LEAST_DIFFERENCE:
                best, most = (mask, found), ink
    return best


def _measure_differences(picture: Grey) -> Iterator[tuple[Background, Grey, Grey]]:
    """Yield both backgrounds, each with how much a pixel differs from it, and with its brightness.

    Ink is what differs from the paper around it, the median, and is thin: a closing, which fills it, leaves
    the edges of shadows as they are.
    """
    paper = _estimate_paper(picture)
    size = int(THICKEST_STROKE * max(picture.shape)) | 1
    for background, values, ground in (("light", picture, paper), ("dark", 255 - picture, 255 - paper)):
        padded = np.pad(values, size, mode="edge")
        closed = ndimage.grey_closing(padded, (size, size))[size:-size, size:-size]
        yield background, np.clip(np.minimum(closed, ground) - values, 0, None), closed  # type: ignore[misc]


def _estimate_paper(picture: Grey) -> Grey:
    """Return the brightness of the paper under each pixel: the median of large windows, smoothed."""
    small = ndimage.zoom(picture, min(1.0, PAPER_SIDE / max(picture.shape)), order=1, mode="nearest")
    size = max(3, int(PAPER_WINDOW * max(small.shape)))
    median = ndimage.gaussian_filter(ndimage.median_filter(small, size, mode="nearest"), size / 6)
    image = Image.fromarray(median.astype(np.float32))
    return np.asarray(image.resize(picture.shape[::-1], Image.Resampling.BILINEAR), np.float64)


def _select(contrast: Grey) -> Mask:
    """Return the mask of the ink, by Otsu's threshold over what stands out from the noise.

    Args:
        contrast: how much a pixel differs from the paper, as a share of its brightness, shape (h, w).
    """
    noise = 1.4826 * float(np.median(np.abs(contrast - ndimage.uniform_filter(contrast, 5)))) + 0.01
    visible = contrast[contrast > NOISE_RANGE * noise]
    nothing = np.zeros(contrast.shape, bool)
    if visible.size < FEWEST_PIXELS:
        return nothing
    threshold = SHARE_OF_THRESHOLD * filters.threshold_otsu(visible)  # type: ignore[no-untyped-call]
    parts, count = ndimage.label(contrast > threshold, structure=np.ones((3, 3)))
    ink = ndimage.sum_labels(contrast, parts, np.arange(count + 1))  # of each part; 0 is what is no ink
    is_inner = np.arange(count + 1) > 0
    for edge in (parts[0], parts[-1], parts[:, 0], parts[:, -1]):
        is_inner[edge] = False
    if ink[is_inner].sum() <= LEAST_INNER * ink[1:].sum():
        is_inner[1:] = True
    is_chosen = is_inner & (ink >= LEAST_PART * ink[is_inner].max())
    if np.bincount(parts.ravel())[is_chosen].max() < FEWEST_PIXELS:  # what noise leaves
        return nothing
    mask: Mask = is_chosen[parts]
    return mask


def _count_drawings(mask: Mask) -> int:
    """Return how many drawings there are, apart from each other."""
    reach = LARGEST_GAP / 2 * max(crop(mask).shape)
    drawings, count = ndimage.label(ndimage.distance_transform_edt(~mask) <= reach)
    sizes = ndimage.sum_labels(mask, drawings, np.arange(1, count + 1))
    return int((sizes >= LEAST_DRAWING * sizes.max()).sum())


def _measure_clutter(picture: Grey, mask: Mask) -> float:
    """Return the share of the pixels beside the ink that differ from the paper, if less than ink does."""
    difference = np.abs(picture - _estimate_paper(picture))
    beside = ~ndimage.binary_dilation(mask, iterations=BESIDE)
    if not beside.any():
        return 0.0
    return float((difference[beside] > CLUTTER_CONTRAST * np.median(difference[mask])).mean())
