"""Pictures in files, as PNG or JPEG, and as images of the size that a network takes."""

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
# Eight bits a channel; of others, Pillow would cut off what is brighter.
MODES = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "CMYK", "YCbCr")
GREY_MODES = ("1", "L", "LA", "La")
ON_THE_SIDE = range(5, 9)  # EXIF's orientations whose width is the height
EXCEPTIONS = 0.05  # the share of images whose edges are otherwise, where all have one background
WHITE = (255, 255, 255, 255)  # under what is transparent
PARTS = {
    "train": (layout.TRAIN_IMAGES, layout.TRAIN_LABELS),
    "test": (layout.TEST_IMAGES, layout.TEST_LABELS),
}


def read(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Read a picture, of any size and in grey or colour, upright, on white where it is transparent.

    Args:
        path: of a file that Pillow can read.
        shape: (height, width) or (height, width, 1) for grey, (height, width, 3) for red, green and blue.

    Returns:
        Its pixels, of that shape, from 0 to 255. A picture of another size has been stretched to it.

    Raises:
        UserError: if the file is missing, no picture, or of more than eight bits a channel.
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
            return resized(np.asarray(upright.convert("RGB")), shape)
    except FileNotFoundError:
        raise UserError(f"{path}: expected a picture, found no file; check its name") from None
    except Exception as error:  # noqa: BLE001 - a file may be anything, and Pillow raise anything
        raise UserError(
            f"{path}: expected a picture of eight bits a channel, found: {error}; convert it to PNG"
        ) from None


def resized(pixels: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """An image in the given size, stretched if need be, and in grey or colour as that is.

    Args:
        pixels: shape (h, w), (h, w, 1) or (h, w, 3).
        shape: of the result.
    """
    height, width, *channels = shape
    grey = pixels.shape[2:] != (3,)
    image = Image.fromarray(pixels.reshape(pixels.shape[:2]) if grey else pixels).convert(
        "RGB" if channels == [3] else "L"
    )
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.LANCZOS)
    return np.asarray(image).reshape(shape)


def background(images: NDArray[Any], largest_pixel: int) -> Literal["dark", "light"] | None:
    """What is behind the things on images, shape (n, height, width, ...), as the edges of each tell.

    Returns:
        None if it is dark on some and light on others, as on photographs.
    """
    edges = (images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1])
    means = np.concatenate([edge.reshape(len(images), -1) for edge in edges], axis=1).mean(axis=1)
    light = (means > largest_pixel / 2).mean()
    return "light" if light > 1 - EXCEPTIONS else "dark" if light < EXCEPTIONS else None


def files_by_class(folder: Path) -> dict[str, list[Path]]:
    """The pictures of each class: those in its sub-folder, in alphabetical order, without hidden files.

    Raises:
        UserError: if there are no pictures in sub-folders, or something else is.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: expected pictures in a sub-folder for each class, found none")
    found = {
        sub.name: sorted(file for file in sub.iterdir() if not file.name.startswith("."))
        for sub in sorted(folder.iterdir())
        if sub.is_dir() and not sub.name.startswith(".")
    }
    if not any(found.values()):
        raise UserError(f"{folder}: expected pictures in a sub-folder for each class, found none")
    for file in (file for files in found.values() for file in files):
        if file.suffix.lower() not in SUFFIXES:
            raise UserError(f"{file}: expected a picture, one of {', '.join(SUFFIXES)}; move it elsewhere")
    return found


def classes(folder: Path) -> list[str]:
    """The names of the classes in the order of their labels: alphabetical."""
    return list(files_by_class(folder / "train"))


def write_files(source: Pictures, folder: Path) -> None:
    """Write the four IDX files of a folder of pictures into another.

    Raises:
        UserError: if a file is no picture, folders are not those of the classes, or the memory is too small.
    """
    names = source.classes
    shape = (source.height, source.width) if source.channels == 1 else (source.height, source.width, 3)
    for part, (images, labels) in PARTS.items():
        place = Path(source.folder, part)
        by_class = files_by_class(place)
        if unknown := sorted(by_class.keys() - names):
            raise UserError(
                f"{place / unknown[0]}: expected a class in source.classes in params.yaml, found another "
                "sub-folder; remove it, or add the data set anew"
            )
        empty = [name for name in names if not by_class.get(name)]
        if empty and part == "train":
            raise UserError(f"{place / empty[0]}: expected pictures of this class, found none")
        files = [(file, label) for label, name in enumerate(names) for file in by_class.get(name, [])]
        try:
            pixels = np.empty((len(files), *shape), np.uint8)
        except MemoryError as error:
            raise UserError(f"{place}: expected pictures that the memory holds, found: {error}") from None
        for row, (file, _) in enumerate(files):
            pixels[row] = read(file, shape)
        idx.write(folder / images, pixels)
        idx.write(folder / labels, np.array([label for _, label in files], np.int32))


def commonest_shape(folder: Path) -> tuple[int, int, int]:
    """The height, width and number of channels that most training pictures have; colour if any has it."""
    shapes = [_shape(file) for files in files_by_class(folder / "train").values() for file in files]
    ((height, width), _), *_ = Counter((height, width) for height, width, _ in shapes).most_common(1)
    return height, width, max(channels for *_, channels in shapes)


def _shape(file: Path) -> tuple[int, int, int]:
    try:
        with Image.open(file) as image:
            on_the_side = image.getexif().get(ExifTags.Base.Orientation) in ON_THE_SIDE
            width, height = image.size[::-1] if on_the_side else image.size
            return height, width, 1 if image.mode in GREY_MODES else 3
    except Exception as error:  # noqa: BLE001 - as in `read`
        raise UserError(f"{file}: expected a picture, found: {error}; move it elsewhere") from None
