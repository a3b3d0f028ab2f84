"""Galleries of captioned images, such as the most confident mistakes."""

import io
from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from stages.common import files
from stages.common.shapes import GREY_BATCH_NDIM

COLUMNS = 8
COLOURS = 256
MOST_IMAGES = 4 * COLUMNS  # as many as a person looks at


def draw_gallery(
    path: Path, title: str, images: NDArray[Any], captions: Sequence[str], columns: int = COLUMNS
) -> None:
    """Draw images side by side, each under its caption, as a PNG file of the same bytes everywhere.

    Args:
        path: the file to write.
        title: the line above all images.
        images: shape (n, height, width) or (n, height, width, channels). The brightest
            pixel is drawn black in grey images, and as bright as possible in colour images.
        captions: n texts of up to three lines.
        columns: the number of images side by side.
    """
    grey = images.ndim == GREY_BATCH_NDIM or images.shape[-1] == 1
    brightest = images.max(initial=1)
    rows = max(1, ceil(len(images) / columns))
    with mpl.rc_context(mpl.rcParamsDefault):  # not what the user's matplotlibrc says
        figure = Figure(figsize=(1.5 * columns, 0.3 + 1.9 * rows), layout="constrained")
        figure.suptitle(title, parse_math=False)  # a class may be called $5
        panels = figure.subplots(rows, columns, squeeze=False).flat
        for panel in panels:
            panel.set_axis_off()
        for panel, image, caption in zip(figure.axes, images, captions, strict=False):
            panel.imshow(image.reshape(image.shape[:2]) if grey else image / brightest, cmap="gray_r")
            # Without y, Matplotlib spends half of the time on a place for the title.
            panel.set_title(caption, fontsize=8, parse_math=False, y=1.0)
        png = io.BytesIO()
        figure.savefig(png, dpi=100, format="png")
    with files.atomic_file(path) as unfinished:
        # In few colours, at half the size: the picture is kept in git.
        picture = Image.open(png).convert("RGB")
        picture = picture.convert("L") if grey else picture.quantize(COLOURS)
        picture.save(unfinished, format="png", optimize=True)


def draw_mistakes(path: Path, images: NDArray[Any], predictions: pd.DataFrame) -> None:
    """Draw the wrongly classified images, the most confident first.

    The caption of an image is its number in the split, from 0, its class, the predicted class, and the
    probability of the latter.

    Args:
        path: the PNG file to write.
        images: as `draw_gallery` takes them.
        predictions: n rows, as `scores.prediction_table` gives them.
    """
    wrong = predictions[predictions["actual"] != predictions["predicted"]]
    rows = wrong.sort_values("probability", ascending=False, kind="stable").head(MOST_IMAGES)
    captions = [
        f"#{row.Index} {row.actual}\ntaken for\n{row.predicted} {row.probability:.1%}"
        for row in rows.itertuples()
    ]
    title = f"The most confident of {len(wrong):,} mistakes in {len(images):,} images"
    draw_gallery(path, title, images[rows.index], captions)
