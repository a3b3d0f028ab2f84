"""A program, measured as a whole."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import stages
from stages.common.errors import UserError
from tools.benchmarks import ENVIRONMENT

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
SAMPLES_A_SECOND = 100


class Measured(NamedTuple):
    """What a program took.

    Attributes:
        seconds: from its start to its end.
        peak: the most memory that it had at once, in MiB; 0 if the system does not tell, on other than Linux.
        held: the same without mapped files, whose memory the system can take back.
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
        process = subprocess.Popen(command, cwd=cwd, env=environment, stdout=output, stderr=errors)
        peak = held = 0.0
        while process.poll() is None:
            now_peak, now_held = _memory(process.pid)
            peak, held = max(peak, now_peak), max(held, now_held)
            time.sleep(1 / SAMPLES_A_SECOND)
        seconds = time.perf_counter() - start
        output.seek(0)
        errors.seek(0)
        if process.returncode != 0:
            raise UserError(
                f"{' '.join(command)}: exit code {process.returncode}: {errors.read().decode()[-500:]}"
            )
        return Measured(seconds, peak, held, output.read().decode())


def python(*arguments: str, cwd: Path | None = None) -> Measured:
    """Run this Python with these arguments, a stage for instance."""
    return run(sys.executable, *arguments, cwd=cwd)


def _memory(process: int) -> tuple[float, float]:
    """The memory of a process so far at its peak, and that which is no mapped file now, in MiB."""
    try:
        status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    except OSError:  # it has ended, or this is no Linux
        return 0.0, 0.0
    lines = dict(line.split(":", 1) for line in status.splitlines())
    peak, held = (int(lines.get(key, "0").split()[0]) / 1024 for key in ("VmHWM", "RssAnon"))
    return peak, held
