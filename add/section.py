"""The section of params.yaml for a data set that has just been fetched."""

import io
import re
from math import ceil, log
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ruamel.yaml import YAML

from stages import idx, layout, pictures
from stages.parameters import Dataset, Parameters

MOST_NAMED = 100  # classes in a list of their own names, where those are only numbers
VALIDATION_SHARE, MOST_VALIDATION_IMAGES = 0.1, 5000
INDENT = "  "


def of(
    source: dict[str, Any], files: dict[str, dict[str, Any]], folder: Path, known: Parameters
) -> dict[str, Any]:
    """All that params.yaml says of a data set.

    What the files do not tell, the hyperparameters, is that of the data set nearest in size.

    Args:
        source: as in params.yaml.
        files: likewise.
        folder: where the files are.
        known: the other data sets.
    """
    images, labels = idx.read(folder / layout.TRAIN_IMAGES), idx.read(folder / layout.TRAIN_LABELS)
    like = min(known.datasets.values(), key=lambda other: abs(log(_images(other) / max(1, len(labels)))))
    classes = _classes(source, labels)
    largest_pixel = _largest_pixel(images)
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
            "background": pictures.background(images, largest_pixel),
            "limits": [],
        },
    }


def _images(dataset: Dataset) -> int:
    return dataset.files.train_labels.bytes  # one a label, nearly


def _classes(source: dict[str, Any], labels: NDArray[Any]) -> list[str] | int:
    if source["kind"] == "pictures":
        return pictures.classes(Path(source["folder"]))
    first, last = min(1, int(labels.min())), int(labels.max())
    return last + 1 if first == 0 and last >= MOST_NAMED else [str(n) for n in range(first, last + 1)]


def _largest_pixel(images: NDArray[Any]) -> int:
    largest = ceil(images.max())
    bytes_in_full = images.dtype == np.uint8 and largest > np.iinfo(np.uint8).max // 2
    return int(np.iinfo(np.uint8).max) if bytes_in_full else max(1, largest)


def inserted(text: str, name: str, section: dict[str, Any]) -> str:
    """The text of params.yaml with one more data set, the last one, and all else as it was."""
    dumped = io.StringIO()
    YAML().dump({name: section}, dumped)
    block = "".join(f"{INDENT}{line}" for line in dumped.getvalue().splitlines(keepends=True))
    start = re.search(r"^datasets:.*\n", text, re.MULTILINE)
    after = start.end() if start else len(text)
    rest = re.compile(r"^[^\s#]", re.MULTILINE).search(text, after)
    end = rest.start() if rest else len(text)
    before = text[:end].rstrip("\n")
    return f"{before}\n\n{block}\n{text[end:]}"


def summary(section: dict[str, Any]) -> str:
    """The section in a few words."""
    classes = section["classes"]
    number = classes if isinstance(classes, int) else len(classes)
    return f"{number} classes, {section['validation_images']:,} images held out for validation"
