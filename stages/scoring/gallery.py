"""Galleries of captioned images, such as the most confident mistakes."""

import io
import textwrap
from collections.abc import Iterable, Sequence
from math import ceil
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from stages.common import files
from stages.common.shapes import GREY_IMAGE_NDIM
from stages.scoring.background import find_background

COLUMNS = 8
COLOURS = 256
MOST_IMAGES = 4 * COLUMNS  # as many as a person looks at
CAPTION_WIDTH = 20  # characters of a line, so that captions of neighbours do not meet
MOST_NAME_LINES = 2


def draw_gallery(
    path: Path,
    title: str,
    images: Iterable[NDArray[Any] | None],
    captions: Sequence[str],
    columns: int = COLUMNS,
) -> None:
    """Draw images side by side, each under its caption, as a PNG file of the same bytes everywhere.

    All images have one scale: 0 is black and the brightest pixel of all is white. Grey images that all have a
    dark background are drawn as negatives, dark on white.

    Args:
        path: the file to write.
        title: the line above all images.
        images: n images, shape (height, width) or (height, width, channels), or None for an empty place.
        captions: n texts of a few lines; `shorten` makes names fit.
        columns: the number of images side by side.
    """
    images = list(images)
    present = [image for image in images if image is not None]
    grey = not present or present[0].ndim == GREY_IMAGE_NDIM or present[0].shape[-1] == 1
    brightest = max((image.max() for image in present), default=1) or 1
    is_dark = bool(present) and find_background(np.stack(present), brightest) == "dark"
    rows = max(1, ceil(len(images) / columns))
    lines = max([3, *(caption.count("\n") + 1 for caption in captions)])
    with mpl.rc_context(mpl.rcParamsDefault):  # not what the user's matplotlibrc says
        figure = Figure(figsize=(1.5 * columns, 0.3 + (1.45 + 0.15 * lines) * rows), layout="constrained")
        figure.suptitle(title, parse_math=False)  # a class may be called $5
        panels = figure.subplots(rows, columns, squeeze=False).flat
        for panel in panels:
            panel.set_axis_off()
        for panel, image, caption in zip(figure.axes, images, captions, strict=False):
            if image is not None:
                pixels = image.reshape(image.shape[:2]) if grey else image / brightest
                panel.imshow(pixels, cmap="gray_r" if is_dark else "gray", vmin=0, vmax=brightest)
            # Without y, Matplotlib spends half of the time on a place for the title.
            panel.set_title(caption, fontsize=8, parse_math=False, y=1.0)
        png = io.BytesIO()
        figure.savefig(png, dpi=100, format="png")
    with files.atomic_file(path) as unfinished:
        # In few colours, at half the size: the picture is kept in git.
        picture = Image.open(png).convert("RGB")
        picture = picture.convert("L") if grey else picture.quantize(COLOURS)
        picture.save(unfinished, format="png", optimize=True)


def shorten(name: str) -> str:
    """Return the name of a class in lines that fit over an image, the rest cut off."""
    # Names of folders have underscores in place of blanks, where a line may end, too.
    lines = textwrap.wrap(
        name.replace("_", "_ "),
        CAPTION_WIDTH,
        max_lines=MOST_NAME_LINES,
        placeholder="\N{HORIZONTAL ELLIPSIS}",
    )
    return "\n".join(lines).replace("_ ", "_")


def draw_mistakes(path: Path, images: NDArray[Any], predictions: pd.DataFrame) -> None:
    """Draw the wrongly classified images, the most confident first.

    The caption of an image is its number in the split, from 0, its class, the predicted class, and the
    probability of the latter.

    Args:
        path: the PNG file to write.
        images: shape (n, height, width) or (n, height, width, channels).
        predictions: n rows, as `scores.prediction_table` gives them.
    """
    wrong = predictions[predictions["actual"] != predictions["predicted"]]
    rows = wrong.sort_values("probability", ascending=False, kind="stable").head(MOST_IMAGES)
    captions = [
        f"{shorten(f'#{row.Index} {row.actual}')}\ntaken "
        f"for\n{shorten(f'{row.predicted} {row.probability:.1%}')}"
        for row in rows.itertuples()
    ]
    title = f"The most confident of {len(wrong):,} mistakes in {len(images):,} images"
    draw_gallery(path, title, images[rows.index], captions)
