"""The DVC process that started a stage."""

import os
import sys
import threading
import time
from pathlib import Path
from typing import NoReturn

import psutil

from stages.common import command

PERIOD = 0.1  # s; DVC takes five times as long to begin another run


def exit_when_dvc_exits(first_parent: int) -> None:
    """Watch the DVC that started this process, and exit as soon as DVC has ended.

    A DVC that is stopped leaves its stage running, which would write into the next run. If no process above
    this one is called dvc or python, either DVC has ended already, or a program of another name uses DVC as a
    library. In the latter case, nothing is watched.

    Args:
        first_parent: the number of the process that was above this one when this one began.
    """
    dvc = next(filter(is_dvc, psutil.Process().parents()), None)
    if os.getppid() != first_parent or (dvc is None and _is_adopted()):
        _exit()
    if dvc is None:
        return

    def watch() -> None:
        while is_dvc(dvc):
            time.sleep(PERIOD)
        _exit()

    threading.Thread(target=watch, daemon=True).start()


def _is_adopted() -> bool:
    """Return whether this process, or the shell that DVC runs it in, has lost the process that started it.

    A program shares its session with whoever has started it, but mostly not with the process of the system
    that takes over the programs of those that have ended.
    """
    try:
        child = psutil.Process()
        parent = child.parent()
        if parent is not None and parent.name() == Path(os.environ.get("SHELL", "/bin/sh")).name:
            child, parent = parent, parent.parent()
        return parent is not None and os.getsid(parent.pid) != os.getsid(child.pid)
    except (OSError, psutil.Error, AttributeError):  # Windows has no sessions
        return False


def _exit() -> NoReturn:
    """Say why, and exit at once: an exception waits for TensorFlow to come back, maybe for an epoch."""
    try:
        print(
            "error: stages: expected the DVC that started this stage, found that it has ended; run dvc repro "
            "again",
            file=sys.stderr,
            flush=True,
        )
    finally:  # also if whoever reads the errors has ended with DVC
        os._exit(command.SIGTERM_EXIT_CODE)


def is_dvc(process: psutil.Process) -> bool:
    """Return whether a process runs, and is DVC or a program that can use DVC as a library."""
    try:
        has_known_name = process.name().lower().startswith(("dvc", "python"))
        return bool(has_known_name and process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
