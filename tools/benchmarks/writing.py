"""Handwritten numerals, drawn with a pen along curves of our own."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.interpolate import CubicSpline

Points = list[tuple[float, float]]
Random = np.random.Generator

# The ways in which people write each digit: curves through points in a box 0.6 wide and 1 high, first the
# smooth ones, then those with corners.
CIRCLE: Points = [
    *[(0.3, 0), (0.05, 0.2), (0, 0.55), (0.1, 0.9), (0.3, 1), (0.5, 0.9), (0.6, 0.5), (0.5, 0.12), (0.3, 0)]
]
SWAN: Points = [(0.03, 0.25), (0.15, 0.05), (0.35, 0), (0.56, 0.17), (0.48, 0.45), (0.25, 0.72), (0, 1)]
UPPER_BOW: Points = [(0.03, 0.1), (0.3, 0), (0.53, 0.2), (0.42, 0.42), (0.2, 0.48)]
LOWER_BOW: Points = [(0.2, 0.48), (0.48, 0.55), (0.58, 0.78), (0.35, 1), (0, 0.9)]
BELLY: Points = [(0.06, 0.45), (0.3, 0.38), (0.57, 0.6), (0.48, 0.9), (0.22, 1), (0, 0.9)]
SPIRAL: Points = [
    *[(0.45, 0), (0.15, 0.3), (0, 0.65), (0.13, 0.95), (0.4, 0.98)],
    *[(0.55, 0.77), (0.42, 0.56), (0.18, 0.58), (0.02, 0.72)],
]
STEM: Points = [(0.58, 0), (0.36, 0.5), (0.21, 1)]
TWO_LOOPS: Points = [
    *[(0.3, 0.47), (0.08, 0.25), (0.3, 0), (0.52, 0.22), (0.3, 0.47)],
    *[(0.02, 0.76), (0.3, 1), (0.58, 0.76), (0.3, 0.47)],
]
LOOP: Points = [(0.53, 0.22), (0.32, 0), (0.05, 0.2), (0.17, 0.47), (0.43, 0.42), (0.54, 0.2)]
HOOK: Points = [(0.54, 0.2), (0.52, 0.6), (0.38, 0.95), (0.1, 0.98)]
WRITING: dict[str, list[tuple[list[Points], list[Points]]]] = {
    "0": [([CIRCLE], [])],
    "1": [
        ([], [[(0.3, 0), (0.3, 1)]]),
        ([], [[(0.08, 0.25), (0.3, 0), (0.3, 1)]]),
        ([], [[(0.08, 0.25), (0.3, 0), (0.3, 1)], [(0.05, 1), (0.55, 1)]]),
    ],
    "2": [([SWAN], [[(0, 1), (0.6, 1)]])],
    "3": [([UPPER_BOW, LOWER_BOW], [])],
    "4": [
        ([], [[(0.4, 0), (0, 0.65), (0.6, 0.65)], [(0.42, 0.35), (0.42, 1)]]),
        ([], [[(0.05, 0), (0, 0.5), (0.55, 0.5)], [(0.5, 0.05), (0.48, 1)]]),
        ([], [[(0.42, 1), (0.42, 0), (0, 0.68), (0.6, 0.68)]]),
    ],
    "5": [([BELLY], [[(0.55, 0), (0.1, 0), (0.06, 0.45)]])],
    "6": [([SPIRAL], [])],
    "7": [([STEM], [[(0, 0), (0.58, 0)]]), ([STEM], [[(0, 0), (0.58, 0)], [(0.15, 0.52), (0.52, 0.52)]])],
    "8": [([TWO_LOOPS], [])],
    "9": [([LOOP], [[(0.54, 0.2), (0.46, 1)]]), ([LOOP, HOOK], [])],
}
SUPERSAMPLING = 3  # for smooth strokes
STEPS = 300  # of a curve


def write(digit: str, height: int, pen: int, random: Random) -> Image.Image:
    """Draw a digit with a pen, slanted, widened and unsteady by chance.

    Args:
        digit: `0` to `9`.
        height: of the digit, in pixels.
        pen: the width of its strokes, in pixels.
        random: decides everything else.

    Returns:
        A picture of the ink, from 0 to 255, larger than the digit.
    """
    curves, corners = WRITING[digit][random.integers(len(WRITING[digit]))]
    slant, stretch, margin = random.normal(0, 0.12), random.uniform(0.8, 1.25), pen + height // 2
    size = [(side + 2 * margin) * SUPERSAMPLING for side in (height, height)]
    picture = Image.new("L", (size[0], size[1]))
    draw = ImageDraw.Draw(picture)
    for points, is_smooth in [*((curve, True) for curve in curves), *((line, False) for line in corners)]:
        places = np.array(points) + random.normal(0, 0.02, (len(points), 2))
        line = _interpolate(places, is_smooth=is_smooth)
        x = (line[:, 0] * stretch + (0.5 - line[:, 1]) * slant) * height + margin
        y = line[:, 1] * height + margin
        radius = pen * SUPERSAMPLING / 2
        for across, down in zip(x * SUPERSAMPLING, y * SUPERSAMPLING, strict=True):
            draw.ellipse((across - radius, down - radius, across + radius, down + radius), fill=255)
    return picture.resize((size[0] // SUPERSAMPLING, size[1] // SUPERSAMPLING), Image.Resampling.LANCZOS)


def _interpolate(places: NDArray[np.float64], *, is_smooth: bool) -> NDArray[np.float64]:
    """Return many points of a curve through a few, shape (n, 2)."""
    steps = np.hypot(*np.diff(places, axis=0).T)
    lengths = np.concatenate([[0], np.cumsum(np.sqrt(steps) if is_smooth else steps)])
    at = np.linspace(0, lengths[-1], STEPS)
    if is_smooth:  # centripetal, which makes no loops between points
        return np.asarray(CubicSpline(lengths, places, bc_type="natural")(at), np.float64)
    return np.column_stack([np.interp(at, lengths, column) for column in places.T])
