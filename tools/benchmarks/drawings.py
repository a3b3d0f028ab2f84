"""Drawings of numerals on paper, as people send them: handwritten and printed, on all kinds of paper.

Numerals are written along curves of our own, or in typefaces that Debian has as packages; see `PACKAGES`.
"""

from math import cos, pi, sin
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from stages.common.errors import UserError
from tools.benchmarks import writing

Kind = Literal["plain", "phone"]
Random = np.random.Generator
Grey = NDArray[np.float64]

PACKAGES = (
    "fonts-comic-neue fonts-dkg-handwriting fonts-bwht fonts-dancingscript fonts-humor-sans fonts-klee "
    "fonts-kaushanscript fonts-leckerli-one fonts-rufscript fonts-nanum-extra fonts-kiloji "
    "fonts-yozvox-yozfont-cute fonts-tomsontalks fonts-liberation fonts-dejavu-core fonts-lato "
    "fonts-roboto-unhinted fonts-open-sans fonts-freefont-ttf"
)
HANDWRITING = (
    "ComicNeue-Regular",
    "ComicNeue-Bold",
    "DancingScript-Regular",
    "KaushanScript-Regular",
    "dkg",
    "dkgBd",
    "Humor-Sans",
    "KleeOne-Regular",
    "KleeOne-SemiBold",
    "LeckerliOne-Regular",
    "NanumPen",
    "NanumBrush",
    "NanumBarunpenR",
    "Rufscript010",
    "TomsonTalks",
    "YOzBC_90",
    "YOzRC_90",
    "kiloji",
    "kiloji_b",
    "BecauseWeBuild-Regular",
    "BecauseWeConnect-Regular",
    "BecauseWeCreate-Regular",
    "BecauseWeLearn-Regular",
    "BecauseWeMentor-Regular",
    "BecauseWeOrganize-Regular",
)
PRINT = (
    "LiberationSans-Regular",
    "LiberationSans-Bold",
    "LiberationSerif-Regular",
    "LiberationMono-Regular",
    "DejaVuSans",
    "DejaVuSerif",
    "DejaVuSansMono",
    "Lato-Regular",
    "Lato-Light",
    "Lato-Heavy",
    "Roboto-Regular",
    "Roboto-Medium",
    "RobotoCondensed-Regular",
    "OpenSans-Regular",
    "OpenSans-Bold",
    "FreeSans",
    "FreeSerif",
    "FreeMono",
)
FONT_FOLDER = Path("/usr/share/fonts")
SHARES = {"writing": 0.45, "handwriting": 0.35, "print": 0.2}  # of the ways of drawing
PEN_WIDTHS = (0.035, 0.06, 0.09, 0.13)  # of the height
PAPERS = (255, 240, 225, 215, 200, 185, 170)  # brightness
TABLES = (40, 70, 90, 110, 150)
RARELY, OFTEN = 0.15, 0.6  # shares of pictures
SMALLEST_SIDE, LARGEST_SIDE = 200, 640  # pixels of a picture


def find_fonts() -> dict[str, Path]:
    """Return the files of the typefaces by their names.

    Raises:
        UserError: if some are not installed.
    """
    files = {path.stem: path for path in FONT_FOLDER.rglob("*.[ot]tf")}
    if missing := [name for name in (*HANDWRITING, *PRINT) if name not in files]:
        raise UserError(
            f"{FONT_FOLDER}: expected typefaces of Debian's packages, found no {missing[0]}; run as root: "
            f"apt-get install {PACKAGES}"
        )
    return files


def draw_picture(
    digit: str, kind: Kind, rotation: float, fonts: dict[str, Path], random: Random
) -> Image.Image:
    """Draw a digit on paper.

    Args:
        digit: `0` to `9`.
        kind: `plain` for a scan, or an export of a drawing program: any paper, uneven light and noise, now
            and then light ink on dark; `phone` for a photograph: ruled paper, shadows or a table's edge.
        rotation: the largest angle, in degrees.
        fonts: the files of the typefaces.
        random: decides everything else.

    Returns:
        A grey picture, plain to the eye.
    """
    width, height = (int(side) for side in random.integers(SMALLEST_SIDE, LARGEST_SIDE + 1, 2))
    if max(width, height) > 2 * min(width, height):
        width = height
    ink = _place(_draw_digit(digit, fonts, min(width, height), rotation, random), width, height, kind, random)
    paper, darkness = float(random.choice(PAPERS)), random.uniform(10, 80 if kind == "phone" else 60)
    if kind == "plain" and random.random() < RARELY:
        paper, darkness = random.uniform(0, 60), random.uniform(200, 255)
    ground, light = np.full((height, width), paper), _shade(width, height, kind, random)
    if kind == "phone" and random.random() < OFTEN:
        ground = _rule(ground, random)
    grey = (ground * (1 - ink) + darkness * ink) * light
    if kind == "phone" and random.random() < OFTEN:
        _lay_on_table(grey, random)
    grey += random.normal(0, random.uniform(0, 8), grey.shape)
    picture = Image.fromarray(grey.clip(0, 255).astype(np.uint8))
    return picture.filter(ImageFilter.GaussianBlur(random.uniform(0, 1.5))) if kind == "phone" else picture


def _draw_digit(
    digit: str, fonts: dict[str, Path], side: int, rotation: float, random: Random
) -> Image.Image:
    """Return the ink of a digit, cropped to it."""
    way = random.choice(list(SHARES), p=list(SHARES.values()))
    height = int(side * random.uniform(0.35, 0.75))
    if way == "writing":
        ink = writing.write(digit, height, max(2, round(height * float(random.choice(PEN_WIDTHS)))), random)
    else:
        ink = _print(digit, fonts[str(random.choice(HANDWRITING if way == "handwriting" else PRINT))], height)
    turned = ink.rotate(random.uniform(-rotation, rotation), Image.Resampling.BICUBIC, expand=True)
    return turned.crop(turned.getbbox())


def _print(digit: str, font: Path, height: int) -> Image.Image:
    """Draw a digit in a typeface."""
    size = float(height)
    for _ in range(2):  # the height of a digit is not that of its typeface
        _, top, _, bottom = ImageFont.truetype(font, round(size)).getbbox(digit)
        size *= height / max(1, bottom - top)
    face = ImageFont.truetype(font, round(size))
    left, top, right, bottom = (round(side) for side in face.getbbox(digit))
    picture = Image.new("L", (right - left + 20, bottom - top + 20))
    ImageDraw.Draw(picture).text((10 - left, 10 - top), digit, 255, font=face)
    return picture


def _place(ink: Image.Image, width: int, height: int, kind: Kind, random: Random) -> Grey:
    """Return the ink, from 0 to 1, somewhere on an empty sheet, off its middle, but whole."""
    ink.thumbnail((int(0.85 * width), int(0.85 * height)))
    edge = 0.22 if kind == "phone" else 0.06  # of the free space
    left, top = (
        int(free * random.uniform(edge, 1 - edge)) for free in (width - ink.width, height - ink.height)
    )
    sheet = np.zeros((height, width))
    sheet[top : top + ink.height, left : left + ink.width] = np.asarray(ink, np.float64) / 255
    return sheet


def _slope(width: int, height: int, random: Random) -> Grey:
    """Return a plane over a picture, in some direction, about -0.7 to 0.7."""
    angle = random.uniform(0, 2 * pi)
    y, x = np.mgrid[0:height, 0:width] / max(width, height) - 0.5
    return np.asarray(cos(angle) * x + sin(angle) * y, np.float64)


def _shade(width: int, height: int, kind: Kind, random: Random) -> Grey:
    """Return the light on a sheet, up to 1: darker to one side, maybe with a shadow."""
    weakest = random.uniform(0, 0.5 if kind == "phone" else 0.35)
    light = 1 - weakest * (_slope(width, height, random) + 0.5).clip(0, 1)
    if kind == "phone" and random.random() < OFTEN:
        edge = (_slope(width, height, random) + random.uniform(-0.25, 0.25)) / random.uniform(0.02, 0.15)
        light *= 1 - random.uniform(0.2, 0.5) / (1 + np.exp(-edge))
    return light


def _rule(ground: Grey, random: Random) -> Grey:
    """Return paper with lines, or squares, that are paler than ink and may be tilted."""
    height, width = ground.shape
    side = min(height, width)
    step, thickness = max(10, int(side * random.uniform(0.06, 0.16))), max(1, side // 250)
    tilt, start = random.normal(0, 0.03), random.integers(step)
    down, across = np.arange(height)[:, None], np.arange(width)[None]
    are_lines = (down + tilt * across + start) % step < thickness
    if random.random() < OFTEN:
        are_lines |= (across - tilt * down + start) % step < thickness
    return np.where(are_lines, ground * random.uniform(0.72, 0.9), ground)


def _lay_on_table(grey: Grey, random: Random) -> None:
    """Draw a strip of wood along one edge of a picture."""
    turned: Any = [grey, grey[::-1], grey.T, grey.T[::-1]][random.integers(4)]
    depth = int(min(grey.shape) * random.uniform(0.05, 0.14))
    grain = 10 * np.sin(np.arange(turned.shape[1]) / max(grey.shape) * 80)
    turned[:depth] = float(random.choice(TABLES)) + grain + random.normal(0, 8, (depth, turned.shape[1]))
