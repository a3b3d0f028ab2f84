"""Files of images, pictures as well as IDX and .npy files, converted to the input of a network."""

from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stages.common.errors import UserError
from stages.scoring.background import find_background
from stages.sources import idx, picture_files
from tools.common.settings import Framing
from tools.predict import ink
from tools.predict.framing import frame
from tools.predict.ink import Background

NPY_MAGIC, ZIP_MAGIC = b"\x93NUMPY", b"PK\3\4"
IDX_MAGICS = tuple(b"\0\0" + bytes([code]) for code in idx.DTYPES)  # other files begin with two zeros, too
UINT8_MAX = 255
GREY_IMAGE_NDIM = 2
CHANNEL_SHAPES = ((1,), (3,))
MOST_CLUTTER = 0.08  # of a drawing; photographs of things have a third, drawings on ruled paper a twentieth


class ImageFormat(NamedTuple):
    """The format of the images that a network takes.

    Attributes:
        shape: (height, width) or (height, width, channels).
        dtype: of the pixels.
        largest_pixel: the largest value of a pixel; the smallest is 0.
        background: the background of the training images, `dark` or `light`; None if it is not known.
        framing: how ink was framed on the training images; None if they are not of ink.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    largest_pixel: int
    background: Background | None
    framing: Framing | None = None


class Images(NamedTuple):
    """The images of a file.

    Attributes:
        path: of the file.
        pixels: shape (n, *shape of the format), as the network takes them; n is 0 for a picture without ink.
        background: the background in the file, `dark` or `light`; None if it is not known.
        inverted: whether dark and light were exchanged.
        framed: whether the ink of a picture was brought into the frame of the training images.
        is_cluttered: whether the picture has much beside ink and paper, as a photograph of a thing has.
        warning: what may be wrong with the pixels; None if nothing is.
    """

    path: Path
    pixels: NDArray[Any]
    background: Background | None
    inverted: bool
    framed: bool = False
    is_cluttered: bool = False
    warning: str | None = None


def read(path: Path, image_format: ImageFormat, background: Background | None = None) -> Images:
    """Read a file of images, and convert them to the format that a network takes.

    An IDX or .npy file has one image or many, with pixels as in the data set. Any other file is a picture.
    If the format has a framing, and the picture another size than the training images, its ink is framed as
    theirs was. Otherwise images of another height or width are stretched, and inverted if their background,
    which the edges of a picture tell, is known and is not that of the training images.

    Args:
        path: the file.
        image_format: the format that the network takes.
        background: the background in the file, `dark` or `light`; None to judge a picture by its edges.

    Raises:
        UserError: if the file has no such images.
    """
    with path.open("rb") as file:
        start = file.read(len(NPY_MAGIC))
    if start.startswith(ZIP_MAGIC):
        raise UserError(
            f"{path}: expected a picture, or one array, found an .npz or another archive; unpack it, or save "
            "the array with numpy.save"
        )
    warning = None
    if start == NPY_MAGIC or start.startswith(IDX_MAGICS):
        pixels = _convert_array(_read_array(path, start), image_format, path)
        if 0 < pixels.max() <= 1 < image_format.largest_pixel:
            warning = (
                f"{path}: pixels from 0 to 1, where the training images have pixels from 0 to "
                f"{image_format.largest_pixel}; multiply them by {image_format.largest_pixel}"
            )
    elif image_format.framing is not None and not _has_size(path, image_format.shape):
        framed = _frame(path, image_format, image_format.framing, background)
        return framed._replace(warning=framed.warning or _warn_of_frames(path))
    else:
        warning = _warn_of_frames(path)
        pixels = _scale(picture_files.read(path, image_format.shape)[None], image_format)
        background = background or find_background(pixels, image_format.largest_pixel)
    inverted = None not in (background, image_format.background) and background != image_format.background
    if inverted:
        pixels = (image_format.largest_pixel - pixels).astype(image_format.dtype)
    return Images(path, pixels, background, inverted, warning=warning)


def _warn_of_frames(path: Path) -> str | None:
    """Return a warning for a file of several pictures, of which the first is read; None for one picture."""
    try:
        with picture_files.ignore_warnings(), Image.open(path) as picture:
            frames = getattr(picture, "n_frames", 1)
    except Exception:  # noqa: BLE001 - Pillow raises anything, and so will the reading, with a better message
        return None
    if frames == 1:
        return None
    return f"{path}: {frames} pictures in one file, of which the first is read; save the others as files"


def _has_size(path: Path, shape: tuple[int, ...]) -> bool:
    """Return whether a picture has the size of an image of the data set, so that it is framed already."""
    try:
        with picture_files.ignore_warnings():
            return picture_files.read_size(path) == shape[:2]
    except picture_files.PictureError as error:
        raise UserError(f"{path}: expected a picture, found {error}") from None


def _frame(path: Path, image_format: ImageFormat, framing: Framing, background: Background | None) -> Images:
    """Read a picture of ink, and bring the ink into the frame of the training images."""
    found = ink.find_ink(ink.read_grey(path), background)
    if found is None:
        return Images(path, np.empty((0, *image_format.shape), image_format.dtype), None, inverted=False)
    height, width, *channels = image_format.shape
    light_on_dark = frame(found.mask, framing, (height, width))
    pixels = UINT8_MAX - light_on_dark if image_format.background == "light" else light_on_dark
    if channels:
        pixels = np.repeat(pixels[..., None], channels[0], axis=-1)
    warning = None
    if found.drawings > 1:
        warning = (
            f"{path}: {found.drawings} drawings apart from each other, taken for one; crop the picture to one"
        )
    return Images(
        path,
        _scale(pixels[None], image_format),
        found.background,
        inverted=found.background != (image_format.background or "dark"),
        framed=True,
        is_cluttered=found.clutter > MOST_CLUTTER,
        warning=warning,
    )


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
    array = _drop_channels(array, shape)
    pixels = prod(shape)
    if array.shape != shape and (
        array.shape[-1:] == (pixels,) or array.shape[1:] in ((pixels, 1), (1, pixels))
    ):
        images = array.reshape(-1, *shape)  # from an image a row, as scikit-learn takes images
    else:
        # A single grey image has the very size: a table of anything would otherwise be an image, stretched.
        is_single = array.shape == shape or array.ndim == len(shape) > GREY_IMAGE_NDIM
        images = array[None] if is_single else array
    # A single image with channels has as many dimensions as many grey images.
    has_channels = (
        len(shape) == GREY_IMAGE_NDIM
        and images.shape[-1:] in CHANNEL_SHAPES
        and images.shape[-1:] != shape[-1:]
    )
    fits = images.ndim == len(shape) + 1 and images.shape[3:] == shape[2:] and not has_channels
    if array.size == 0:
        raise UserError(
            f"{path}: expected images, found none, since its shape is {array.shape}; take another"
        )
    if not fits:
        raise UserError(
            f"{path}: expected images of shape {('n', *shape)}, of another height and width, or with their "
            f"pixels in a row, {('n', prod(shape))}, found {array.shape}; give the array one of these shapes"
        )
    whole = "whole " if image_format.dtype.kind in "iu" else ""
    expected = f"{path}: expected {whole}numbers from 0 to {largest_pixel}, as in the training images"
    if images.dtype.kind not in "iuf":
        remedy = f"multiply it by {largest_pixel}" if images.dtype.kind == "b" else "convert it to numbers"
        raise UserError(f"{expected}, found {images.dtype}; {remedy}")
    if images.dtype.kind == "f" and np.isnan(images).any():
        raise UserError(f"{expected}, found pixels that are missing (nan); fill them")
    if not 0 <= images.min() <= images.max() <= largest_pixel:
        found = f"{images.dtype.name} from {images.min()} to {images.max()}"
        raise UserError(f"{expected}, found {found}; scale them to that range")
    if whole and (images != np.rint(images)).any():
        remedy = f"multiply them by {largest_pixel}, and round them" if images.max() <= 1 else "round them"
        raise UserError(f"{expected}, found fractions up to {images.max()}; {remedy}")
    if images.shape[1:] == shape:
        return images.astype(image_format.dtype)
    as_bytes = np.rint(images * (UINT8_MAX / largest_pixel)).astype(np.uint8)
    return _scale(np.array([picture_files.resize(image, shape) for image in as_bytes]), image_format)


def _drop_channels(array: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Return an array without the axis of a single channel, last as in Keras or second as in PyTorch."""
    is_grey = len(shape) == GREY_IMAGE_NDIM
    if is_grey and array.ndim > 1 and array.shape[-1] == 1 and array.shape[-2] != 1:
        return array[..., 0]
    if is_grey and array.ndim == GREY_IMAGE_NDIM + 2 and array.shape[1] == 1:
        return array[:, 0]
    return array


def _scale(pixels: NDArray[np.uint8], image_format: ImageFormat) -> NDArray[Any]:
    """Convert pixels from 0 to 255 to the range and dtype that the network takes."""
    if image_format.largest_pixel == UINT8_MAX:
        return pixels.astype(image_format.dtype)
    values = pixels * (image_format.largest_pixel / UINT8_MAX)
    return (values if image_format.dtype.kind == "f" else np.rint(values)).astype(image_format.dtype)
