"""Processes of a Dask cluster on this machine, which tests start and kill."""

import contextlib
import os
import signal
import subprocess
import time

from distributed import Client
from helpers import Project, environment


def start(project: Project, *command: str, **variables: str) -> subprocess.Popen[bytes]:
    """Start a command in the folder of a project."""
    return subprocess.Popen(
        command, cwd=project.folder, env=environment(**variables), stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and its children, if they are still there."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_until_busy(scheduler: str, workers: int, program: subprocess.Popen[bytes]) -> list[str]:
    """Return the names of the workers of a cluster, once so many compute for a program."""
    with Client(scheduler) as client:
        client.wait_for_workers(workers)
        names = {address: info["name"] for address, info in client.scheduler_info()["workers"].items()}
        while (
            len(busy := [names[address] for address, tasks in client.processing().items() if tasks]) < workers
        ):
            assert program.poll() is None
            time.sleep(0.05)
    return busy
