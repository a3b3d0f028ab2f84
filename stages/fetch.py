"""The stage fetch: the four raw files of a data set, with the hashes in params.yaml."""

import os
from pathlib import Path

from stages.common import checksums, layout
from stages.common.errors import UserError
from stages.common.files import atomic_folder
from stages.common.params_file import read_dataset
from stages.sources import bundled, mirrors, npz, pictures, places
from stages.sources.schema import FetchParameters, Mirrors, Npz, Pictures, RawFiles, ScikitLearn, Source

ARCHIVE = "archive.npz"


def fetch(source: Source, files: RawFiles, folder: Path, first_mirror: str | None = None) -> None:
    """Fetch four IDX files of known hashes into a folder.

    Args:
        source: the mirrors, archive, pictures or package with the files.
        files: sizes and hashes of the files.
        folder: the folder to replace, left as it was after an error.
        first_mirror: a folder or URL to try before the others.

    Raises:
        UserError: if a file cannot be fetched or has another hash.
    """
    size = sum(expected.bytes for expected in files.items_by_file().values())
    with atomic_folder(folder, size) as new:
        first_mirrors = [first_mirror] if first_mirror else []
        match source:
            case Mirrors():
                for name, expected in files.items_by_file().items():
                    urls = [*first_mirrors, *source.urls]
                    mirror = mirrors.download(urls, expected.name or name, expected, new / name)
                    print(f"{folder / name}: {expected.bytes:,} bytes from {mirror}", flush=True)
                return  # the download has checked size and hash of each file
            case Npz():
                archive = new / ARCHIVE
                mirrors.download([*first_mirrors, *source.urls], source.archive.name, source.archive, archive)
                npz.write_files(source, archive, new)
                archive.unlink()
            case Pictures():
                pictures.write_files(source, new)
            case ScikitLearn():
                bundled.write_files(source, new)
        check_raw_files(files, new)


def list_addresses(source: Source) -> list[str]:
    """Return the folders and URLs that a source names."""
    match source:
        case Mirrors() | Npz():
            return source.urls
        case Pictures():
            return [source.folder]
        case ScikitLearn():
            return []


def check_raw_files(files: RawFiles, folder: Path) -> None:
    """Raise a UserError that names every file of the folder with another size or hash than expected."""
    wrong = []
    for name, expected in files.items_by_file().items():
        size, digest = (folder / name).stat().st_size, checksums.sha256(folder / name)
        if (size, digest) != (expected.bytes, expected.sha256):
            wrong.append(
                f"{name}: expected {expected.bytes} bytes, SHA-256 {expected.sha256}, "
                f"found {size} bytes, SHA-256 {digest}"
            )
    if wrong:
        raise UserError(
            f"params.yaml: files: {'; '.join(wrong)}; if the source was changed on purpose, write the new "
            "numbers there"
        )


def main(name: str) -> None:
    """Read params.yaml and write data/raw/DATASET/."""
    mirror = os.environ.get(mirrors.MIRROR_VARIABLE)
    parameters = read_dataset(FetchParameters, name)
    places.expect_outside_outputs(list_addresses(parameters.source), f"params.yaml: datasets.{name}.source")
    fetch(
        parameters.source,
        parameters.files,
        layout.raw(name),
        f"{mirror.rstrip('/')}/{name}" if mirror else None,
    )
