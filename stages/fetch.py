"""The stage fetch: the raw files of a data set, with the hashes in params.yaml."""

import os
import re
import shutil
from pathlib import Path

from stages.common import checksums, layout
from stages.common.errors import UserError
from stages.common.files import atomic_folder
from stages.common.params_file import read_dataset
from stages.sources import mirrors, places
from stages.sources.schema import FetchParameters, Mirrors, Npz, Pictures, RawFiles, ScikitLearn, Source

ARCHIVE = "archive.npz"
# A file that another source of the same data set may have written.
EARLIER = re.escape(layout.PICTURE_LIST)


def fetch(source: Source, files: RawFiles, folder: Path, first_mirror: str | None = None) -> None:
    """Fetch IDX files of known hashes into a folder.

    Args:
        source: the mirrors, archive, pictures or package with the files.
        files: sizes and hashes of the files.
        folder: the folder to replace, left as it was after an error.
        first_mirror: a folder or URL to try before the others. A folder with the raw files themselves, as
            another copy of the project has them, will do for every kind of source.

    Raises:
        UserError: if a file cannot be fetched or has another hash.
    """
    size = sum(expected.bytes for expected in files.items_by_file().values())
    with atomic_folder(folder, size, EARLIER) as new:
        first_mirrors = [first_mirror] if first_mirror else []
        if first_mirror and not isinstance(source, ScikitLearn) and has_raw_files(Path(first_mirror), files):
            for name, expected in files.items_by_file().items():
                mirrors.download(first_mirrors, name, expected, new / name)
            if isinstance(source, Pictures) and (Path(first_mirror) / layout.PICTURE_LIST).is_file():
                shutil.copyfile(Path(first_mirror) / layout.PICTURE_LIST, new / layout.PICTURE_LIST)
            print(f"{folder}: the raw files of {first_mirror}", flush=True)
            return
        match source:
            case Mirrors():
                for name, expected in files.items_by_file().items():
                    urls = [*first_mirrors, *source.urls]
                    mirror = mirrors.download(urls, expected.name or name, expected, new / name)
                    print(f"{folder / name}: {expected.bytes:,} bytes from {mirror}", flush=True)
                return  # the download has checked size and hash of each file
            case Npz():
                from stages.sources import npz

                archive = new / ARCHIVE
                mirrors.download([*first_mirrors, *source.urls], source.archive.name, source.archive, archive)
                npz.write_files(source, archive, new)
                archive.unlink()
            case Pictures():
                from stages.sources import pictures

                pictures.write_files(source, new)
            case ScikitLearn():
                from stages.sources import bundled

                bundled.write_files(source, new)
        check_raw_files(files, new, folder.name)


def has_raw_files(folder: Path, files: RawFiles) -> bool:
    """Return whether a folder has all raw files, compressed or not, under their own names."""
    return all(
        (folder / name).is_file() or (folder / f"{name}.gz").is_file() for name in files.items_by_file()
    )


def is_fetched(files: RawFiles, folder: Path) -> bool:
    """Return whether a folder has the expected raw files, and nothing else but a list of pictures."""
    expected = files.items_by_file()
    return (
        folder.is_dir()
        and {path.name for path in folder.iterdir()} - {layout.PICTURE_LIST} == expected.keys()
        and not list_wrong_files(files, folder)
    )


def is_at_hand(source: Source) -> bool:
    """Return whether raw files can be made of a source anew, so that a change of its keys has its effect."""
    match source:
        case ScikitLearn():
            return True
        case Pictures():
            return places.expand(source.folder).exists()
        case Npz():
            return any(
                "://" not in url and (places.expand(url) / source.archive.name).is_file()
                for url in source.urls
            )
        case Mirrors():  # whose keys say where the files are, not what they become
            return False


def list_addresses(source: Source) -> list[str]:
    """Return the folders and URLs that a source names."""
    match source:
        case Mirrors() | Npz():
            return source.urls
        case Pictures():
            return [source.folder]
        case ScikitLearn():
            return []


def list_wrong_files(files: RawFiles, folder: Path) -> list[str]:
    """Return for every file of the folder with another size or hash than expected what is wrong."""
    wrong = []
    for name, expected in files.items_by_file().items():
        path = folder / name
        if not path.is_file():
            wrong.append(f"{name}: expected a file, found none")
            continue
        size, digest = path.stat().st_size, checksums.sha256(path)
        if (size, digest) != (expected.bytes, expected.sha256):
            wrong.append(
                f"{name}: expected {expected.bytes} bytes, SHA-256 {expected.sha256}, "
                f"found {size} bytes, SHA-256 {digest}"
            )
    return wrong


def check_raw_files(files: RawFiles, folder: Path, name: str) -> None:
    """Raise a UserError that names every file of the folder with another size or hash than expected.

    Args:
        files: the expected files.
        folder: has the files.
        name: the key of the data set, for the error.
    """
    if wrong := list_wrong_files(files, folder):
        raise UserError(
            f"params.yaml: datasets.{name}.files: {'; '.join(wrong)}; if the source was changed on purpose, "
            f"write the new numbers there: make refresh NAME={name}"
        )


def main(name: str) -> None:
    """Read params.yaml and write data/raw/DATASET/.

    Files that are there already, with the right hashes, do where the source is not at hand. So a colleague
    who has pulled them needs no source, and a change of this code downloads nothing anew.
    """
    mirror = os.environ.get(mirrors.MIRROR_VARIABLE)
    parameters = read_dataset(FetchParameters, name)
    places.expect_outside_outputs(list_addresses(parameters.source), f"params.yaml: datasets.{name}.source")
    if not is_at_hand(parameters.source) and is_fetched(parameters.files, layout.raw(name)):
        print(f"{layout.raw(name)}: has the files of params.yaml already")
        return
    fetch(
        parameters.source,
        parameters.files,
        layout.raw(name),
        f"{mirror.rstrip('/')}/{name}" if mirror else None,
    )
