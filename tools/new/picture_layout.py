"""Layout of a folder of pictures: which sub-folders are parts of the data set, and which are classes."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from stages.common.errors import UserError
from stages.common.wording import join_names
from stages.sources import picture_folders

# Words that people use for a part in the name of its folder, in small letters, and words beside them.
PART_NAMES = {
    "train": ("train", "training", "trainset", "trn"),
    "validation": ("val", "valid", "validation", "valset", "dev"),
    "test": ("test", "tests", "testing", "testset", "tst", "t10k", "eval", "holdout"),
}
WORDS_BESIDE = {
    *("set", "split", "data", "dataset", "folder", "part", "my", "the"),
    *("image", "images", "img", "imgs", "picture", "pictures", "pic", "pics", "photo", "photos"),
}
DEEPEST_LEVEL = 4  # of folders around the one that holds the classes
EXPECTED = (
    "expected pictures in FOLDER/CLASS/*.png, or in FOLDER/train/CLASS and FOLDER/test/CLASS, in a folder "
    "for each of at least two classes"
)


@dataclass(frozen=True)
class Layout:
    """The parts of a folder of pictures.

    Attributes:
        train: the sub-folder with the classes of training pictures, relative to the folder; `.` for itself.
        validation: likewise, or None if there is none.
        test: likewise.
        notes: what was left out, or understood otherwise than its names say.
    """

    train: str
    validation: str | None = None
    test: str | None = None
    notes: list[str] = field(default_factory=list)


def find_layout(root: Path) -> Layout:
    """Find the parts of a folder of pictures.

    Raises:
        UserError: if there are no classes with pictures, or a part has two folders, naming what is there.
    """
    folder = _descend(root, root)
    parts = {part: _find_part(folder, part) for part in PART_NAMES}
    if parts["train"] is None:
        if others := [path.name for part, path in parts.items() if path is not None]:
            flat = [path for path in picture_folders.list_folders(folder) if _is_named(path, "train")]
            if flat:
                raise UserError(
                    f"{flat[0]}: expected a folder of pictures for each class, as in {others[0]}, found "
                    f"{_list_names(flat[0])}; put the pictures of a class into a folder"
                )
            raise UserError(
                f"{folder}: expected a folder train beside {' and '.join(others)}, found "
                f"{_list_names(folder)}; name the folder of the training pictures train"
            )
        classes = _list_classes(folder)
        _expect_classes_within_parts(classes)
        layout = Layout(_relate(folder, root), notes=_note_loose_files(folder))
    else:
        training = _descend(parts["train"], parts["train"])
        classes = _list_classes(training)
        inner = {"train": training}
        for part, path in parts.items():
            if part != "train" and path is not None:
                known_classes = set(list_classes(training)) & set(list_classes(path))
                inner[part] = path if known_classes else _descend(path, path)
        notes = [note for place in (folder, *inner.values()) for note in _note_loose_files(place)]
        known = {path for path in parts.values() if path is not None}
        others = [path.name for path in picture_folders.list_folders(folder) if path not in known]
        if others:
            notes.append(f"{', '.join(others)} beside {inner['train'].name}: left out")
        layout = Layout(**{part: _relate(place, root) for part, place in inner.items()}, notes=notes)
    if len(classes) < 2:  # noqa: PLR2004 - one class is nothing to choose from
        only = f", and pictures only in {classes[0].name}/" if classes else ""
        remedy = "add pictures of another class" if classes else "put the pictures of a class into a folder"
        raise UserError(f"{folder}: {EXPECTED}, found {_list_names(folder)}{only}; {remedy}")
    places = [root / place for place in (layout.train, layout.validation, layout.test) if place is not None]
    return replace(layout, notes=[*layout.notes, *(note for place in places for note in note_empty(place))])


def note_empty(part: Path) -> list[str]:
    """Return a note if folders of a part have no picture, so that they are no classes."""
    folders = picture_folders.list_folders(part)
    empty = [path.name for path in folders if not picture_folders.list_all_files(path)]
    return [f"warning: no pictures in {join_names(empty)} of {part}: left out"] if empty else []


def _expect_classes_within_parts(classes: Sequence[Path]) -> None:
    """Raise a UserError if each class has folders train and test, rather than each of these the classes."""
    inner = [{path.name for path in _list_classes(folder)} for folder in classes]
    same = set.intersection(*inner) if inner else set()
    if any(_is_named(Path(name), "train") for name in same):
        names = ", ".join(sorted(same))
        raise UserError(
            f"{classes[0].parent}: expected FOLDER/train/CLASS, found {names} in every folder of a class; "
            f"exchange the levels: train/{classes[0].name} for {classes[0].name}/train"
        )


def list_classes(part: Path) -> list[str]:
    """Return the names of the folders with pictures, in the order in which people count: 2 before 10."""
    return [picture_folders.name_class(path) for path in _list_classes(part)]


def _list_classes(part: Path) -> list[Path]:
    return [path for path in picture_folders.list_folders(part) if picture_folders.list_all_files(path)]


def _find_part(folder: Path, part: str) -> Path | None:
    """Return the folder of a part. A folder with that name and without folders in it is a class."""
    candidates = [
        path for path in picture_folders.list_folders(folder) if _is_named(path, part) and _list_classes(path)
    ]
    if len(candidates) > 1:
        names = ", ".join(path.name for path in candidates)
        raise UserError(
            f"{folder}: expected one folder of {part} pictures, found {names}; join or rename them"
        )
    return candidates[0] if candidates else None


def _is_named(folder: Path, part: str) -> bool:
    words = [word for word in re.split(r"[\W_]+", folder.name.lower()) if word and word not in WORDS_BESIDE]
    return len(words) == 1 and words[0] in PART_NAMES[part]


def _descend(folder: Path, root: Path) -> Path:
    """Return the folder itself, or the one below in which all pictures are, if it is wrapped in others."""
    for _ in range(DEEPEST_LEVEL):
        folders = _list_classes(folder) if folder.is_dir() else []
        if len(folders) != 1 or not _list_classes(folders[0]):  # classes, or a single folder of pictures
            return folder
        if any(_is_named(folders[0], part) for part in PART_NAMES):
            return folder
        folder = folders[0]
    raise UserError(
        f"{root}: {EXPECTED}, found nothing but folders in folders; name the one that has the classes"
    )


def _relate(folder: Path, root: Path) -> str:
    return folder.relative_to(root).as_posix()


def _note_loose_files(folder: Path) -> list[str]:
    files = picture_folders.list_files(folder)
    if not files:
        return []
    names = join_names([file.name for file in files])
    return [f"{len(files):,} files in {folder} that are in no folder of a class: left out ({names})"]


def _list_names(folder: Path) -> str:
    """Return what is in a folder, for an error."""
    folders = [f"{path.name}/" for path in picture_folders.list_folders(folder)]
    return join_names([*folders, *(path.name for path in picture_folders.list_files(folder))]) or "nothing"
