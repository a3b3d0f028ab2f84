"""Ctrl-C in a terminal: the prompt is back within two seconds, on the branch where it was."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import study_plan
from faults.test_interrupted_trainings import wait_for_epochs
from faults.test_kills import Run, wait_until_it_runs, wait_until_nothing_runs
from helpers import ROOT, TWIN, Project, environment

from stages.common import command, layout

RESULTS = ("models/*", "metrics/*", "predictions/*/*", "plots/*/*")
MOST_SECONDS = 2.0


def take_long(content: dict) -> None:
    """Make an epoch a call into TensorFlow that takes longer than anybody waits."""
    section = content["datasets"][TWIN]
    section["network"]["hidden"] = [4000, 4000]
    section["training"]["batch_size"] = 1


@pytest.mark.slow
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


COMMANDS = {
    "review": ("tools.review", "HEAD"),
    "search": ("tools.search", TWIN),
    "verify": ("tools.verify", TWIN),
    "card": ("tools.predict.card", TWIN),
    "a stage": ("stages", "evaluate", TWIN),
}


def start_module(project: Project, *words: str) -> subprocess.Popen[str]:
    """Start a command in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", *words], cwd=project.folder, env=environment(), start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def has_imported(process: psutil.Process | subprocess.Popen[str], package: str) -> bool:
    try:
        return f"/{package}/" in Path(f"/proc/{process.pid}/maps").read_text()
    except OSError:  # it has ended
        return False


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_imports_end_without_a_traceback(finished: Project, words: tuple[str, ...]) -> None:
    process = start_module(finished, *words)
    while not has_imported(process, "numpy"):
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert output == ""
    assert process.returncode in (-signal.SIGINT, command.SIGINT_EXIT_CODE)  # either is 130 to a shell


ON_A_CLUSTER = {"search": ("tools.search", TWIN, "--trials", "500"), "study": ("tools.study", TWIN)}


@pytest.mark.slow
@pytest.mark.parametrize("package", ["numpy", "tensorflow"])  # when workers start, and when they train
@pytest.mark.parametrize("words", ON_A_CLUSTER.values(), ids=ON_A_CLUSTER)
def test_what_runs_on_a_cluster_says_that_the_same_command_goes_on(
    project: Project, words: tuple[str, ...], package: str
) -> None:
    study_plan.add_plan(project)
    process = start_module(project, *words)
    program = psutil.Process(process.pid)
    while not any(has_imported(child, package) for child in program.children(recursive=True)):
        assert process.poll() is None
        time.sleep(0.01)
    start = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert time.monotonic() - start < MOST_SECONDS
    lines = [line.strip() for line in output.splitlines()]
    assert [line for line in lines if line and "%|" not in line] == [
        "Interrupted. What has ended is kept: the same command goes on."
    ]
    assert process.returncode == command.SIGINT_EXIT_CODE
    wait_until_nothing_runs(project.folder, 1.5)


# The last commands in the page about experiments.
*_, WAY_BACK = re.findall(r"```sh\n(.*?)```", (ROOT / "docs/experiments.md").read_text("utf-8"), re.DOTALL)
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


def stop_in_training(
    project: Project, program: tuple[str, ...], stop: Callable[[Run], None], *, in_terminal: bool
) -> int:
    """Start a program, stop it when it has trained some epochs, and return its exit code."""
    (project.folder / layout.history(TWIN)).unlink()  # of the run before
    run = Run(project, *program, in_terminal=in_terminal)
    wait_for_epochs(project, 3, run)
    stop(run)
    code = run.process.wait(timeout=60)
    wait_until_nothing_runs(project.folder, 1.5)
    os.close(run.terminal)
    return code


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("way", WAYS)
def test_ctrl_c_in_an_experiment_leaves_git_on_its_branch(project: Project, way: str) -> None:
    project.edit_tools(name_a_long_configuration)
    project.commit("A long configuration")
    project.run("git", "switch", "--quiet", "--create", "ideas/longer")
    before = project.files(*RESULTS)
    stop_in_training(project, WAYS[way], Run.press_ctrl_c, in_terminal=True)
    assert state_of_git(project) == ("ideas/longer", "")
    project.run("bash", "-euc", WAY_BACK)
    assert project.files(*RESULTS) == before
    assert "up to date" in project.run("dvc", "status").stdout


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_sigterm_to_make_try_leaves_git_on_its_branch(project: Project) -> None:
    project.edit_tools(name_a_long_configuration)
    project.commit("A long configuration")
    code = stop_in_training(project, WAYS["the module"], Run.terminate_dvc, in_terminal=False)
    assert code == command.SIGTERM_EXIT_CODE
    assert state_of_git(project) == ("main", "")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_killed_experiment_is_repaired(project: Project) -> None:
    """Changes of before the experiment are kept, and the next experiment works."""
    project.run("git", "switch", "--quiet", "--create", "ideas/longer")
    project.edit_parameters(lambda content: content["evaluation"].update(calibration_bins=14))
    stop_in_training(project, WAYS["DVC itself"], Run.kill_all, in_terminal=False)
    assert state_of_git(project) == ("", "params.yaml\n")
    said = project.here("tools.repair", "--quick").stdout
    assert "git: is on branch ideas/longer again" in said
    assert "params.yaml: has your changes and the values of the experiment" in said
    assert state_of_git(project) == ("ideas/longer", "")
    difference = project.run("git", "diff", "-U0", "params.yaml").stdout
    assert "+  calibration_bins: 14" in difference
    assert "+      epochs: 2000" in difference
    assert "git" not in project.here("tools.repair", "--quick").stdout
    project.run("git", "checkout", "params.yaml")
    project.run("dvc", "exp", "run", "-S", f"datasets.{TWIN}.training.epochs=3", f"evaluate@{TWIN}")
    assert state_of_git(project)[0] == "ideas/longer"


def note_an_experiment(project: Project) -> None:
    """Put the note of an experiment into git, and HEAD on no branch, as a DVC that is killed leaves them."""
    head = project.run("git", "rev-parse", "HEAD").stdout.strip()
    changes = project.run("git", "stash", "create", expect=None).stdout.strip() or head
    project.run("git", "update-ref", "refs/exps/exec/EXEC_MERGE", changes)
    project.run("git", "update-ref", "refs/exps/exec/EXEC_BASELINE", head)
    project.run("git", "checkout", "--quiet", "--detach", head)


def wait_a_while(project: Project) -> None:
    note = project.folder / ".git/refs/exps/exec/EXEC_BASELINE"
    os.utime(note, (note.stat().st_atime, note.stat().st_mtime - 60))


def switch_and_detach(project: Project) -> None:
    wait_a_while(project)
    project.run("git", "switch", "--quiet", "main")
    project.run("git", "checkout", "--quiet", project.run("git", "rev-parse", "HEAD").stdout.strip())


def begin_a_merge(project: Project) -> None:
    (project.folder / ".git/MERGE_HEAD").write_text(project.run("git", "rev-parse", "HEAD").stdout)


def add_a_worktree(project: Project) -> None:
    project.run("git", "worktree", "add", "--quiet", "--detach", "../other")


def commit_on(project: Project) -> None:
    project.run("git", "commit", "--quiet", "--allow-empty", "--message", "An idea")


def move_the_branch(project: Project) -> None:
    tree = project.run("git", "commit-tree", "-m", "More", "-p", "main", "main^{tree}").stdout.strip()
    project.run("git", "update-ref", "refs/heads/main", tree)


def test_a_note_of_an_experiment_is_recognised(project: Project) -> None:
    note_an_experiment(project)
    assert "git: is on branch main again" in project.here("tools.repair", "--quick").stdout
    assert state_of_git(project)[0] == "main"


@pytest.mark.parametrize(
    "happen", [switch_and_detach, begin_a_merge, add_a_worktree, commit_on, move_the_branch]
)
def test_a_head_that_somebody_else_may_have_moved_is_left_alone(
    project: Project, happen: Callable[[Project], None]
) -> None:
    note_an_experiment(project)
    happen(project)
    before = project.run("git", "for-each-ref").stdout, (project.folder / ".git/HEAD").read_text()
    assert "git" not in project.here("tools.repair", "--quick").stdout
    assert (project.run("git", "for-each-ref").stdout, (project.folder / ".git/HEAD").read_text()) == before


def test_changes_that_are_in_no_file_any_more_are_kept(project: Project) -> None:
    """Kill DVC between its checkout, which takes changes away, and their return."""
    project.edit_parameters(lambda content: content["evaluation"].update(calibration_bins=14))
    note_an_experiment(project)
    project.run("git", "checkout", "--force", "HEAD", "--", "params.yaml")
    assert "git stash apply brings it back" in project.here("tools.repair", "--quick").stdout
    project.run("git", "stash", "apply", "--quiet")
    assert "+  calibration_bins: 14" in project.run("git", "diff", "-U0", "params.yaml").stdout


def test_what_somebody_has_staged_stays_staged(project: Project) -> None:
    note_an_experiment(project)
    (project.folder / "README.md").write_text("staged")
    project.run("git", "add", "README.md")
    (project.folder / "README.md").write_text("later")
    project.here("tools.repair", "--quick")
    assert state_of_git(project) == ("main", "README.md\n")
    assert project.run("git", "show", ":README.md").stdout == "staged"
