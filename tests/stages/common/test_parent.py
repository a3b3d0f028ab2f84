"""The watch over the DVC that started a stage: it ends the stage with a word, and needs a DVC."""

import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from helpers import ROOT

# A stage, as far as the watch is concerned: it waits, watches, and then says that it lives.
STAGE = """
import os, sys, time
from pathlib import Path

first_parent = os.getppid()
Path(sys.argv[1], "process").write_text(str(os.getpid()))

from stages.common import parent

time.sleep(float(sys.argv[2]))
parent.exit_when_dvc_exits(first_parent)
time.sleep(5)
Path(sys.argv[1], "alive").touch()
"""
# Starts a stage, and ends after some seconds.
STARTS = """
import subprocess, sys, time

with open(sys.argv[2] + "/errors", "w") as errors:
    command = [sys.executable, "-c", sys.argv[1], sys.argv[2], sys.argv[3]]
    subprocess.Popen(command, stderr=errors, start_new_session=True)
time.sleep(float(sys.argv[4]))
"""


def wait_for_its_end(folder: Path) -> None:
    """Wait until the stage has begun and ended, or until a minute is over."""
    file = folder / "process"
    end = time.monotonic() + 60
    with suppress(psutil.NoSuchProcess):
        while time.monotonic() < end:
            number = file.read_text() if file.exists() else ""
            if number and psutil.Process(int(number)).status() == psutil.STATUS_ZOMBIE:
                return
            time.sleep(0.05)


def start(folder: Path, before_the_watch: float, seconds: float) -> str:
    """Start a stage under a parent that ends after some seconds; return all that the stage has said."""
    arguments = [STAGE, str(folder), str(before_the_watch), str(seconds)]
    subprocess.run([sys.executable, "-c", STARTS, *arguments], cwd=ROOT, check=True)
    wait_for_its_end(folder)
    return (folder / "errors").read_text()


def test_a_stage_ends_with_its_dvc_and_says_why(tmp_path: Path) -> None:
    said = start(tmp_path, 0, 3)
    assert said.startswith("error: stages: expected the DVC that started this stage, found that it has ended")
    assert said.count("\n") == 1
    assert not (tmp_path / "alive").exists()


def test_a_stage_whose_dvc_ends_before_the_watch_begins_does_not_go_on(tmp_path: Path) -> None:
    said = start(tmp_path, 3, 1)
    assert said.startswith("error: stages: expected the DVC that started this stage, found that it has ended")
    assert not (tmp_path / "alive").exists()


# Starts a stage in half a second, in a session other than that of the tests, and ends before.
ENDS_AT_ONCE = """
import subprocess, sys

command = 'sleep 0.5; ' + sys.argv[1] + ' "$0" -c "$1" "$2" 0 2> "$2/errors"'
subprocess.Popen(["sh", "-c", command + "; true", sys.executable, *sys.argv[2:]])
"""


@pytest.mark.parametrize("shell", ["exec", ""], ids=["without its shell", "under a shell that stays"])
def test_a_stage_whose_dvc_ends_before_the_stage_begins_does_not_go_on(tmp_path: Path, shell: str) -> None:
    dvc = [sys.executable, "-c", ENDS_AT_ONCE, shell, STAGE, str(tmp_path)]
    subprocess.run(dvc, cwd=ROOT, check=True, start_new_session=True, env={**os.environ, "SHELL": "/bin/sh"})
    wait_for_its_end(tmp_path)
    said = (tmp_path / "errors").read_text()
    assert said.startswith("error: stages: expected the DVC that started this stage, found that it has ended")
    assert not (tmp_path / "alive").exists()


def test_a_stage_ends_with_its_dvc_even_if_nobody_reads_its_errors(tmp_path: Path) -> None:
    """Close the pipe of stderr with the process that reads it, as where a program captures DVC's output."""
    starts = STARTS.replace("stderr=errors", "stderr=subprocess.PIPE")
    arguments = [STAGE, str(tmp_path), "0", "3"]
    subprocess.run([sys.executable, "-c", starts, *arguments], cwd=ROOT, check=True)
    wait_for_its_end(tmp_path)
    assert not (tmp_path / "alive").exists()


# Has a program that is called otherwise, and whose own parent has ended, start a stage.
LIBRARY = """
import subprocess, sys

subprocess.Popen([sys.argv[1], "-c", sys.argv[2]], start_new_session=True)
"""


@pytest.mark.slow
def test_a_stage_that_no_dvc_has_started_goes_on(tmp_path: Path) -> None:
    assert not psutil.Process(1).name().startswith(("python", "dvc"))  # else this would show nothing
    airflow = tmp_path / "airflow"
    shutil.copy("/bin/sh", airflow)
    (tmp_path / "stage.py").write_text(STAGE)
    stage = (
        f"PYTHONPATH={ROOT} {sys.executable} {tmp_path}/stage.py {tmp_path} 1 2> {tmp_path}/errors; sleep 10"
    )
    subprocess.run([sys.executable, "-c", LIBRARY, str(airflow), f"{stage}; sleep 10"], cwd=ROOT, check=True)
    wait_for_its_end(tmp_path)
    assert (tmp_path / "errors").read_text() == ""
    assert (tmp_path / "alive").exists()
