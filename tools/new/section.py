"""The section of params.yaml for a data set that has just been fetched."""

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
from stages.parameters import MOST_CLASSES, Parameters
from stages.sources import idx, pictures

MOST_NAMED = 100  # classes in a list of their own names, where those are only numbers
VALIDATION_SHARE, MOST_VALIDATION_IMAGES = 0.1, 5000
BYTE = 255
ROUNDING = 1e-3  # as resizing leaves it in floating-point pixels


def of(
    source: dict[str, Any], files: dict[str, dict[str, Any]], folder: Path, known: Parameters
) -> dict[str, Any]:
    """All that params.yaml says of a data set.

    What the files do not tell, the hyperparameters, is that of the data set with the nearest number of bytes.

    Args:
        source: as in params.yaml.
        files: likewise.
        folder: where the files are.
        known: the other data sets.

    Raises:
        UserError: if the files hold no images, or labels that are none.
    """
    size = files[layout.TRAIN_IMAGES]["bytes"]
    like = min(known.datasets.values(), key=lambda other: abs(log(other.files.train_images.bytes / size)))
    largest_pixel = BYTE if source["kind"] == "pictures" else _largest_pixel(folder)
    images, labels = preprocess.decode(
        folder / layout.TRAIN_IMAGES, folder / layout.TRAIN_LABELS, largest_pixel
    )
    classes = _classes(source, labels)
    return {
        "source": source,
        "files": files,
        "classes": classes,
        "largest_pixel": largest_pixel,
        "validation_images": max(
            classes if isinstance(classes, int) else len(classes),
            min(int(VALIDATION_SHARE * len(labels)), MOST_VALIDATION_IMAGES),
        ),
        "seed": 0,
        "network": like.network.model_dump(),
        "training": like.training.model_dump(),
        "about": {
            "title": None,
            "licence": None,
            "source": None,
            "limits": [],
            "background": pictures.background(images, largest_pixel),
        },
    }


def _classes(source: dict[str, Any], labels: NDArray[Any]) -> list[str] | int:
    if source["kind"] == "pictures":
        return list(source["classes"])
    first, last = min(1, int(labels.min())), int(labels.max())
    if last > MOST_CLASSES:
        raise UserError(f"{layout.TRAIN_LABELS}: expected labels up to {MOST_CLASSES:,}, found {last:,}")
    return last + 1 if first == 0 and last >= MOST_NAMED else [str(n) for n in range(first, last + 1)]


def _largest_pixel(folder: Path) -> int:
    of_both = [idx.read(folder / name) for name in (layout.TRAIN_IMAGES, layout.TEST_IMAGES)]
    largest = max(float(images.max(initial=0)) for images in of_both)
    if not isfinite(largest):
        raise UserError(f"{layout.TRAIN_IMAGES}: expected pixels that are numbers, found {largest}")
    whole = floor(largest)
    if largest > 1 and 0 < largest - whole < ROUNDING:
        raise UserError(
            f"{layout.TRAIN_IMAGES}: expected pixels up to a whole number, found {largest}; "
            f"clip them to {whole}"
        )
    in_bytes = all(images.dtype == np.uint8 for images in of_both)
    return BYTE if in_bytes and largest > BYTE // 2 else max(1, ceil(largest))


def inserted(text: str, name: str, section: dict[str, Any]) -> str:
    """The text of params.yaml with one more data set, the last one, and all else as it was."""
    line_end = "\r\n" if "\r\n" in text else "\n"
    text = text.replace("\r\n", "\n")
    start = re.search(r"^datasets:.*\n(?:[ ]*(?:#.*)?\n)*([ ]*)", text, re.MULTILINE)
    after, indent = (start.end(), start[1]) if start else (len(text), "")
    dumped = io.StringIO()
    YAML().dump({name: section}, dumped)
    block = textwrap.indent(dumped.getvalue(), indent)
    # The next section, or what is said above it.
    rest = re.compile(r"^(?:#.*\n|[ ]*\n)*(?=[^\s#])", re.MULTILINE).search(text, after)
    end = rest.start() if rest else len(text)
    before, behind = text[:end].rstrip("\n"), text[end:].lstrip("\n")
    whole = f"{before}\n\n{block}" + (f"\n{behind}" if behind else "")
    return whole.replace("\n", line_end)


def summary(section: dict[str, Any]) -> str:
    """The section in a few words."""
    classes = section["classes"]
    number = classes if isinstance(classes, int) else len(classes)
    return f"{number} classes, {section['validation_images']:,} images held out for validation"
