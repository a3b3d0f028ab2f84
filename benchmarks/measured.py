"""A program, measured as a whole."""

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import stages
from benchmarks import ENVIRONMENT
from stages.errors import UserError

# Everything that computes gets as many threads as the project's stages.
THREADS = dict.fromkeys(
    (
        "MKL_NUM_THREADS",
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "TF_NUM_INTEROP_THREADS",
        "TF_NUM_INTRAOP_THREADS",
    ),
    str(stages.THREADS),
)
SAMPLES_A_SECOND = 50


class Measured(NamedTuple):
    """What a program took.

    Attributes:
        seconds: from its start to its end.
        peak: the most memory that it had at once, in MiB.
        held: the same without mapped files, whose memory the system can take back; 0 if it does not tell.
        output: what it wrote to stdout.
    """

    seconds: float
    peak: float
    held: float
    output: str


def run(*command: str, cwd: Path | None = None, variables: Mapping[str, str] | None = None) -> Measured:
    """Run a program that succeeds, in the environment that the benchmarks were started in.

    Raises:
        UserError: with the end of its stderr, if it fails.
    """
    environment = {**ENVIRONMENT, **THREADS, "TF_CPP_MIN_LOG_LEVEL": "3", **(variables or {})}
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=cwd, env=environment, stdout=output, stderr=errors)  # noqa: S603
        ended, held = threading.Event(), [0.0]
        watcher = threading.Thread(target=_watch, args=(process.pid, ended, held))
        watcher.start()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        ended.set()
        watcher.join()
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        if process.returncode != 0:
            raise UserError(
                f"{' '.join(command)}: exit code {process.returncode}: {errors.read().decode()[-500:]}"
            )
        return Measured(seconds, usage.ru_maxrss / 1024, max(held), output.read().decode())


def python(*arguments: str, cwd: Path | None = None) -> Measured:
    """Run this Python with these arguments, a stage for instance."""
    return run(sys.executable, *arguments, cwd=cwd)


def _watch(process: int, ended: threading.Event, held: list[float]) -> None:
    """Note the memory that is no mapped file, again and again."""
    while not ended.wait(1 / SAMPLES_A_SECOND):
        try:
            status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
        except OSError:  # it has ended, or this is no Linux
            return
        lines = dict(line.split(":", 1) for line in status.splitlines())
        held.append(int(lines.get("RssAnon", "0").split()[0]) / 1024)
