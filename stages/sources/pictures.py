"""Pictures, such as PNG and JPEG files, as images of one size."""

import warnings
from collections import Counter
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

from stages.common import layout
from stages.common.errors import UserError
from stages.sources import idx
from stages.sources.schema import Pictures

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
# Modes of eight bits a channel; Pillow would clip brighter pixels of other modes.
MODES = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "CMYK", "YCbCr")
GREY_MODES = ("1", "L", "LA", "La")
SIDEWAYS_ORIENTATIONS = range(5, 9)  # of EXIF: width and height are exchanged
LARGEST_EXCEPTION_SHARE = 0.05  # of images with other edges in a data set of one background
WHITE = (255, 255, 255, 255)  # behind transparent pixels
PARTS = {
    "train": (layout.TRAIN_IMAGES, layout.TRAIN_LABELS),
    "test": (layout.TEST_IMAGES, layout.TEST_LABELS),
}


def read(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Read a picture, of any size and in grey or colour, upright, on white where it is transparent.

    Args:
        path: a file that Pillow can read.
        shape: (height, width) or (height, width, 1) for grey, (height, width, 3) for red, green and blue.

    Returns:
        The pixels, of that shape, from 0 to 255. A picture of another size is stretched.

    Raises:
        UserError: if the file is missing, is no picture, or has more than eight bits a channel.
    """
    try:
        with warnings.catch_warnings(action="error", category=Image.DecompressionBombWarning):
            with Image.open(path) as opened:
                upright = ImageOps.exif_transpose(opened)
            if upright.mode not in MODES:
                raise ValueError(f"the mode {upright.mode}")  # noqa: TRY301 - one message for all
            if upright.has_transparency_data:
                upright = Image.alpha_composite(
                    Image.new("RGBA", upright.size, WHITE), upright.convert("RGBA")
                )
            return resize(np.asarray(upright.convert("RGB")), shape)
    except FileNotFoundError:
        raise UserError(f"{path}: expected a picture, found no file; check its name") from None
    except Exception as error:  # noqa: BLE001 - a file may be anything, and Pillow raise anything
        raise UserError(
            f"{path}: expected a picture of eight bits a channel, found: {error}; convert it to PNG"
        ) from None


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


def find_background(images: NDArray[Any], largest_pixel: int) -> Literal["dark", "light"] | None:
    """Judge the background of images, shape (n, height, width, ...), by their edges.

    Returns:
        None if some images have dark edges and others light ones, as photographs do.
    """
    edges = (images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1])
    means = np.concatenate([edge.reshape(len(images), -1) for edge in edges], axis=1).mean(axis=1)
    light = (means > largest_pixel / 2).mean()
    return (
        "light"
        if light > 1 - LARGEST_EXCEPTION_SHARE
        else "dark"
        if light < LARGEST_EXCEPTION_SHARE
        else None
    )


def list_files_by_class(folder: Path) -> dict[str, list[Path]]:
    """Return the pictures in the sub-folder of each class, in alphabetical order, without hidden files.

    Raises:
        UserError: if sub-folders have no pictures, or other files.
    """
    by_class = {
        sub.name: sorted(file for file in sub.iterdir() if not file.name.startswith("."))
        for sub in (sorted(folder.iterdir()) if folder.is_dir() else ())
        if sub.is_dir() and not sub.name.startswith(".")
    }
    if not any(by_class.values()):
        raise UserError(
            f"{folder}: expected pictures in a sub-folder for each class, found none; put them into "
            f"{folder / 'CLASS'}"
        )
    for file in (file for files in by_class.values() for file in files):
        if file.suffix.lower() not in SUFFIXES:
            raise UserError(f"{file}: expected a picture, one of {', '.join(SUFFIXES)}; move it elsewhere")
    return by_class


def list_classes(folder: Path) -> list[str]:
    """Return the names of the classes in the order of their labels: alphabetical."""
    return list(list_files_by_class(folder / "train"))


def write_files(source: Pictures, folder: Path) -> None:
    """Write the four IDX files of a folder of pictures into another.

    Raises:
        UserError: if a file is no picture, a folder is no class, or the memory is too small.
    """
    names = source.classes
    shape = (source.height, source.width) if source.channels == 1 else (source.height, source.width, 3)
    for part, (images, labels) in PARTS.items():
        place = Path(source.folder, part)
        by_class = list_files_by_class(place)
        if unknown := sorted(by_class.keys() - names):
            raise UserError(
                f"{place / unknown[0]}: expected a class in source.classes in params.yaml, found another "
                "sub-folder; remove the sub-folder, or add the data set anew"
            )
        empty = [name for name in names if not by_class.get(name)]
        if empty and part == "train":
            raise UserError(
                f"{place / empty[0]}: expected pictures of this class, found none; put them there, or "
                "remove the class"
            )
        files = [(file, label) for label, name in enumerate(names) for file in by_class.get(name, [])]
        try:
            pixels = np.empty((len(files), *shape), np.uint8)
        except MemoryError as error:
            raise UserError(
                f"{place}: expected pictures that the memory holds, found: {error}; lower source.height and "
                "source.width in params.yaml"
            ) from None
        for row, (file, _) in enumerate(files):
            pixels[row] = read(file, shape)
        idx.write(folder / images, pixels)
        idx.write(folder / labels, np.array([label for _, label in files], np.int32))


def find_commonest_shape(folder: Path) -> tuple[int, int, int]:
    """Return the commonest height and width of training pictures, and 3 channels if any has colours."""
    shapes = [_read_shape(file) for files in list_files_by_class(folder / "train").values() for file in files]
    ((height, width), _), *_ = Counter((height, width) for height, width, _ in shapes).most_common(1)
    return height, width, max(channels for *_, channels in shapes)


def _read_shape(file: Path) -> tuple[int, int, int]:
    try:
        with Image.open(file) as image:
            sideways = image.getexif().get(ExifTags.Base.Orientation) in SIDEWAYS_ORIENTATIONS
            width, height = image.size[::-1] if sideways else image.size
            return height, width, 1 if image.mode in GREY_MODES else 3
    except Exception as error:  # noqa: BLE001 - as in `read`
        raise UserError(f"{file}: expected a picture, found: {error}; move it elsewhere") from None
