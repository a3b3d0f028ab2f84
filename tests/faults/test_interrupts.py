"""Ctrl-C in a terminal: the prompt is back within two seconds, on the branch where it was."""

import os
import sys
import time

import pytest
from faults.test_kills import Run, wait_until_it_runs, wait_until_nothing_runs
from helpers import TWIN, Project

from stages.common import command

RESULTS = ("models/*", "metrics/*", "predictions/*/*", "plots/*/*")
MOST_SECONDS = 2.0


def take_long(content: dict) -> None:
    """Make an epoch a call into TensorFlow that takes longer than anybody waits."""
    section = content["datasets"][TWIN]
    section["network"]["hidden"] = [4000, 4000]
    section["training"]["batch_size"] = 1


@pytest.mark.timeout(600)
def test_a_long_epoch_ends_at_once(project: Project) -> None:
    before = project.files(*RESULTS)
    project.edit_parameters(take_long)
    run = Run(project, "dvc", "repro", f"evaluate@{TWIN}", in_terminal=True)
    wait_until_it_runs(project.folder, f"stages train {TWIN}", run)
    time.sleep(15)  # TensorFlow is imported, and the epoch has begun
    assert not (project.folder / f"models/{TWIN}.keras").exists()
    start = time.monotonic()
    run.press_ctrl_c()
    run.process.wait(timeout=60)
    seconds = time.monotonic() - start
    os.close(run.terminal)
    assert seconds < MOST_SECONDS
    project.run("git", "checkout", "--", ".")
    project.run("dvc", "checkout")
    assert project.files(*RESULTS) == before


EXPERIMENT = f"datasets.{TWIN}.training.epochs=2000"


def state_of_git(project: Project) -> tuple[str, str]:
    branch = project.run("git", "symbolic-ref", "--short", "HEAD", expect=None).stdout.strip()
    return branch, project.run("git", "diff", "--cached", "--name-only").stdout


def name_a_long_configuration(tools: dict) -> None:
    tools["datasets"][TWIN]["configurations"] = {"long": {"training.epochs": 2000}}


WAYS = {
    "make try": ("make", "-o", ".venv/installed", "try", f"DATASET={TWIN}", "CONFIGURATION=long"),
    "the module": (sys.executable, "-m", "tools.search.configuration", TWIN, "long"),
    "DVC itself": ("dvc", "exp", "run", "-S", EXPERIMENT, f"evaluate@{TWIN}"),
}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("way", WAYS)
def test_ctrl_c_in_an_experiment_leaves_git_on_its_branch(project: Project, way: str) -> None:
    project.edit_tools(name_a_long_configuration)
    project.commit("A long configuration")
    project.run("git", "switch", "--quiet", "--create", "ideas/longer")
    before = project.files(*RESULTS)
    run = Run(project, *WAYS[way], in_terminal=True)
    wait_until_it_runs(project.folder, f"stages train {TWIN}", run)
    time.sleep(8)
    run.press_ctrl_c()
    run.process.wait(timeout=60)
    wait_until_nothing_runs(project.folder, 1.5)
    os.close(run.terminal)
    assert state_of_git(project) == ("ideas/longer", "")
    # What docs/experiments.md says.
    project.run("git", "checkout", ".")
    project.run("dvc", "checkout")
    assert project.files(*RESULTS) == before
    assert "up to date" in project.run("dvc", "status").stdout


@pytest.mark.timeout(600)
def test_sigterm_to_make_try_leaves_git_on_its_branch(project: Project) -> None:
    project.edit_tools(name_a_long_configuration)
    project.commit("A long configuration")
    run = Run(project, *WAYS["the module"], in_terminal=False)
    wait_until_it_runs(project.folder, f"stages train {TWIN}", run)
    time.sleep(8)
    run.process.terminate()
    assert run.process.wait(timeout=60) == command.SIGTERM_EXIT_CODE
    wait_until_nothing_runs(project.folder, 1.5)
    os.close(run.terminal)
    assert state_of_git(project) == ("main", "")


@pytest.mark.timeout(600)
def test_a_killed_experiment_is_repaired(project: Project) -> None:
    """What was changed before the experiment is kept, and the next experiment works."""
    project.run("git", "switch", "--quiet", "--create", "ideas/longer")
    project.edit_parameters(lambda content: content["evaluation"].update(calibration_bins=14))
    run = Run(project, *WAYS["DVC itself"], in_terminal=False)
    wait_until_it_runs(project.folder, f"stages train {TWIN}", run)
    time.sleep(8)
    run.kill_all()
    run.process.wait(timeout=60)
    wait_until_nothing_runs(project.folder, 1.5)
    os.close(run.terminal)
    assert state_of_git(project) == ("", "params.yaml\n")
    said = project.here("tools.repair", "--quick").stdout
    assert "git: is on branch ideas/longer again" in said
    assert "params.yaml: has the values of the experiment" in said
    assert state_of_git(project) == ("ideas/longer", "")
    difference = project.run("git", "diff", "-U0", "params.yaml").stdout
    assert "+  calibration_bins: 14" in difference
    assert "+      epochs: 2000" in difference
    assert "git" not in project.here("tools.repair", "--quick").stdout
    project.run("git", "checkout", "params.yaml")
    project.run("dvc", "exp", "run", "-S", f"datasets.{TWIN}.training.epochs=3", f"evaluate@{TWIN}")
    assert state_of_git(project)[0] == "ideas/longer"


def test_a_head_that_somebody_has_detached_is_left_alone(project: Project) -> None:
    project.run("git", "switch", "--quiet", "--detach")
    assert "git" not in project.here("tools.repair", "--quick").stdout
    assert state_of_git(project)[0] == ""
