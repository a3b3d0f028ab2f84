"""A data set from a folder of pictures, as IDX files."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from stages.common import layout
from stages.common.errors import UserError
from stages.common.wording import join_names
from stages.sources import idx, picture_files, picture_folders, picture_list, picture_parts
from stages.sources.picture_files import PictureError
from stages.sources.picture_parts import LabelledFiles
from stages.sources.schema import Pictures

MOST_PROBLEMS_SHOWN = 3
COLOURS_AT_ONCE = 64  # pictures that are decoded before the first one with colours ends the search


def write_files(source: Pictures, folder: Path) -> None:
    """Write the IDX files of a folder of pictures into another.

    Raises:
        UserError: if files are no pictures, a folder is no class, a class has no training pictures, a part
            cannot be drawn, or the memory is too small.
    """
    with picture_folders.open_folder(source.folder) as root:
        write_parts(source, picture_parts.divide(source, root), root, folder)


def write_parts(source: Pictures, parts: Mapping[str, LabelledFiles], root: Path, folder: Path) -> None:
    """Write the IDX files of parts, as `picture_parts.divide` returns them, and the list of pictures.

    Raises:
        UserError: if files of any part are no pictures, or if the memory is too small.
    """
    problems = []
    for part, files in parts.items():
        images, labels = layout.PARTS[part]
        pixels, problems_of_part = read_all(files, source.image_shape, root, part)
        problems += problems_of_part
        idx.write(folder / images, pixels)
        idx.write(folder / labels, np.array([label for _, label in files], np.int32))
    refuse_bad_files(problems, sum(map(len, parts.values())))
    picture_list.write(
        folder,
        {part: [file.relative_to(root).as_posix() for file, _ in files] for part, files in parts.items()},
        {part: read_sizes([file for file, _ in files]) for part, files in parts.items()},
    )


def read_all(
    files: LabelledFiles, shape: tuple[int, ...], root: Path, part: str
) -> tuple[NDArray[np.uint8], list[str]]:
    """Read pictures, in parallel, as images of one shape.

    Args:
        files: the pictures; their labels are not used.
        shape: of an image.
        root: the folder of the source, for errors.
        part: for the bar of progress.

    Returns:
        The pixels, shape (n, *shape); and of each file that is no picture its path, the reason, the remedy.

    Raises:
        UserError: if the memory is too small.
    """
    try:
        pixels = np.empty((len(files), *shape), np.uint8)
    except MemoryError as error:
        raise UserError(
            f"{root}: expected pictures that the memory holds, found: {error}; lower source.height and "
            "source.width in params.yaml"
        ) from None

    def read(row: int) -> str | None:
        try:
            pixels[row] = picture_files.read_or_raise(files[row][0], shape)
        except PictureError as error:
            return f"{files[row][0]}: {error}"
        return None

    with picture_files.ignore_warnings(), ThreadPoolExecutor() as pool:
        results = tqdm(pool.map(read, range(len(files))), part, len(files), unit=" pictures", disable=None)
        problems = [problem for problem in results if problem]
    return pixels, problems


def refuse_bad_files(problems: Sequence[str], files: int) -> None:
    """Raise a UserError that says how many files are no pictures, and which the first ones are, if any are.

    If there are more, all of them are printed before, a line each.

    Args:
        problems: of each bad file its path, the reason and the remedy.
        files: the number of files that were read.
    """
    if not problems:
        return
    noun, above = "file" if len(problems) == 1 else "files", ""
    if len(problems) > MOST_PROBLEMS_SHOWN:
        print(*problems, sep="\n")
        above = ", as listed above"
    raise UserError(
        f"expected {files:,} pictures, found {len(problems):,} {noun} that cannot be read: "
        f"{join_names(problems, MOST_PROBLEMS_SHOWN, '; ')}{above}"
    )


def read_sizes(files: Sequence[Path]) -> list[tuple[int, int]]:
    """Return height and width of each picture, from the headers alone.

    Raises:
        UserError: naming the first few of the files that are no pictures.
    """

    def read(file: Path) -> tuple[int, int] | str:
        try:
            return picture_files.read_size(file)
        except PictureError as error:
            return f"{file}: {error}"

    with picture_files.ignore_warnings(), ThreadPoolExecutor() as pool:
        results = list(pool.map(read, files))
        if any(isinstance(result, str) for result in results):  # name all bad files, not their headers alone
            problems = [problem for problem in pool.map(_find_problem, files) if problem]
            refuse_bad_files(problems, len(files))
    return [result for result in results if not isinstance(result, str)]


def _find_problem(file: Path) -> str | None:
    """Return the path of a file that is no picture, with the reason and the remedy; None for a picture."""
    try:
        picture_files.read_or_raise(file, (1, 1))
    except PictureError as error:
        return f"{file}: {error}"
    return None


def any_has_colours(files: Sequence[Path]) -> bool:
    """Return whether a picture has a pixel that is not grey. Those that cannot be read count as grey."""

    def has_colours(file: Path) -> bool:
        try:
            return picture_files.has_colours(file)
        except PictureError:
            return False

    with picture_files.ignore_warnings(), ThreadPoolExecutor() as pool:
        return any(
            any(pool.map(has_colours, files[start : start + COLOURS_AT_ONCE]))
            for start in range(0, len(files), COLOURS_AT_ONCE)
        )
