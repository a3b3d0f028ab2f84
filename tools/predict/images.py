"""Files of images, pictures as well as IDX and .npy files, converted to the input of a network."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stages.common.errors import UserError
from stages.scoring.background import find_background
from stages.sources import idx, picture_files

NPY_MAGIC = b"\x93NUMPY"
IDX_MAGICS = tuple(b"\0\0" + bytes([code]) for code in idx.DTYPES)  # other files begin with two zeros, too
UINT8_MAX = 255
GREY_IMAGE_NDIM = 2
CHANNEL_SHAPES = ((1,), (3,))


class ImageFormat(NamedTuple):
    """The format of the images that a network takes.

    Attributes:
        shape: (height, width) or (height, width, channels).
        dtype: of the pixels.
        largest_pixel: the largest value of a pixel; the smallest is 0.
        background: the background of the training images, `dark` or `light`; None if it is not known.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    largest_pixel: int
    background: str | None


class Images(NamedTuple):
    """The images of a file.

    Attributes:
        path: of the file.
        pixels: shape (n, *shape of the format), as the network takes them.
        background: the background in the file, `dark` or `light`; None if it is not known.
        inverted: whether dark and light were exchanged.
    """

    path: Path
    pixels: NDArray[Any]
    background: str | None
    inverted: bool


def read(path: Path, image_format: ImageFormat, background: str | None = None) -> Images:
    """Read a file of images, and convert them to the format that a network takes.

    An IDX or .npy file has one image or many, with pixels as in the data set. Any other file is a picture,
    and its edges tell its background. Images of another height or width are stretched. Images are inverted
    if their background is known and is not the background of the training images.

    Args:
        path: the file.
        image_format: the format that the network takes.
        background: the background in the file, `dark` or `light`; None to judge a picture by its edges.

    Raises:
        UserError: if the file has no such images.
    """
    with path.open("rb") as file:
        start = file.read(len(NPY_MAGIC))
    if start == NPY_MAGIC or start.startswith(IDX_MAGICS):
        pixels = _convert_array(_read_array(path, start), image_format, path)
    else:
        pixels = _scale(picture_files.read(path, image_format.shape)[None], image_format)
        background = background or find_background(pixels, image_format.largest_pixel)
    inverted = None not in (background, image_format.background) and background != image_format.background
    if inverted:
        pixels = (image_format.largest_pixel - pixels).astype(image_format.dtype)
    return Images(path, pixels, background, inverted)


def _read_array(path: Path, start: bytes) -> NDArray[Any]:
    if start != NPY_MAGIC:
        return idx.read(path)
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # noqa: BLE001 - a header may be anything, and NumPy raise anything
        raise UserError(f"{path}: expected an .npy file, found: {error}; save it anew") from None
    return array


def _convert_array(array: NDArray[Any], image_format: ImageFormat, path: Path) -> NDArray[Any]:
    """Return an array of one image or many, shape (n, *shape of the format), after checking its values."""
    shape, largest_pixel = image_format.shape, image_format.largest_pixel
    images = array[None] if array.ndim == len(shape) else array
    # A single image with channels has as many dimensions as many grey images.
    has_channels = (
        len(shape) == GREY_IMAGE_NDIM
        and images.shape[-1:] in CHANNEL_SHAPES
        and images.shape[-1:] != shape[-1:]
    )
    fits = images.ndim == len(shape) + 1 and images.shape[3:] == shape[2:] and not has_channels
    if not fits or images.size == 0:
        raise UserError(
            f"{path}: expected images of shape {('n', *shape)}, or of another height and width, found "
            f"{array.shape}"
        )
    whole = "whole " if image_format.dtype.kind in "iu" else ""
    expected = f"{path}: expected {whole}numbers from 0 to {largest_pixel}, as in the training images"
    if images.dtype.kind not in "iuf":
        raise UserError(f"{expected}, found {images.dtype}")
    if not 0 <= images.min() <= images.max() <= largest_pixel:
        raise UserError(f"{expected}, found {images.dtype.name} from {images.min()} to {images.max()}")
    if whole and (images != np.rint(images)).any():
        raise UserError(f"{expected}, found fractions up to {images.max()}; multiply and round them")
    if images.shape[1:] == shape:
        return images.astype(image_format.dtype)
    as_bytes = np.rint(images * (UINT8_MAX / largest_pixel)).astype(np.uint8)
    return _scale(np.array([picture_files.resize(image, shape) for image in as_bytes]), image_format)


def _scale(pixels: NDArray[np.uint8], image_format: ImageFormat) -> NDArray[Any]:
    """Convert pixels from 0 to 255 to the range and dtype that the network takes."""
    if image_format.largest_pixel == UINT8_MAX:
        return pixels.astype(image_format.dtype)
    values = pixels * (image_format.largest_pixel / UINT8_MAX)
    return (values if image_format.dtype.kind == "f" else np.rint(values)).astype(image_format.dtype)
