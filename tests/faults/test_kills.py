"""A run that is killed at any moment: the next one gives the same bytes, and nobody has to clean up."""

import os
import pty
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from faults.conftest import Tally
from helpers import TWIN, Project, environment

# About how many seconds DVC takes to run each.
STAGES = {"fetch": 2.5, "preprocess": 2.5, "train": 9.0, "evaluate": 7.0}
RESULTS = ("dvc.lock", "data/**/*", "models/*", "metrics/*", "predictions/*/*", "plots/*/*")
NEXT_RUN = ("make", "-o", ".venv/installed", "repro")


class Run:
    """DVC in a session of its own, in a terminal or, as in a batch job, without one."""

    def __init__(self, project: Project, *command: str, in_terminal: bool) -> None:
        self.terminal, inside = pty.openpty()
        self.process = subprocess.Popen(
            ["setsid", *(["--ctty"] if in_terminal else []), *command], cwd=project.folder, env=environment(),
            stdin=inside, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(inside)

    def kill_all(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def terminate_dvc(self) -> None:
        self.process.terminate()

    def press_ctrl_c(self) -> None:
        os.write(self.terminal, b"\x03")


CTRL_C = "Ctrl-C in the terminal"
KINDS = {
    "SIGKILL to the process group": Run.kill_all,
    "SIGTERM to DVC alone": Run.terminate_dvc,
    CTRL_C: Run.press_ctrl_c,
}


def is_whole(name: str, found: bytes, expected: bytes) -> bool:
    """Whether a file is what it is to be; the history grows by a line an epoch while a network is trained."""
    if name.startswith("plots/history/"):
        return found.endswith(b"\n") and expected.startswith(found)
    return found == expected


def processes(folder: Path) -> list[str]:
    """Return the processes that run in a folder."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE and Path(process.cwd()) == folder:
                found.append(" ".join(process.cmdline()))
    return found


def wait_until_nothing_runs(folder: Path, seconds: float) -> None:
    end = time.monotonic() + seconds
    while running := processes(folder):
        assert time.monotonic() < end, f"still running: {running}"
        time.sleep(0.02)


def wait_until_it_runs(folder: Path, words: str, run: Run) -> None:
    while run.process.poll() is None and not any(words in command for command in processes(folder)):
        time.sleep(0.02)


def wait_until_it_is_written(file: Path, run: Run) -> None:
    """Wait until a program begins to write a file, or ends."""
    before = file.stat().st_mtime_ns
    while run.process.poll() is None and file.stat().st_mtime_ns == before:
        pass


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_run_is_made_good_by_the_next_one(project: Project, tally: Tally, kind: str) -> None:
    tally.fault = kind
    expected = project.files(*RESULTS)
    # First those moments that are the worst: in the middle of the longest stage, and of DVC's own writing.
    moments = [("train", "in the stage", 0.5), ("fetch", "in dvc.lock", 0.0)]
    for number in range(tally.number(0, 7)):
        moments += [(stage, "after", tally.random.uniform(0, STAGES[stage])) for stage in STAGES]
        moments += [(list(STAGES)[number % 4], "in dvc.lock", tally.random.uniform(0, 0.1))]
    for stage, when, seconds in moments:
        with tally.case(f"{kind}, {stage}, {when} {seconds:.3f} s"):
            command = ("dvc", "repro", "--force", "--single-item", f"{stage}@{TWIN}")
            run = Run(project, *command, in_terminal=kind == CTRL_C)
            if when == "in the stage":
                wait_until_it_runs(project.folder, f"stages {stage}", run)
            elif when == "in dvc.lock":
                wait_until_it_is_written(project.folder / "dvc.lock", run)
            time.sleep(seconds)
            KINDS[kind](run)
            run.process.wait(timeout=60)
            wait_until_nothing_runs(project.folder, 1.5)
            os.close(run.terminal)
            found = project.files(*RESULTS)
            # What is under another name is taken away by the next run; DVC writes its lock file in place.
            hidden = (".partial.", ".checkpoint.", "dvc.lock")
            shown = [name for name in found if not any(part in name for part in hidden)]
            assert [n for n in shown if not is_whole(n, found[n], expected.get(n, b""))] == []
            assert "?" not in project.run("git", "status", "--porcelain").stdout
            project.run(*NEXT_RUN)
            assert project.files(*RESULTS) == expected
