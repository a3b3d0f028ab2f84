"""Folders of pictures, and .zip and .tar files of them: which files belong to which class."""

import os
import re
import shutil
import tarfile
import tempfile
import unicodedata
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from stages.common.errors import UserError
from stages.common.files import FULL, REFUSED, SYSTEM_FILES
from stages.sources.places import expand

SYSTEM_FOLDERS = ("__MACOSX",)
ARCHIVE_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")


@contextmanager
def open_folder(place: str) -> Iterator[Path]:
    """Yield a folder, or a temporary one with the content of a .zip or .tar file.

    Errors name the archive in place of the temporary folder.

    Raises:
        UserError: if there is no such folder or archive, or if the archive is damaged.
    """
    path = expand(place)
    if path.is_dir():
        yield path
        return
    if not path.exists():
        raise UserError(
            f"{place}: expected a folder of pictures, or a .zip or .tar file of one, found nothing there; "
            "check the name. Of a data set of a colleague, the images come with dvc pull, not from there"
        )
    with tempfile.TemporaryDirectory() as folder:
        _unpack(path, folder)
        try:
            yield Path(folder)
        except UserError as error:  # the folder is gone when the message is read
            raise UserError(str(error).replace(folder, place)) from None


def _unpack(archive: Path, folder: str) -> None:
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as members:
                for member in members.infolist():
                    member.filename = member.filename.replace("\\", "/")  # as old programs of Windows write
                    members.extract(member, folder)  # zipfile leaves out what leads outside
        else:
            with tarfile.open(archive) as members:
                _unpack_tar(members, Path(folder))
    except OSError as error:
        if error.errno in {*REFUSED, *FULL}:
            raise
        raise _build_archive_error(archive, folder, error) from None
    except Exception as error:  # noqa: BLE001 - an archive may be anything, and raise anything
        raise _build_archive_error(archive, folder, error) from None


def _unpack_tar(members: tarfile.TarFile, folder: Path) -> None:
    """Write the files of a .tar file, and what its links lead to; refuse what is or leads outside.

    Python before 3.11.4, such as that of Debian 12, lacks the filter of `extractall` that would do so.

    Raises:
        ValueError: if a member is no file, folder or link, or leads outside, to itself or to nothing.
    """
    links: dict[Path, Path] = {}
    for member in members:
        target = _find_place(folder, member.name.lstrip("/"), member.name)
        if member.isdir():
            target.mkdir(parents=True, exist_ok=True)
        elif member.issym():
            where = os.path.join(os.path.dirname(member.name.lstrip("/")), member.linkname)  # noqa: PTH118, PTH120
            links[target] = _find_place(folder, where, member.name)
        elif member.islnk():
            links[target] = _find_place(folder, member.linkname.lstrip("/"), member.name)
        elif (content := members.extractfile(member)) is not None:
            target.parent.mkdir(parents=True, exist_ok=True)
            with content, target.open("wb") as file:
                shutil.copyfileobj(content, file)
        else:
            raise ValueError(f"{member.name} is no file")
    _follow_links(links, folder)


def _follow_links(links: dict[Path, Path], folder: Path) -> None:
    """Copy what links lead to into their places; a link may lead to a link, or to a folder with links."""
    while links:
        ready = {place: source for place, source in links.items() if source.is_file()}
        if not ready:  # folders come when they are whole
            ready = {
                place: source
                for place, source in links.items()
                if source.is_dir() and not any(other.is_relative_to(source) for other in links)
            }
        if not ready:
            name = next(iter(links)).relative_to(folder)
            raise ValueError(f"the link {name} leads to itself or to nothing")
        for place, source in ready.items():
            del links[place]
            place.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, place, dirs_exist_ok=True)
            else:
                shutil.copyfile(source, place)


def _find_place(folder: Path, name: str, member: str) -> Path:
    """Return the place of a name in a folder; raise a ValueError if it is outside."""
    place = Path(os.path.normpath(folder / name))
    if not place.is_relative_to(folder):
        raise ValueError(f"{member} leads outside")
    return place


def _build_archive_error(archive: Path, folder: str, error: Exception) -> UserError:
    # tarfile tells in further lines what each way of compression says.
    reason = str(error).partition(":\n")[0].replace(folder, str(archive)) or type(error).__name__
    return UserError(
        f"{archive}: expected a whole .zip or .tar file of pictures, without a password, found: {reason}; "
        "copy it again, or unpack it yourself and name the folder"
    )


def is_archive(place: str) -> bool:
    """Return whether a place has the name of a .zip or .tar file."""
    return place.lower().endswith(ARCHIVE_SUFFIXES)


def list_folders(folder: Path) -> list[Path]:
    """Return the sub-folders, without those of the system, as people count: 2 before 10."""
    folders = [
        path
        for path in folder.iterdir()
        if path.is_dir() and not path.name.startswith(".") and path.name not in SYSTEM_FOLDERS
    ]
    return sorted(folders, key=lambda path: count_naturally(path.name))


def list_files(folder: Path) -> list[Path]:
    """Return the files in a folder itself, without those of the system and hidden ones, by their names."""
    return sorted(
        path
        for path in folder.iterdir()
        if not path.is_dir() and not path.name.startswith(".") and not SYSTEM_FILES.fullmatch(path.name)
    )


def list_all_files(folder: Path, around: frozenset[Path] = frozenset()) -> list[Path]:
    """Return the files in a folder and in its sub-folders; first its own.

    Args:
        folder: the folder.
        around: the real paths of the folders around it, into which no link leads again.
    """
    real = folder.resolve()
    files = list_files(folder)
    for sub in list_folders(folder):
        if sub.resolve() not in around and not real.is_relative_to(sub.resolve()):
            files += list_all_files(sub, around | {real})
    return files


def count_naturally(name: str) -> list[tuple[int, int, str]]:
    """Return a key by which to sort names: numbers in them by their value, the rest by its letters."""
    parts = re.split(r"([0-9]+)", name)
    return [(0, int(part), part) if part.isdecimal() else (1, 0, part) for part in parts if part]


def name_class(folder: Path) -> str:
    """Return the name of a folder of a class; accents as one character, whichever system wrote them."""
    return unicodedata.normalize("NFC", folder.name)


def _index_folders(part: Path) -> dict[str, Path]:
    """Return the folders of the classes by the names of these.

    Raises:
        UserError: if two folders have one name, with accents written in two ways.
    """
    folders: dict[str, Path] = {}
    for path in list_folders(part):
        if (other := folders.setdefault(name_class(path), path)) != path:
            raise UserError(
                f"{part}: expected folders of different names, found {other.name!a} and {path.name!a}, which "
                "look the same; join the folders"
            )
    return folders


def list_by_class(part: Path, classes: Sequence[str]) -> list[tuple[Path, int]]:
    """Return the files of each class with its label.

    Args:
        part: a folder with a folder for each class; pictures may lie in sub-folders of these.
        classes: the names of the folders, in the order of the labels.

    Raises:
        UserError: if there is a folder of no class.
    """
    if not part.is_dir():
        raise UserError(
            f"{part}: expected a folder with a folder of pictures for each class, found none; put it there, "
            "or correct source in params.yaml"
        )
    folders = _index_folders(part)
    if unknown := [name for name in folders if name not in classes and list_all_files(folders[name])]:
        raise UserError(
            f"{part / unknown[0]}: expected a folder of a class in source.classes in params.yaml, found "
            "another; move the folder elsewhere, or put training pictures of this class beside those of the "
            "others and run: make refresh NAME=..."
        )
    return [
        (file, label)
        for label, name in enumerate(classes)
        if name in folders
        for file in list_all_files(folders[name])
    ]
