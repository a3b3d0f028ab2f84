"""Sections of params.yaml and tools.yaml for a data set that has just been imported."""

import io
import re
import textwrap
from math import ceil, floor, isfinite, log
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ruamel.yaml import YAML

from stages import preprocess
from stages.common import layout
from stages.common.errors import UserError
from stages.common.fields import MOST_CLASSES
from stages.parameters import Parameters
from stages.sources import idx, pictures

MOST_LISTED_CLASSES = 100  # in a list of names that are only numbers; for more, `classes` is their number
VALIDATION_SHARE, MOST_VALIDATION_IMAGES = 0.1, 5000
UINT8_MAX = 255
RESIZING_ERROR = 1e-3  # by which floating-point pixels exceed their range after an image is resized

DATASETS = re.compile(r"^datasets:.*", re.MULTILINE)
EMPTY_DATASETS = re.compile(r"^datasets:[ ]*\{\}", re.MULTILINE)
# A key at the left margin, with the comments and blank lines above the key.
NEXT_KEY = re.compile(r"^(?:#.*\n|[ ]*\r?\n)*(?=[^\s#])", re.MULTILINE)
BLANK_END = re.compile(r"(?:\r?\n[ ]*)+\Z")
INDENT = re.compile(r"^( +)[^\s#]", re.MULTILINE)


def build_section(
    source: dict[str, Any], files: dict[str, dict[str, Any]], folder: Path, parameters: Parameters
) -> dict[str, Any]:
    """Return the section of a data set in params.yaml.

    Hyperparameters are copied from the data set whose training images have the nearest number of bytes.

    Args:
        source: the content of `source` in params.yaml.
        files: the content of `files` in params.yaml.
        folder: the folder of the four IDX files.
        parameters: the content of params.yaml, with other data sets.

    Raises:
        UserError: if the images or the labels are not of a kind that the stages take.
    """
    size = files[layout.TRAIN_IMAGES]["bytes"]
    nearest = min(
        parameters.datasets.values(), key=lambda other: abs(log(other.files.train_images.bytes / size))
    )
    largest_pixel = UINT8_MAX if source["kind"] == "pictures" else _find_largest_pixel(folder)
    labels = preprocess.decode(
        folder / layout.TRAIN_IMAGES, folder / layout.TRAIN_LABELS, largest_pixel
    ).labels
    classes = _name_classes(source, labels)
    return {
        "source": source,
        "files": files,
        "classes": classes,
        "largest_pixel": largest_pixel,
        "validation_images": max(
            _count_classes(classes), min(int(VALIDATION_SHARE * len(labels)), MOST_VALIDATION_IMAGES)
        ),
        "seed": 0,
        "network": nearest.network.model_dump(),
        "training": nearest.training.model_dump(),
    }


def build_about(folder: Path, largest_pixel: int) -> dict[str, Any]:
    """Return the content of `about` in tools.yaml: the background of the images, and empty values.

    Args:
        folder: the folder of the four IDX files.
        largest_pixel: the largest value that a pixel may have.
    """
    return {
        "title": None,
        "licence": None,
        "source": None,
        "limits": [],
        "background": pictures.find_background(idx.read(folder / layout.TRAIN_IMAGES), largest_pixel),
    }


def _name_classes(source: dict[str, Any], labels: NDArray[Any]) -> list[str] | int:
    """Return the names of the classes, or the number of classes if they are many and start with 0."""
    if source["kind"] == "pictures":
        return list(source["classes"])
    first, last = min(1, int(labels.min())), int(labels.max())
    if last > MOST_CLASSES:
        raise UserError(f"{layout.TRAIN_LABELS}: expected labels up to {MOST_CLASSES:,}, found {last:,}")
    if first == 0 and last >= MOST_LISTED_CLASSES:
        return last + 1
    return [str(label) for label in range(first, last + 1)]


def _find_largest_pixel(folder: Path) -> int:
    parts = [idx.read(folder / name) for name in (layout.TRAIN_IMAGES, layout.TEST_IMAGES)]
    largest = max(float(images.max(initial=0)) for images in parts)
    if not isfinite(largest):
        raise UserError(f"{layout.TRAIN_IMAGES}: expected pixels that are numbers, found {largest}")
    whole = floor(largest)
    if largest > 1 and 0 < largest - whole < RESIZING_ERROR:
        raise UserError(
            f"{layout.TRAIN_IMAGES}: expected pixels up to a whole number, found {largest}; "
            f"clip them to {whole}"
        )
    are_bytes = all(images.dtype == np.uint8 for images in parts)
    return UINT8_MAX if are_bytes and largest > UINT8_MAX // 2 else max(1, ceil(largest))


def insert_section(text: str, name: str, section: dict[str, Any]) -> str:
    """Return the text of a YAML file with one more section, the last under `datasets`; the rest stays.

    Args:
        text: the text of params.yaml or tools.yaml; if `datasets` is missing, it is added at the end.
        name: the key of the section.
        section: its content.
    """
    text = EMPTY_DATASETS.sub("datasets:", text)
    key = DATASETS.search(text)
    start = key.end() if key else len(text)
    next_key = NEXT_KEY.search(text, start)
    end = next_key.start() if next_key else len(text)
    head = BLANK_END.sub("", text[:end])

    indent = INDENT.search(text, start, end)
    block = textwrap.indent(_dump({name: section}), indent[1] if indent else "  ")
    if key is None:
        block = f"datasets:\n{block}"
    line_end = "\r\n" if "\r\n" in text else "\n"
    block = f"\n\n{block.rstrip()}".replace("\n", line_end)
    return head + block + (text[len(head) :] or line_end)


def _dump(content: dict[str, Any]) -> str:
    stream = io.StringIO()
    YAML().dump(content, stream)
    return stream.getvalue()


def summarize(section: dict[str, Any]) -> str:
    """Return a summary of a section of params.yaml in a few words."""
    return (
        f"{_count_classes(section['classes'])} classes, "
        f"{section['validation_images']:,} images held out for validation"
    )


def _count_classes(classes: list[str] | int) -> int:
    return classes if isinstance(classes, int) else len(classes)
