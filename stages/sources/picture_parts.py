"""Parts of a folder of pictures: folders, or drawn from those for training, maybe in whole groups."""

import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold, train_test_split

from stages.common import layout
from stages.common.errors import UserError
from stages.common.wording import join_names
from stages.sources import picture_folders
from stages.sources.schema import Draw, Pictures

LabelledFiles = list[tuple[Path, int]]
SINGLE_PART_FOLDS = 2  # the least number of parts into which StratifiedGroupKFold divides


def divide(source: Pictures, root: Path) -> dict[str, LabelledFiles]:
    """Return the files of each part with their labels, in the order in which they are stored.

    Args:
        source: names the parts.
        root: the folder of the source, unpacked.
    """
    training = picture_folders.list_by_class(root / source.train, source.classes)
    _expect_every_class(training, source, root)
    parts = {}
    for part, place in (("test", source.test), ("validation", source.validation)):
        if isinstance(place, Draw):
            drawn = set(draw(training, place, source, root, f"source.{part}.images"))
            parts[part] = [item for row, item in enumerate(training) if row in drawn]
            training = [item for row, item in enumerate(training) if row not in drawn]
            if source.groups is not None:
                _expect_groups_of_every_class(training, source, root)
            _expect_every_class(training, source, root)
        elif place is not None:
            parts[part] = picture_folders.list_by_class(root / place, source.classes)
            if not parts[part]:
                raise UserError(f"{root / place}: expected pictures in folders of classes, found none")
    parts["train"] = training
    if source.groups is not None:
        _expect_whole_groups(parts, source.groups, root)
    return {part: parts[part] for part in layout.PARTS if part in parts}


def _expect_whole_groups(parts: Mapping[str, LabelledFiles], groups: str, root: Path) -> None:
    """Raise a UserError if a group has pictures in two parts, as parts that are folders may have."""
    places: dict[str, str] = {}
    for part, files in sorted(parts.items()):  # test first: a folder's, rather than a part that was drawn
        for group in set(find_groups([file for file, _ in files], groups, root)):
            if (other := places.setdefault(group, part)) != part:
                raise UserError(
                    f"{root}: expected each group, by {groups!r}, in one part, found {group!r} in {other} "
                    f"and in {part}; move its pictures into one of these folders"
                )


def _expect_groups_of_every_class(training: LabelledFiles, source: Pictures, root: Path) -> None:
    """Raise a UserError if a class has no pictures left to train on, since all were drawn in one group."""
    counts = np.bincount([label for _, label in training], minlength=len(source.classes))
    if counts.min() == 0:
        raise UserError(
            f"{root / source.train / source.classes[counts.argmin()]}: expected several groups in a class, "
            f"by {source.groups!r}, since groups are drawn whole, found too few; correct source.groups"
        )


def _expect_every_class(training: LabelledFiles, source: Pictures, root: Path) -> None:
    counts = np.bincount([label for _, label in training], minlength=len(source.classes))
    for name, count in zip(source.classes, counts, strict=True):
        if count == 0:
            raise UserError(
                f"{root / source.train / name}: expected training pictures of this class, found none or too "
                "few to draw from; add pictures, or move the folder elsewhere and run: make refresh NAME=..."
            )


def draw(files: LabelledFiles, part: Draw, source: Pictures, root: Path, key: str) -> list[int]:
    """Return the rows of files that are drawn for a part, in ascending order, of every class its share.

    Args:
        files: to draw from, with their labels.
        part: how many to draw, and the seed.
        source: names the classes, and what tells groups; these are drawn whole, so that the number is not
            exact.
        root: the folder of the source.
        key: the name of the number in params.yaml, for errors.

    Raises:
        UserError: if the number is too small or too large, or there are too few groups.
    """
    labels = [label for _, label in files]
    counts = np.bincount(labels, minlength=len(source.classes))
    if source.groups is None and not len(counts) <= part.images <= len(files) - len(counts):
        raise UserError(
            f"params.yaml: {key}: expected from {len(counts)} (one a class) to {len(files) - len(counts)} of "
            f"the {len(files)} pictures in {root}, found {part.images}; correct the number, or add pictures"
        )
    if counts.min() < 2:  # noqa: PLR2004 - one to draw, one to leave
        raise UserError(
            f"{root / source.train / source.classes[counts.argmin()]}: expected at least two pictures of a "
            f"class to draw from, found {counts.min()}; add pictures, or move the folder elsewhere"
        )
    if source.groups is None:
        _, drawn = train_test_split(
            np.arange(len(files)), test_size=part.images, stratify=labels, random_state=part.seed
        )
    else:
        names = find_groups([file for file, _ in files], source.groups, root)
        if len(set(names)) < 2:  # noqa: PLR2004 - likewise
            raise UserError(
                f"{root}: expected at least two groups to draw from, by {source.groups!r}, found one: "
                f"{names[0]}; correct source.groups"
            )
        drawn = _draw_groups(labels, names, part)
    return sorted(int(row) for row in drawn)


def _draw_groups(labels: list[int], names: list[str], part: Draw) -> NDArray[np.int64]:
    """Return the rows of whole groups, as near to the number of images as the most even division comes."""
    folds = max(SINGLE_PART_FOLDS, min(len(set(names)), round(len(names) / part.images)))
    division = StratifiedGroupKFold(folds, shuffle=True, random_state=part.seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes with fewer images than there are parts
        parts = [rows for _, rows in division.split(names, labels, names)]
    return min(parts, key=lambda rows: abs(len(rows) - part.images))


def find_groups(files: Sequence[Path], groups: str, root: Path) -> list[str]:
    """Return the group of each file.

    Args:
        files: paths of pictures.
        groups: a regular expression for their paths, or the path of a .csv file, relative to `root`.
        root: the folder of the source.

    Raises:
        UserError: if files are of no group.
    """
    paths = [file.relative_to(root).as_posix() for file in files]
    if groups.endswith(".csv"):
        table = _read_groups(root / groups)
        found = [table.get(path) for path in paths]
    else:
        matches = [re.search(groups, path) for path in paths]
        found = [match[1] if match else None for match in matches]
    if strays := [path for path, group in zip(paths, found, strict=True) if group is None]:
        raise UserError(
            f"{root}: expected a group for each picture, by {groups!r}, found none for {len(strays):,} of "
            f"{len(paths):,}: {join_names(strays)}; correct source.groups"
        )
    return [str(group) for group in found]


def _read_groups(path: Path) -> dict[str, str]:
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        if table["file"].duplicated().any() or (table["group"] == "").any():
            raise ValueError("a file twice, or without a group")  # noqa: TRY301 - one message for all
        return dict(zip(table["file"], table["group"], strict=True))
    except (OSError, ValueError, KeyError) as error:
        raise UserError(
            f"{path}: expected a table with the columns file and group, found: {error}; correct source.groups"
        ) from None
