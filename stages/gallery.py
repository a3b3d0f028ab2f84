"""Images with captions, as one picture."""

import io
from collections.abc import Sequence
from math import ceil
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from stages import files

COLUMNS = 8
LARGEST = 4 * COLUMNS  # images, as many as one can look at


def save(path: Path, title: str, images: NDArray[np.uint8], captions: Sequence[str]) -> None:
    """Draw images side by side, each under its caption, as a PNG file that depends on nothing else.

    Args:
        path: of the file to write.
        title: above them all.
        images: shape (n, height, width), n at most `LARGEST`; the brightest pixel is drawn black.
        captions: n texts of up to three lines.
    """
    rows = max(1, ceil(len(images) / COLUMNS))
    with mpl.rc_context(mpl.rcParamsDefault):  # not what the user's matplotlibrc says
        figure = Figure(figsize=(1.5 * COLUMNS, 0.3 + 1.9 * rows), layout="constrained")
        figure.suptitle(title, parse_math=False)  # a class may be called $5
        panels = figure.subplots(rows, COLUMNS, squeeze=False).flat
        for panel in panels:
            panel.set_axis_off()
        for panel, image, caption in zip(figure.axes, images, captions, strict=False):
            panel.imshow(image, cmap="gray_r")
            panel.set_title(caption, fontsize=8, parse_math=False)
        drawn = io.BytesIO()
        figure.savefig(drawn, dpi=100, format="png")
    with files.whole_file(path) as new:
        # Grey, at half the size: the picture is kept in git.
        Image.open(drawn).convert("L").save(new, format="png", optimize=True)
