"""The fixtures of tools that compute on a Dask cluster."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest
from dask_cluster import kill, start
from helpers import Project


@pytest.fixture
def scheduler(project: Project) -> Iterator[str]:
    """The address of a Dask scheduler on this machine."""
    file = project.folder / ".git/scheduler.json"
    command = (sys.executable, "-m", "dask", "scheduler", "--host", "127.0.0.1", "--port", "0")
    process = start(project, *command, "--no-dashboard", "--scheduler-file", str(file))
    while not file.exists() or not file.read_text().strip():
        assert process.poll() is None
        time.sleep(0.1)
    yield json.loads(file.read_text())["address"]
    kill(process)


@pytest.fixture
def start_worker(project: Project, scheduler: str) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """A function that starts a worker, in the folder of a project."""
    processes = []

    def start_by_name(name: str, threads: int = 1, project: Project = project) -> subprocess.Popen[bytes]:
        command = (sys.executable, "-m", "dask", "worker", scheduler, "--no-nanny", "--no-dashboard")
        processes.append(start(project, *command, "--name", name, "--nthreads", str(threads)))
        return processes[-1]

    yield start_by_name
    for process in processes:
        kill(process)
