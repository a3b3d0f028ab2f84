"""Pictures in files, as PNG or JPEG, and as images of the size that a network takes."""

import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

from stages import idx, layout
from stages.errors import UserError
from stages.sources import Pictures

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
# Eight bits a channel; of others, Pillow would cut off what is brighter.
MODES = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "CMYK", "YCbCr")
GREY_MODES = ("1", "L", "LA", "La")
ON_THE_SIDE = range(5, 9)  # EXIF's orientations whose width is the height
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


def background(images: NDArray[Any], largest_pixel: int) -> Literal["dark", "light"]:
    """What is behind the things on images, shape (n, height, width, ...), as their edges tell."""
    edges = (images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1])
    mean = np.concatenate([edge.ravel() for edge in edges]).mean()
    return "light" if mean > largest_pixel / 2 else "dark"


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
        UserError: if a file is no picture, or a class of test pictures has none for training.
    """
    names = classes(Path(source.folder))
    shape = (source.height, source.width) if source.channels == 1 else (source.height, source.width, 3)
    for part, (images, labels) in PARTS.items():
        by_class = files_by_class(Path(source.folder, part))
        for name in by_class.keys() - names:
            raise UserError(
                f"{Path(source.folder, part, name)}: expected a class with pictures in "
                f"{Path(source.folder, 'train', name)}, found no such folder"
            )
        files = [(file, names.index(name)) for name, of_class in by_class.items() for file in of_class]
        pixels = np.empty((len(files), *shape), np.uint8)
        for row, (file, _) in enumerate(files):
            pixels[row] = read(file, shape)
        idx.write(folder / images, pixels)
        idx.write(folder / labels, np.array([label for _, label in files], np.int32))


def commonest_shape(folder: Path) -> tuple[int, int, int]:
    """The height, width and number of channels that most training pictures have; colour if any has it."""
    sizes: Counter[tuple[int, int]] = Counter()
    channels = 1
    for image in _opened(folder / "train"):
        lying = image.getexif().get(ExifTags.Base.Orientation) in ON_THE_SIDE
        sizes[image.size if lying else image.size[::-1]] += 1
        if image.mode not in GREY_MODES:
            channels = 3
    ((height, width), _), *_ = sizes.most_common(1)
    return height, width, channels


def _opened(folder: Path) -> Iterator[Image.Image]:
    for file in (file for files in files_by_class(folder).values() for file in files):
        try:
            with Image.open(file) as image:
                yield image
        except Exception as error:  # noqa: BLE001 - as in `read`
            raise UserError(f"{file}: expected a picture, found: {error}; move it elsewhere") from None
