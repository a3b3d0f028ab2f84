"""Processes of DVC in the current folder: whether one runs, and the lock that keeps others out."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import psutil
import zc.lockfile

from stages.common import parent
from tools.common import dvc


@contextlib.contextmanager
def keep_dvc_out() -> Iterator[bool]:
    """Hold DVC's own lock, unless DVC runs here; yield whether the lock is held."""
    dvc.RUN_LOCK.parent.mkdir(parents=True, exist_ok=True)
    try:
        lock = zc.lockfile.LockFile(str(dvc.RUN_LOCK))
    except zc.lockfile.LockError:
        yield False
        return
    with contextlib.closing(lock):
        yield not runs_stage(dvc.USED_FILES)  # while a stage runs, DVC does without the lock


def runs_stage(used_files: Path) -> bool:
    """Return whether a process in DVC's list of used files still runs, and is DVC."""
    if not used_files.exists():
        return False
    return any(_is_dvc(pid) for pid in dvc.read_processes(used_files.read_bytes()))


def _is_dvc(pid: int) -> bool:
    try:
        return parent.is_dvc(psutil.Process(pid))
    except psutil.NoSuchProcess:
        return False


def release(used_files: Path) -> Iterator[str]:
    """Remove DVC's list of used files, whose processes have ended."""
    if used_files.exists() and used_files.read_bytes() not in dvc.NO_USED_FILES:
        used_files.unlink()
        yield f"{used_files}: kept files locked for a DVC that is gone"
