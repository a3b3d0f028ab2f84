"""The DVC that started a stage."""

import os
import threading
import time

import psutil

from stages.common import command

LOOK_EVERY_SECONDS = 0.1  # DVC takes five times as long to begin another run


def end_with_it() -> None:
    """Exit, from now on, as soon as the DVC that started this process is gone.

    A DVC that is told to stop leaves the stage that it runs behind, to write into the next run.
    """
    dvc = next(filter(is_dvc, psutil.Process().parents()), None)

    def watch() -> None:
        while dvc is not None and is_dvc(dvc):
            time.sleep(LOOK_EVERY_SECONDS)
        # At once: an exception waits for TensorFlow to come back, maybe for an epoch.
        os._exit(command.STOPPED)

    threading.Thread(target=watch, daemon=True).start()


def is_dvc(process: psutil.Process) -> bool:
    """Whether a process runs, and is DVC or a program that can use it as a library."""
    try:
        named_so = process.name().lower().startswith(("dvc", "python"))
        return bool(named_so and process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
