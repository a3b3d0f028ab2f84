"""Files and folders that appear under their name whole or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Give an empty folder that takes the place of `path` when the block ends without an error.

    Until then `path` is as it was; after an error nothing of the new folder is left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as scratch:
        new = Path(scratch, "new")
        new.mkdir()
        yield new
        for file in new.iterdir():
            _flush_to_disk(file)
        if path.exists():
            path.rename(Path(scratch, "old"))
        new.rename(path)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give the name of a file to write, which becomes `path` when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as scratch:
        new = Path(scratch, path.name)
        yield new
        _flush_to_disk(new)
        new.replace(path)


def write_text(path: Path, text: str) -> None:
    """Write a text file as UTF-8 with Unix line ends, on every system."""
    with whole_file(path) as new:
        new.write_text(text, encoding="utf-8", newline="\n")


def _flush_to_disk(file: Path) -> None:
    """Without this, a rename can survive a power cut that the content does not."""
    with file.open("r+b") as opened:
        os.fsync(opened.fileno())
