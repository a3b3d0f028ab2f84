"""Whether several data sets at a time are done sooner than one after the other.

`python -m benchmarks.jobs` runs `make repro` in new clones of the last commit, without JOBS and with it, in
turns, and prints the seconds.
"""

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.measured import run
from stages import command

JOBS = ("", "JOBS=2")
ROUNDS = 1  # they take three minutes each


def main() -> None:
    """Measure, and print a line a way."""
    seconds: dict[str, list[float]] = {jobs: [] for jobs in JOBS}
    for _ in range(ROUNDS):
        for jobs, found in seconds.items():
            with tempfile.TemporaryDirectory() as clone:
                subprocess.run(["git", "clone", "--quiet", ".", clone], check=True)
                # The clone uses the installation of this folder.
                command_line = ("make", "-o", ".venv/installed", "repro", *jobs.split())
                found.append(run(*command_line, cwd=Path(clone)).seconds)
                print(f"make repro {jobs}: {found[-1]:.0f} s", file=sys.stderr, flush=True)
    one, several = (statistics.median(found) for found in seconds.values())
    print(f"one at a time {one:.0f} s, two at a time {several:.0f} s: {one / several:.2f} times faster")


if __name__ == "__main__":
    command.finish(main)
