"""A training that is killed at random moments goes on, and ends with the bytes of one that was left alone."""

import os
import time
from contextlib import suppress

import pytest
from faults.conftest import Tally
from faults.test_kills import CTRL_C, KINDS, RESULTS, Run, wait_until_nothing_runs
from helpers import TWIN, Project

from stages.common import layout

EPOCHS = 150
TRAINING = ("dvc", "repro", f"evaluate@{TWIN}")
GOES_ON = "The training goes on after epoch "


def set_epochs(content: dict, epochs: int) -> None:
    content["datasets"][TWIN]["training"]["epochs"] = epochs


def wait_for_epochs(project: Project, number: int, run: Run) -> None:
    """Wait until some more epochs have been trained."""
    history = project.folder / layout.history(TWIN)
    end = time.monotonic() + 60
    while run.process.poll() is None and time.monotonic() < end:
        with suppress(FileNotFoundError):  # until the first epoch is over
            if history.read_bytes().count(b"\n") > number:
                return
        time.sleep(0.005)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_killed_training_goes_on(project: Project, tally: Tally) -> None:
    project.edit_parameters(lambda content: set_epochs(content, EPOCHS))
    other = project.copy(project.folder.parent / "undisturbed")
    other.run(*TRAINING)
    expected = other.files(*RESULTS)
    checkpoint = project.folder / layout.checkpoint(TWIN)
    trained = 0
    for number in range(tally.number(3, 10)):
        kind = list(KINDS)[number % 3]
        (project.folder / layout.history(TWIN)).unlink(missing_ok=True)  # of the run before
        run = Run(project, *TRAINING, in_terminal=kind == CTRL_C)
        trained = min(trained + tally.random.randrange(1, 15), EPOCHS - 2)
        with tally.case(f"{kind} after epoch {trained}"):
            wait_for_epochs(project, trained, run)
            time.sleep(tally.random.uniform(0, 0.05))
            KINDS[kind](run)
            run.process.wait(timeout=60)
            wait_until_nothing_runs(project.folder, 1.5)
            os.close(run.terminal)
            assert checkpoint.exists()
            assert "?" not in project.run("git", "status", "--porcelain").stdout
    output = project.run(*TRAINING).stdout
    assert GOES_ON in output
    assert f"Epoch 1/{EPOCHS}" not in output
    assert project.files(*RESULTS) == expected


@pytest.mark.slow
def test_a_changed_parameter_begins_anew(project: Project) -> None:
    checkpoint = project.folder / layout.checkpoint(TWIN)
    project.edit_parameters(lambda content: set_epochs(content, EPOCHS))
    run = Run(project, *TRAINING, in_terminal=False)
    wait_for_epochs(project, 5, run)
    run.kill_all()
    run.process.wait(timeout=60)
    os.close(run.terminal)
    assert checkpoint.exists()
    project.edit_parameters(lambda content: set_epochs(content, 3))
    output = project.run(*TRAINING).stdout
    assert "Epoch 1/3" in output
    assert GOES_ON not in output
    assert not checkpoint.exists()


def test_a_checkpoint_of_a_training_that_was_given_up_goes(project: Project) -> None:
    """As after a kill in the moment between the last result and the removal of the checkpoint."""
    stray = project.folder / layout.checkpoint(TWIN)
    stray.touch()
    done = project.run("make", "-o", ".venv/installed", "repro")
    assert "up to date" in done.stdout
    assert not stray.exists()
