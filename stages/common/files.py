"""Files and folders that appear under their name whole or not at all."""

import errno
import glob
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from stages.common.errors import UserError

# What the disk answers to whoever may not write, and to whoever has no room left.
REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS}
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# A folder, with the number of the process that writes in it.
UNFINISHED = re.compile(r"\..*\.partial\.(\d+)\.")


@contextmanager
def whole_folder(path: Path, size: int = 0) -> Iterator[Path]:
    """Give an empty folder that takes the place of `path` when the block ends without an error.

    Until then `path` is as it was; after an error nothing of the new folder is left.

    Args:
        path: of the folder.
        size: the bytes that are going to be written, as far as that is known.

    Raises:
        UserError: if the disk has no room for it or lets nobody write.
    """
    with _scratch(path, size) as scratch:
        new = scratch / "new"
        new.mkdir()
        yield new
        for file in new.iterdir():
            _flush_to_disk(file)
        for attempt in range(100):  # whoever writes the same folder at the same time may come in between
            with suppress(FileNotFoundError):
                path.rename(scratch / f"old{attempt}")
            try:
                new.rename(path)
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
            else:
                return
        raise UserError(f"{path}: expected to replace it, found other processes doing so; stop all but one")


@contextmanager
def whole_file(path: Path, size: int = 0) -> Iterator[Path]:
    """The same for a file: give the name under which to write it."""
    with _scratch(path, size) as scratch:
        new = scratch / path.name
        yield new
        _flush_to_disk(new)
        new.replace(path)


def write_text(path: Path, text: str) -> None:
    """Write a text file as UTF-8 with Unix line ends, on every system."""
    content = text.encode()
    with whole_file(path, len(content)) as new:
        new.write_bytes(content)


def is_abandoned(path: Path) -> bool:
    """Whether this is where a process, which is gone, has written what was to have another name."""
    match = UNFINISHED.match(path.name)
    return match is not None and not psutil.pid_exists(int(match[1]))


@contextmanager
def _scratch(path: Path, size: int) -> Iterator[Path]:
    """Give an empty folder on the disk of `path`; with it goes what killed processes have left of theirs."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        prefix = f".{path.name}.partial."
        for left in path.parent.glob(f"{glob.escape(prefix)}*"):
            if is_abandoned(left):
                shutil.rmtree(left, ignore_errors=True)
        _expect_room(path.parent, size)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f"{prefix}{os.getpid()}.") as scratch:
            yield Path(scratch)
    except OSError as error:
        if error.errno in FULL:
            free = shutil.disk_usage(path.parent).free
            needed = f"{size:,} bytes" if size > free else f"it, more than {free:,} bytes"
            raise UserError(
                f"{path}: expected room on the disk for {needed}, found {free:,} bytes free "
                f"({error.strerror}); make room, then run the same command again"
            ) from None
        # Not what the caller failed to read from elsewhere.
        ours = error.filename is None or Path(error.filename).absolute().is_relative_to(
            path.parent.absolute()
        )
        if error.errno in REFUSED and ours:
            raise UserError(
                f"{path}: expected a place to write to, found: {error.strerror}; "
                "change its permissions or work on another disk, then run the same command again"
            ) from None
        raise


def _expect_room(folder: Path, size: int) -> None:
    if shutil.disk_usage(folder).free < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _flush_to_disk(file: Path) -> None:
    """Without this, a rename can survive a power cut that the content does not."""
    with file.open("r+b") as opened:
        os.fsync(opened.fileno())
