"""Atomic writes: files and folders that appear under their name whole or not at all."""

import errno
import glob
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import zc.lockfile

from stages.common.errors import UserError
from stages.common.wording import join_names

# The system's errors where writing is not permitted, and where the disk is full.
REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS}
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# The name of a folder that is being written. The lock in it is held by the process that writes, whatever
# container it is in; the system releases the lock when that process ends.
UNFINISHED = re.compile(r"\..*\.partial\..*")
LOCK = ".lock"
MOST_ATTEMPTS = 100  # against another process that gets in between
BEGINNING = 60  # s, for which a folder without a lock is one that a process is about to lock
# What operating systems put into folders.
SYSTEM_FILES = re.compile(r"\._.*|\.DS_Store|Thumbs\.db|desktop\.ini", re.IGNORECASE)


@contextmanager
def atomic_folder(path: Path, size: int = 0, earlier: str = "") -> Iterator[Path]:
    """Yield an empty folder that replaces `path` when the block ends without an error.

    Until then `path` is as it was; after an error nothing of the new folder is left.

    Args:
        path: the folder to replace.
        size: the bytes that are going to be written, as far as known.
        earlier: a regular expression for the names of files that an earlier run may have written there.

    Raises:
        UserError: if the disk is full, if writing is not permitted, or if somebody has put other files there.
    """
    with _scratch(path, size) as scratch:
        unfinished = scratch / "new"
        unfinished.mkdir()
        yield unfinished
        for file in unfinished.iterdir():
            _flush_to_disk(file)
        _flush_names(unfinished)
        _expect_no_other_files(path, {file.name for file in unfinished.iterdir()}, earlier)
        for attempt in range(MOST_ATTEMPTS):  # another process may replace the folder at the same time
            with suppress(FileNotFoundError):
                path.rename(scratch / f"old{attempt}")
            try:
                unfinished.rename(path)
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
            else:
                _flush_names(path.parent)
                return
        raise UserError(
            f"{path}: expected no other process that writes this folder, found one; stop all but one"
        )


@contextmanager
def atomic_file(path: Path, size: int = 0) -> Iterator[Path]:
    """Yield the name under which to write a file that then replaces `path`, as `atomic_folder` does."""
    with _scratch(path, size) as scratch:
        unfinished = scratch / path.name
        yield unfinished
        _flush_to_disk(unfinished)
        unfinished.replace(path)
        _flush_names(path.parent)


def write_text(path: Path, text: str) -> None:
    """Write a text file as UTF-8 with Unix line ends, on every system."""
    content = text.encode()
    with atomic_file(path, len(content)) as unfinished:
        unfinished.write_bytes(content)


def remove_if_left(path: Path) -> bool:
    """Remove an unfinished write of a process that no longer runs; return whether it was one."""
    if not UNFINISHED.fullmatch(path.name):
        return False
    try:
        if not (path / LOCK).exists() and time.time() - path.stat().st_mtime < BEGINNING:
            return False
        lock = zc.lockfile.LockFile(str(path / LOCK))
    except (zc.lockfile.LockError, OSError):  # it is held, or the folder has gone meanwhile
        return False
    # The lock is held meanwhile, so that nobody begins to write there.
    shutil.rmtree(path, ignore_errors=True)
    lock.close()
    if os.name == "nt":  # which removes no file that is open
        shutil.rmtree(path, ignore_errors=True)
    return True


@contextmanager
def _scratch(path: Path, size: int) -> Iterator[Path]:
    """Yield an empty folder beside `path`, after removing the unfinished writes of dead processes."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        prefix = f".{path.name}.partial."
        for other in path.parent.glob(f"{glob.escape(prefix)}*"):
            remove_if_left(other)
        _expect_room(path.parent, size)
        with _locked_folder(path.parent, prefix) as scratch:
            yield scratch
    except OSError as error:
        if error.errno in FULL:
            free = shutil.disk_usage(path.parent).free
            needed = f"{size:,} bytes" if size > free else "the rest of the file"
            raise UserError(
                f"{path}: expected room on the disk for {needed}, found {free:,} bytes free "
                f"({error.strerror}); make room, then run the same command again"
            ) from None
        # The caller may have failed to read from elsewhere, which is no error of writing.
        is_below_target = error.filename is None or Path(error.filename).absolute().is_relative_to(
            path.parent.absolute()
        )
        if error.errno in REFUSED and is_below_target:
            raise UserError(
                f"{path}: expected a place to write to, found: {error.strerror}; "
                "change its permissions or work on another disk, then run the same command again"
            ) from None
        raise


@contextmanager
def _locked_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """Yield a temporary folder with a lock that is held until it is removed."""
    for _ in range(MOST_ATTEMPTS):
        with tempfile.TemporaryDirectory(dir=parent, prefix=prefix, ignore_cleanup_errors=True) as folder:
            try:
                lock = zc.lockfile.LockFile(str(Path(folder, LOCK)))
            except (zc.lockfile.LockError, FileNotFoundError):
                continue  # another process has just taken the folder for one without an owner
            try:
                if not Path(folder, LOCK).exists():
                    continue  # likewise, a moment earlier
                yield Path(folder)
            finally:
                # While the lock is held, so that nobody else takes the folder.
                shutil.rmtree(folder, ignore_errors=True)
                lock.close()
            return
    raise UserError(
        f"{parent}: expected a disk on which files can be locked, found none; work on another disk, then run "
        "the same command again"
    )


def _expect_no_other_files(folder: Path, names: set[str], earlier: str) -> None:
    """Raise a UserError if a folder that is to be replaced has files that would be lost."""
    try:
        present = sorted(path.name for path in folder.iterdir())
    except FileNotFoundError:  # also where another process replaces the folder just now
        return
    others = [
        name
        for name in present
        if name not in names and not SYSTEM_FILES.fullmatch(name) and not re.fullmatch(earlier, name)
    ]
    if others:
        raise UserError(
            f"{folder}: expected no files but those that this command writes, found {join_names(others)}; "
            "move them elsewhere, then run the same command again"
        )


def _expect_room(folder: Path, size: int) -> None:
    if shutil.disk_usage(folder).free < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _flush_to_disk(file: Path) -> None:
    """Write a file to the disk itself, so that a power cut cannot keep its new name and lose its content."""
    with file.open("r+b") as opened:
        os.fsync(opened.fileno())


def _flush_names(folder: Path) -> None:
    """Write the names of a folder's files to the disk itself, where the system can: Windows cannot."""
    if os.name == "posix":
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
