"""Picture files, such as PNG and JPEG, as images of one size."""

import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from stages.common.errors import UserError

# What cameras, scanners and browsers write. Pillow knows more, some of which start other programs.
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
# Modes of eight bits a channel; Pillow would clip brighter pixels of other modes.
MODES = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "CMYK", "YCbCr")
GREY_MODES = ("1", "L", "LA", "La")
GREYEST_COLOUR = 2  # of 255: differences of red, green and blue up to which a pixel is grey, but for rounding
SIXTEEN_BIT_MODES = ("I;16", "I;16L", "I;16B", "I;16N")
SIXTEEN_TO_EIGHT_BITS = 257  # 65,535 becomes 255
SIDEWAYS_ORIENTATIONS = range(5, 9)  # of EXIF: width and height are exchanged
WHITE = (255, 255, 255, 255)  # behind transparent pixels
OVERSAMPLING = 4  # a large JPEG file is decoded at no more than it takes: this many times the wanted size
# Remedies by the suffix or by the beginning of a file that is no picture.
REMEDIES = {
    ".heic": "save it as JPEG",
    ".heif": "save it as JPEG",
    ".gz": "decompress it",
    ".zip": "unpack it",
    ".pdf": "save its pages as PNG",
    ".svg": "save it as PNG",
    **dict.fromkeys((".mov", ".mp4", ".avi", ".mkv", ".webm"), "move the video elsewhere"),
}
GZIP_MAGIC = b"\x1f\x8b"
PICTURE_MAGICS = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"II*\0", b"MM\0*")


# Reasons why a file cannot be read, by the kind of the error.
REASONS: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...] = (
    (FileNotFoundError, "no file; check its name"),
    (PermissionError, "a file that you may not read; change its permissions"),
    ((Image.DecompressionBombError, Image.DecompressionBombWarning), "too many pixels; make it smaller"),
)


class PictureError(Exception):
    """The reason why a file is no picture that can be read, and what to do about it."""


def read(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Read a picture, of any size and in grey or colour, upright, on white where it is transparent.

    Args:
        path: a file that Pillow can read.
        shape: (height, width) or (height, width, 1) for grey, (height, width, 3) for red, green and blue.

    Returns:
        The pixels, of that shape, from 0 to 255. A picture of another size is stretched.

    Raises:
        UserError: if the file is missing, is no picture, or is too large.
    """
    try:
        with ignore_warnings():
            return read_or_raise(path, shape)
    except PictureError as error:
        raise UserError(f"{path}: expected a picture, found {error}") from None


@contextmanager
def ignore_warnings() -> Iterator[None]:
    """Keep Pillow's warnings from the terminal: what matters of them is an error here.

    (The filters of warnings belong to the process, so threads are started inside of this.)
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def read_or_raise(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Read a picture as `read` does, but raise a PictureError, and let Pillow warn."""
    try:
        return resize(flatten(open_upright(path, max(shape[:2]))), shape)
    except PictureError:
        raise
    except Exception as error:  # noqa: BLE001 - a file may be anything, and Pillow raise anything
        raise _diagnose(path, error) from None


def open_upright(path: Path, side: int) -> Image.Image:
    """Decode a picture, and turn it upright.

    Args:
        path: a file that Pillow can read.
        side: the pixels of the longer side that will be needed; the picture may be larger, or smaller.

    Raises:
        PictureError: if the file is no picture.
    """
    try:
        with _open(path) as opened:
            opened.draft(None, (OVERSAMPLING * side, OVERSAMPLING * side))
            return ImageOps.exif_transpose(opened)
    except PictureError:
        raise
    except Exception as error:  # noqa: BLE001 - a file may be anything, and Pillow raise anything
        raise _diagnose(path, error) from None


def flatten(image: Image.Image, behind: tuple[int, int, int, int] = WHITE) -> NDArray[np.uint8]:
    """Return the pixels in red, green and blue, from 0 to 255, shape (h, w, 3).

    Args:
        image: of any mode.
        behind: the colour behind what is transparent, opaque.

    Raises:
        PictureError: if the pixels have no eight or sixteen bits a channel.
    """
    if image.mode in SIXTEEN_BIT_MODES:
        values = np.asarray(image, np.uint16)
        image = Image.fromarray((values // SIXTEEN_TO_EIGHT_BITS).astype(np.uint8))
    if image.mode not in MODES:
        raise PictureError(f"pixels of the type {image.mode}; save it with eight bits a channel")
    if image.has_transparency_data:
        image = Image.alpha_composite(Image.new("RGBA", image.size, behind), image.convert("RGBA"))
    return np.asarray(image.convert("RGB"))


def read_size(path: Path) -> tuple[int, int]:
    """Return height and width of a picture held upright.

    Raises:
        PictureError: if the file is no picture.
    """
    try:
        with _open(path) as image:
            sideways = image.getexif().get(ExifTags.Base.Orientation) in SIDEWAYS_ORIENTATIONS
            width, height = image.size[::-1] if sideways else image.size
            return height, width
    except PictureError:
        raise
    except Exception as error:  # noqa: BLE001 - as in `read_or_raise`
        raise _diagnose(path, error) from None


def has_colours(path: Path) -> bool:
    """Return whether a picture has a pixel that is not grey, whatever its file could have.

    Raises:
        PictureError: if the file is no picture.
    """
    try:
        with _open(path) as image:
            if image.mode in (*GREY_MODES, *SIXTEEN_BIT_MODES):
                return False
            pixels = flatten(image)
        return bool((pixels.max(axis=2) - pixels.min(axis=2)).max() > GREYEST_COLOUR)
    except PictureError:
        raise
    except Exception as error:  # noqa: BLE001 - as in `read_or_raise`
        raise _diagnose(path, error) from None


def _open(path: Path) -> Image.Image:
    """Open a picture without decoding its pixels."""
    if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for
        raise PictureError("a folder, a device or a pipe; move it elsewhere")
    Image.init()  # or Pillow does not know all of these formats
    image = Image.open(path, formats=FORMATS)
    if image.width * image.height > (Image.MAX_IMAGE_PIXELS or 0):
        width, height = image.size
        image.close()
        raise PictureError(
            f"{width:,} x {height:,} pixels, more than {Image.MAX_IMAGE_PIXELS or 0:,}; make it smaller"
        )
    return image


def _diagnose(path: Path, error: Exception) -> PictureError:
    """Return the reason why a file cannot be read, with a remedy that fits it."""
    for kinds, reason in REASONS:
        if isinstance(error, kinds):
            return PictureError(reason)
    if not isinstance(error, UnidentifiedImageError):
        return PictureError(f"a damaged one ({error}); copy it again, or remove it")
    with path.open("rb") as file:
        start = file.read(max(map(len, PICTURE_MAGICS)))
    if not start:
        return PictureError("an empty file; copy it again, or remove it")
    if start.startswith(PICTURE_MAGICS):
        return PictureError("a damaged one (it breaks off in its header); copy it again, or remove it")
    suffix = ".gz" if start.startswith(GZIP_MAGIC) else path.suffix.lower()
    remedy = REMEDIES.get(suffix, "move it elsewhere, or save it as PNG")
    return PictureError(f"a file of another format; {remedy}")


def resize(pixels: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return an image of another size, stretched if need be, in the colours of that shape.

    Args:
        pixels: shape (h, w), (h, w, 1) or (h, w, 3).
        shape: (height, width) or (height, width, channels) of the result.
    """
    height, width, *channels = shape
    grey = pixels.shape[2:] != (3,)
    image = Image.fromarray(pixels.reshape(pixels.shape[:2]) if grey else pixels).convert(
        "RGB" if channels == [3] else "L"
    )
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.LANCZOS)
    return np.asarray(image).reshape(shape)
