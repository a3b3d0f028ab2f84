"""List of pictures: the file and the size of each image of a data set that was made of pictures."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from stages.common.layout import PICTURE_LIST


def write(
    folder: Path, files: Mapping[str, Sequence[str]], sizes: Mapping[str, Sequence[Sequence[int]]]
) -> None:
    """Write the list beside the raw files, in their order.

    Args:
        folder: of the raw files.
        files: of each part, the paths of its pictures in the folder of the source.
        sizes: of each part, the height and the width of each picture in pixels.
    """
    rows = [
        (part, _escape(file), height, width)
        for part in files
        for file, (height, width) in zip(files[part], sizes[part], strict=True)
    ]
    table = pd.DataFrame(rows, columns=["part", "file", "height", "width"])
    table.to_csv(folder / PICTURE_LIST, index=False, lineterminator="\n")


def read(folder: Path) -> pd.DataFrame | None:
    """Return the list beside raw files, with columns part, file, height and width; None if there is none."""
    path = folder / PICTURE_LIST
    return pd.read_csv(path, keep_default_na=False) if path.exists() else None


def _escape(name: str) -> str:
    """Return a name without control characters and without bytes that are no UTF-8."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in name
    )
