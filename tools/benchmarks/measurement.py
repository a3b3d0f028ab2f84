"""Measurement of a program as a whole: time, memory and output."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from stages.common import runtime
from stages.common.errors import UserError
from tools.common import processes

# Every program gets as many threads as the stages.
THREAD_VARIABLES = dict.fromkeys(
    (
        "MKL_NUM_THREADS",
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "TF_NUM_INTEROP_THREADS",
        "TF_NUM_INTRAOP_THREADS",
        runtime.MOST_THREADS,  # of native computation
    ),
    str(runtime.THREADS),
)
# Of this process, whose own imports may have chosen kernels: another program is to choose its own.
NOT_INHERITED = dict.fromkeys(
    (*runtime.VARIABLES, *runtime.PORTABLE_VARIABLES, *runtime.NATIVE_VARIABLES, *runtime.REMOVED_VARIABLES)
)
SAMPLES_PER_SECOND = 100
ERROR_CHARACTERS = 500  # of a program's errors, from the end


class Measurement(NamedTuple):
    """The measurement of a program.

    Attributes:
        seconds: the time from its start to its end.
        peak: the most memory at once, in MiB; 0 on systems other than Linux.
        unmapped_peak: the most memory at once without mapped files, which the system can take back, in MiB.
        output: the text on stdout.
    """

    seconds: float
    peak: float
    unmapped_peak: float
    output: str


def measure(
    *command: str, cwd: Path | None = None, variables: Mapping[str, str | None] | None = None
) -> Measurement:
    """Run a program and measure it.

    Args:
        command: the program and its arguments.
        cwd: the folder to run in; None for the current folder.
        variables: environment variables to set, or to remove where they are None.

    Raises:
        UserError: with the end of stderr, if the program fails.
    """
    # Processors are compared; a card would be only some programs'.
    own = {**THREAD_VARIABLES, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", **(variables or {})}
    wanted = {**os.environ, **NOT_INHERITED, **own}
    environment = {name: value for name, value in wanted.items() if value is not None}
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        environment["BENCHMARK_START"] = str(time.time())
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=cwd, env=environment, stdout=output, stderr=errors)
        peak = unmapped_peak = 0.0
        with processes.postpone_interrupts():
            while process.poll() is None:
                peak_so_far, unmapped = _read_memory(process.pid)
                peak, unmapped_peak = max(peak, peak_so_far), max(unmapped_peak, unmapped)
                time.sleep(1 / SAMPLES_PER_SECOND)
        seconds = time.perf_counter() - start
        output.seek(0)
        errors.seek(0)
        if process.returncode != 0:
            raise UserError(
                f"{' '.join(command)}: exit code {process.returncode}: "
                f"{errors.read().decode(errors='replace')[-ERROR_CHARACTERS:]}"
            )
        return Measurement(seconds, peak, unmapped_peak, output.read().decode())


def measure_python(*arguments: str, variables: Mapping[str, str | None] | None = None) -> Measurement:
    """Run this Python with arguments, such as a stage, and measure it."""
    return measure(sys.executable, *arguments, variables=variables)


def _read_memory(process: int) -> tuple[float, float]:
    """Return the peak memory of a process so far, and its present memory without mapped files, in MiB."""
    try:
        status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    except OSError:  # the process has ended, or the system is not Linux
        return 0.0, 0.0
    lines = dict(line.split(":", 1) for line in status.splitlines())
    peak, unmapped = (int(lines.get(key, "0").split()[0]) / 1024 for key in ("VmHWM", "RssAnon"))
    return peak, unmapped
