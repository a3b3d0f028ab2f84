"""Pictures of many images with captions, such as that of the most confident mistakes."""

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

COLUMNS = 8
GREY_BATCH_NDIM = 3
COLOURS = 256
MOST_IMAGES = 4 * COLUMNS  # as many as a person looks at


def save(path: Path, title: str, images: NDArray[Any], captions: Sequence[str]) -> None:
    """Draw images side by side, each under its caption, as a PNG file of the same bytes everywhere.

    Args:
        path: the file to write.
        title: above all images.
        images: shape (n, height, width) or (n, height, width, channels). The brightest
            pixel is drawn black in grey images, and as bright as possible in colour images.
        captions: n texts of up to three lines.
    """
    grey = images.ndim == GREY_BATCH_NDIM or images.shape[-1] == 1
    brightest = images.max(initial=1)
    rows = max(1, ceil(len(images) / COLUMNS))
    with mpl.rc_context(mpl.rcParamsDefault):  # not what the user's matplotlibrc says
        figure = Figure(figsize=(1.5 * COLUMNS, 0.3 + 1.9 * rows), layout="constrained")
        figure.suptitle(title, parse_math=False)  # a class may be called $5
        panels = figure.subplots(rows, COLUMNS, squeeze=False).flat
        for panel in panels:
            panel.set_axis_off()
        for panel, image, caption in zip(figure.axes, images, captions, strict=False):
            panel.imshow(image.reshape(image.shape[:2]) if grey else image / brightest, cmap="gray_r")
            # With y, Matplotlib need not look for a place, which takes it half of the time.
            panel.set_title(caption, fontsize=8, parse_math=False, y=1.0)
        png = io.BytesIO()
        figure.savefig(png, dpi=100, format="png")
    with files.atomic_file(path) as new:
        # In few colours, at half the size: the picture is kept in git.
        picture = Image.open(png).convert("RGB")
        picture = picture.convert("L") if grey else picture.quantize(COLOURS)
        picture.save(new, format="png", optimize=True)


def save_mistakes(path: Path, images: NDArray[Any], predictions: pd.DataFrame) -> None:
    """Draw the wrongly classified images, the most confident first.

    The caption of an image is its number in the split, from 0, its class, the predicted class, and the
    probability of the latter.

    Args:
        path: the PNG file to write.
        images: as `save` takes them.
        predictions: n rows, as `scores.prediction_table` gives them.
    """
    wrong = predictions[predictions["actual"] != predictions["predicted"]]
    rows = wrong.sort_values("probability", ascending=False, kind="stable").head(MOST_IMAGES)
    captions = [
        f"#{row.Index} {row.actual}\ntaken for\n{row.predicted} {row.probability:.1%}"
        for row in rows.itertuples()
    ]
    title = f"The most confident of {len(wrong):,} mistakes in {len(images):,} images"
    save(path, title, images[rows.index], captions)
