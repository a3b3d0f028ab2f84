"""Import of a folder of pictures: its layout, its classes, one size for all, and the parts to draw."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stages.common.errors import UserError
from stages.common.fields import ClassName
from stages.common.validation import validate
from stages.common.wording import join_names
from stages.sources import picture_folders, picture_parts, pictures
from stages.sources.schema import Pictures
from tools.new import picture_layout
from tools.new.picture_layout import Layout

LONGEST_SIDE = 64  # pixels; the layers have weights or products for each
SHORTEST_SIDE = 8  # pixels; of pictures that have as many, so that a long picture does not become a line
DRAWN_SHARE = 0.2  # of the pictures, for each part that must be drawn
SEED = 0


def import_pictures(origin: str, folder: Path, groups: str | None) -> tuple[dict[str, Any], list[str]]:
    """Write the pictures of a folder, or of a .zip or .tar file, as IDX files.

    Args:
        origin: the folder or file.
        folder: gets the IDX files.
        groups: what tells the groups that must not be divided, as `source.groups` in params.yaml.

    Returns:
        The content of `source` in params.yaml, and notes on what was left out or drawn.

    Raises:
        UserError: if there are no classes of pictures, or files that are none.
    """
    with picture_folders.open_folder(origin) as root:
        layout = picture_layout.find_layout(root)
        classes = picture_layout.list_classes(root / layout.train)
        _expect_names(classes, root / layout.train)
        _expect_test_classes(layout, classes, root)
        files = picture_folders.list_by_class(root / layout.train, classes)
        # One to train on, one for validation, and one for the test unless there are test pictures.
        _expect_enough(files, 2 if layout.test else 3, classes, root / layout.train)
        notes = [*layout.notes, *_note_nested_classes(root / layout.train, classes)]
        others = [
            file
            for place in (layout.validation, layout.test)
            if place is not None
            for file, _ in picture_folders.list_by_class(root / place, classes)
        ]
        height, width, channels = choose_shape([file for file, _ in files], others)
        source: dict[str, Any] = {"kind": "pictures", "folder": origin, "train": layout.train}
        draw = {"images": max(len(classes), round(DRAWN_SHARE * len(files))), "seed": SEED}
        source["test"] = layout.test or draw
        if layout.validation or groups is not None:
            source["validation"] = layout.validation or dict(draw)
        if groups is not None:
            source["groups"] = groups
        source |= {"classes": classes, "height": height, "width": width, "channels": channels}
        checked: Pictures = validate(Pictures, source, "FROM")
        parts = picture_parts.divide(checked, root)
        pictures.write_parts(checked, parts, root, folder)
        if layout.test is None:
            by = f", whole groups by {groups!r}" if groups else ""
            notes.append(
                f"no test pictures there: {len(parts['test']):,} of {len(files):,} were drawn, of every "
                f"class its share{by}, by source.test in params.yaml"
            )
        return source, notes


def choose_shape(files: Sequence[Path], others: Sequence[Path] = ()) -> tuple[int, int, int]:
    """Return one height, width and number of channels for pictures of any sizes.

    These are the medians, made smaller until no side has more than `LONGEST_SIDE` pixels; 3 channels if any
    picture has colours, whatever its file could have.

    Args:
        files: the training pictures.
        others: pictures that do not count, but are refused at the same time if they are none.

    Raises:
        UserError: naming the files that are no pictures.
    """
    sizes = pictures.read_sizes([*files, *others])[: len(files)]
    height, width = (int(side) for side in np.median(sizes, axis=0))
    scale = min(1, LONGEST_SIDE / max(height, width))
    height, width = (max(round(side * scale), min(side, SHORTEST_SIDE)) for side in (height, width))
    return height, width, 3 if pictures.any_has_colours(files) else 1


def _expect_names(classes: Sequence[str], part: Path) -> None:
    for name in classes:
        try:
            name.encode()
        except UnicodeEncodeError:
            raise UserError(
                f"{part}/{name!r}: expected a name in UTF-8, found other bytes; rename the folder"
            ) from None
        try:
            validate(ClassName, name, f"{part}/{name!r}")
        except UserError as error:
            raise UserError(str(error).replace("rename the class", "rename the folder")) from None


def _expect_test_classes(layout: Layout, classes: Sequence[str], root: Path) -> None:
    for place in filter(None, (layout.test, layout.validation)):
        strange = [name for name in picture_layout.list_classes(root / place) if name not in classes]
        if strange:
            raise UserError(
                f"{root / place / strange[0]}: expected folders of the same classes as in "
                f"{root / layout.train}, found {join_names(strange)}, of which there are no "
                "training pictures; rename or remove the folder, or add training pictures"
            )


def _expect_enough(files: Sequence[tuple[Path, int]], least: int, classes: Sequence[str], part: Path) -> None:
    counts = np.bincount([label for _, label in files], minlength=len(classes))
    few = [(name, count) for name, count in zip(classes, counts, strict=True) if count < least]
    if few:
        found = join_names([f"{count} of {name}" for name, count in few])
        raise UserError(
            f"{part}: expected at least {least} pictures of a class, found {found}; add pictures, or move "
            "the folders of these classes elsewhere"
        )


def _note_nested_classes(part: Path, classes: Sequence[str]) -> list[str]:
    """Return a note for each class whose folder has folders in it, whose pictures belong to that class.

    If all classes have folders of the same names, these may be the classes: a single note says so.
    """
    notes = []
    folders = [
        folder
        for folder in picture_folders.list_folders(part)
        if picture_folders.name_class(folder) in classes
    ]
    if len(same := set.intersection(*(set(picture_layout.list_classes(folder)) for folder in folders))) > 1:
        return [
            f"warning: every class has the same folders in it: {join_names(sorted(same))}. If these are the "
            f"classes, put them into one folder each, without {join_names(classes)}"
        ]
    for folder in folders:
        name = picture_folders.name_class(folder)
        inner = [picture_folders.name_class(path) for path in picture_folders.list_folders(folder)]
        if twins := [other for other in inner if other in classes]:
            notes.append(
                f"{part / name} has folders of other classes in it: {', '.join(twins)}; their pictures "
                f"count as {name}"
            )
        elif inner:
            notes.append(f"{part / name} has folders in it, whose pictures count as {name}")
    return notes
