"""Files of images as the network was trained on them: pictures, arrays and IDX files."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stages.common.errors import UserError
from stages.sources import idx, pictures

NPY_MAGIC = b"\x93NUMPY"
IDX_MAGICS = tuple(b"\0\0" + bytes([code]) for code in idx.DTYPES)  # other files begin with two zeros, too
BYTE = 255
GREY = 2  # dimensions
CHANNELS = ((1,), (3,))


class Form(NamedTuple):
    """What images a network takes.

    Attributes:
        shape: (height, width) or (height, width, channels).
        dtype: of the pixels.
        largest_pixel: from 0 to which they are.
        background: what is behind the things on them, `dark` or `light`; None if that is not known.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    largest_pixel: int
    background: str | None


class Images(NamedTuple):
    """The images of one file.

    Attributes:
        path: of the file.
        pixels: shape (n, *form.shape), in the form that the network takes.
        background: what the file has behind the things, where that was looked at; None otherwise.
        inverted: whether light was made dark and dark light.
    """

    path: Path
    pixels: NDArray[Any]
    background: str | None
    inverted: bool


def read(path: Path, form: Form, background: str | None = None) -> Images:
    """Read a file of images, and bring them into the form that a network takes.

    An IDX or .npy file has images like those of the data set, one or many; what has another height or width
    is stretched. Any other file is a picture, which is also inverted if its background, judged by its edges,
    is not that of the training images.

    Args:
        path: of the file.
        form: that the network takes.
        background: what the file has, where the caller knows better: `dark` or `light`.

    Raises:
        UserError: if the file is no image.
    """
    with path.open("rb") as file:
        start = file.read(len(NPY_MAGIC))
    if start == NPY_MAGIC or start.startswith(IDX_MAGICS):
        pixels = _like_training(_array(path, start), form, path)
    else:
        whole = pictures.read(path, form.shape)[None]
        pixels = _scaled(whole, form)
        background = background or pictures.background(pixels, form.largest_pixel)
    inverted = None not in (background, form.background) and background != form.background
    if inverted:
        pixels = (form.largest_pixel - pixels).astype(form.dtype)
    return Images(path, pixels, background, inverted)


def _array(path: Path, start: bytes) -> NDArray[Any]:
    if start != NPY_MAGIC:
        return idx.read(path)
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # noqa: BLE001 - a header may be anything, and NumPy raise anything
        raise UserError(f"{path}: expected an .npy file, found: {error}; save it anew") from None
    return array


def _like_training(array: NDArray[Any], form: Form, path: Path) -> NDArray[Any]:
    dimensions = len(form.shape)
    many = array[None] if array.ndim == dimensions else array
    # A colour image, or one of a single channel, is as many-dimensional as many grey ones.
    in_channels = dimensions == GREY and many.shape[-1:] in CHANNELS and many.shape[-1:] != form.shape[-1:]
    shaped = many.ndim == dimensions + 1 and many.shape[3:] == form.shape[2:] and not in_channels
    if not shaped or many.size == 0:
        raise UserError(
            f"{path}: expected images of shape {('n', *form.shape)}, or of another height and width, found "
            f"{array.shape}"
        )
    whole = "whole " if form.dtype.kind in "iu" else ""
    expected = (
        f"{path}: expected {whole}numbers from 0 to {form.largest_pixel}, as those of the training images"
    )
    if many.dtype.kind not in "iuf":
        raise UserError(f"{expected}, found {many.dtype}")
    if not 0 <= many.min() <= many.max() <= form.largest_pixel:
        raise UserError(f"{expected}, found {many.dtype.name} from {many.min()} to {many.max()}")
    if whole and (many != np.rint(many)).any():
        raise UserError(f"{expected}, found fractions up to {many.max()}; multiply and round them")
    if many.shape[1:] == form.shape:
        return many.astype(form.dtype)
    in_bytes = np.rint(many * (BYTE / form.largest_pixel)).astype(np.uint8)
    return _scaled(np.array([pictures.resized(image, form.shape) for image in in_bytes]), form)


def _scaled(pixels: NDArray[np.uint8], form: Form) -> NDArray[Any]:
    """Pixels from 0 to 255 as those that the network takes."""
    if form.largest_pixel == BYTE:
        return pixels.astype(form.dtype)
    scaled = pixels * (form.largest_pixel / BYTE)
    return (scaled if form.dtype.kind == "f" else np.rint(scaled)).astype(form.dtype)
