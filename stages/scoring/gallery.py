"""Images with captions, as one picture."""

import io
from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from stages.common import files

COLUMNS = 8
GREY = 3  # dimensions of images
COLOURS = 256
LARGEST = 4 * COLUMNS  # images, as many as one can look at


def save(path: Path, title: str, images: NDArray[Any], captions: Sequence[str]) -> None:
    """Draw images side by side, each under its caption, as a PNG file that depends on nothing else.

    Args:
        path: of the file to write.
        title: above them all.
        images: shape (n, height, width) or (n, height, width, channels); the
            brightest pixel is drawn black in grey ones, and as bright as can be in those in colour.
        captions: n texts of up to three lines.
    """
    grey = images.ndim == GREY or images.shape[-1] == 1
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
        drawn = io.BytesIO()
        figure.savefig(drawn, dpi=100, format="png")
    with files.whole_file(path) as new:
        # In few colours, at half the size: the picture is kept in git.
        picture = Image.open(drawn).convert("RGB")
        picture = picture.convert("L") if grey else picture.quantize(COLOURS)
        picture.save(new, format="png", optimize=True)
