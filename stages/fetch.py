"""Fetch the four raw files of a data set and check that they are the right ones."""

import os
from pathlib import Path

from stages import parameters
from stages.common import checksums, layout
from stages.common.errors import UserError
from stages.common.files import whole_folder
from stages.sources import bundled, mirrors, npz, pictures
from stages.sources.schema import Mirrors, Npz, Pictures, RawFiles, ScikitLearn, Source

MIRROR_VARIABLE = "DATASETS_MIRROR"
ARCHIVE = "archive.npz"


def fetch(source: Source, files: RawFiles, folder: Path, first_mirror: str | None = None) -> None:
    """Make a folder of four IDX files whose hashes are the expected ones.

    Args:
        source: where the files come from.
        files: what they hash to.
        folder: replaced as a whole; left as it was after an error.
        first_mirror: a folder or URL to try before the others.

    Raises:
        UserError: if a file cannot be had or is not the expected one.
    """
    size = sum(expected.bytes for expected in files.by_name().values())
    with whole_folder(folder, size) as new:
        first_mirrors = [first_mirror] if first_mirror else []
        match source:
            case Mirrors():
                for name, expected in files.by_name().items():
                    urls = [*first_mirrors, *source.urls]
                    mirror = mirrors.download(urls, expected.name or name, expected, new / name)
                    print(f"{folder / name}: {expected.bytes:,} bytes from {mirror}", flush=True)
                return
            case Npz():
                archive = new / ARCHIVE
                mirrors.download([*first_mirrors, *source.urls], source.archive.name, source.archive, archive)
                npz.write_files(source, archive, new)
                archive.unlink()
            case Pictures():
                pictures.write_files(source, new)
            case ScikitLearn():
                bundled.write_files(source, new)
        check(files, new)


def check(files: RawFiles, folder: Path) -> None:
    """Raise a UserError that names every file of the folder that is not the expected one."""
    wrong = []
    for name, expected in files.by_name().items():
        size, found = (folder / name).stat().st_size, checksums.sha256(folder / name)
        if (size, found) != (expected.bytes, expected.sha256):
            wrong.append(
                f"{name}: expected {expected.bytes} bytes, SHA-256 {expected.sha256}, "
                f"found {size} bytes, SHA-256 {found}"
            )
    if wrong:
        raise UserError(
            f"params.yaml: files: {'; '.join(wrong)}; if the source was changed on purpose, write the new "
            "numbers there"
        )


def main(dataset: str) -> None:
    """Read params.yaml and write data/raw/DATASET/."""
    mirror = os.environ.get(MIRROR_VARIABLE)
    settings = parameters.load().dataset(dataset)
    fetch(
        settings.source,
        settings.files,
        layout.raw(dataset),
        f"{mirror.rstrip('/')}/{dataset}" if mirror else None,
    )
