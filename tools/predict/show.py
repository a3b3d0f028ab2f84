"""A picture of what a network saw: each file of a prediction beside the image that was made of it."""

import warnings
from math import ceil
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from PIL import Image, ImageOps

from stages.common import files
from stages.common.errors import UserError
from stages.scoring import gallery
from stages.sources import picture_files
from tools.common.text import make_printable
from tools.predict.prediction import Prediction

PAIRS_IN_A_ROW = 3
MOST_PAIRS = 30  # as many as a person looks at
ORIGINAL_SIDE = 256  # pixels


def draw(path: Path, predictions: list[Prediction], largest_pixel: int) -> None:
    """Draw the first few pairs of picture and image as a PNG file, each under its file and class.

    Args:
        path: the file to write.
        predictions: their images have one scale: 0 is black, and the largest pixel white.
        largest_pixel: that a network takes.

    Raises:
        UserError: if the file cannot be written.
    """
    shown = predictions[:MOST_PAIRS]
    rows = ceil(len(shown) / PAIRS_IN_A_ROW)
    with mpl.rc_context(mpl.rcParamsDefault):  # not what the user's matplotlibrc says
        figure = Figure(figsize=(4.0 * PAIRS_IN_A_ROW, 2.3 * rows), layout="constrained")
        panels = figure.subplots(rows, 2 * PAIRS_IN_A_ROW, squeeze=False).flat
        for panel in panels:
            panel.set_axis_off()
        for position, prediction in enumerate(shown):
            original, seen = figure.axes[2 * position], figure.axes[2 * position + 1]
            name = prediction.file.path.name
            original.set_title(gallery.shorten(make_printable(name)), fontsize=8, parse_math=False)
            if (pixels := _read_original(prediction)) is not None:
                original.imshow(pixels)
            label = "nothing"
            if prediction.image is not None:
                seen.imshow(prediction.image.squeeze() / largest_pixel, cmap="gray", vmin=0, vmax=1)
                best, probability = prediction.likeliest[0]
                label = f"{gallery.shorten(best)} {probability:.1%}"
            seen.set_title(label, fontsize=8, parse_math=False)
        try:
            with warnings.catch_warnings(), files.atomic_file(path) as unfinished:
                warnings.simplefilter("ignore")  # of letters that the typeface lacks
                figure.savefig(unfinished, dpi=100, format="png")
        except OSError as error:
            raise UserError(
                f"--show: expected a place for {path}, found: {error.strerror}; name another one"
            ) from None


def _read_original(prediction: Prediction) -> Image.Image | None:
    """Return the picture of a file; None for an image of an array, which the network sees as it is."""
    try:
        with picture_files.ignore_warnings():
            picture = picture_files.open_upright(prediction.file.path, ORIGINAL_SIDE)
            return ImageOps.contain(Image.fromarray(picture_files.flatten(picture)), (ORIGINAL_SIDE,) * 2)
    except picture_files.PictureError:
        return None
