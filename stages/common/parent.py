"""The DVC process that started a stage."""

import os
import sys
import threading
import time

import psutil

from stages.common import command

PERIOD = 0.1  # s; DVC takes five times as long to begin another run


def exit_when_dvc_exits() -> None:
    """Watch the DVC that started this process, and exit as soon as DVC has ended.

    A DVC that is stopped leaves its stage running, which would write into the next run. A program that uses
    DVC as a library, and is called otherwise, is not found, and nothing is watched.
    """
    dvc = next(filter(is_dvc, psutil.Process().parents()), None)
    if dvc is None:
        return

    def watch() -> None:
        while is_dvc(dvc):
            time.sleep(PERIOD)
        print(
            "error: stages: expected the DVC that started this stage, found that it has ended; run dvc repro "
            "again",
            file=sys.stderr,
            flush=True,
        )
        # At once: an exception waits for TensorFlow to come back, maybe for an epoch.
        os._exit(command.SIGTERM_EXIT_CODE)

    threading.Thread(target=watch, daemon=True).start()


def is_dvc(process: psutil.Process) -> bool:
    """Return whether a process runs, and is DVC or a program that can use DVC as a library."""
    try:
        has_known_name = process.name().lower().startswith(("dvc", "python"))
        return bool(has_known_name and process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
