"""Two and three branches with real trainings end in the results of a run from the merged parameters."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import TWIN, Project

MERGE = (sys.executable, "-m", "tools.merge")
RESULTS = ("dvc.lock", "metrics/*", "plots/*/*", "predictions/*/*")
pytestmark = pytest.mark.slow  # the fixture alone takes half a minute


def edit(project: Project, change: Callable[[dict], None]) -> None:
    project.edit_parameters(lambda content: change(content["datasets"]))


def is_clean(project: Project) -> bool:
    return project.run("git", "status", "--porcelain").stdout == ""


def stages_run(output: str) -> list[str]:
    lines = [line for line in output.splitlines() if line.startswith("Running stage ")]
    return [line.split("'")[1] for line in lines]


def metrics(project: Project, revision: str) -> str:
    return project.run("git", "show", f"{revision}:metrics/{TWIN}.json").stdout


@pytest.fixture(scope="module")
def branches(slower: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Two branches of main beside `slower`: one changes the twin and digits, one the twin's rate, too."""
    project = slower.copy(tmp_path_factory.mktemp("branches"))

    def change_both(datasets: dict) -> None:
        datasets[TWIN]["network"]["dropout"] = 0.4
        datasets["digits"]["training"].update(epochs=2, warmup_epochs=1)

    def change_rate(datasets: dict) -> None:
        datasets[TWIN]["training"]["learning_rate"] = 0.02

    for name, change in (("both", change_both), ("faster", change_rate)):
        project.run("git", "switch", "--quiet", "--create", name, "main")
        edit(project, change)
        project.run("dvc", "repro")
        project.commit(name)
    project.run("git", "switch", "--quiet", "slower")
    project.run("dvc", "checkout", "--quiet", "--force")
    return project


@pytest.fixture(scope="module")
def merged(branches: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The merge of `both` into `slower`, committed. Not to be changed."""
    project = branches.copy(tmp_path_factory.mktemp("merged"))
    project.run("git", "merge", "both", expect=1)
    done = project.run("make", "-o", ".venv/installed", "merge")
    assert stages_run(done.stdout) == [
        f"train@{TWIN}",
        f"evaluate@{TWIN}",
    ]  # digits is as the other branch has it
    assert f"Run again: train@{TWIN}, evaluate@{TWIN}.\nNext: git commit\n" in done.stdout
    project.run("git", "commit", "--quiet", "--no-edit")
    return project


def test_two_branches_give_the_results_of_the_merged_parameters(merged: Project, tmp_path: Path) -> None:
    project = merged.copy(tmp_path)
    assert is_clean(project)
    assert metrics(project, "HEAD") not in {metrics(project, side) for side in ("main", "HEAD^1", "HEAD^2")}
    assert project.run("git", "diff", "--name-only", "HEAD^2", "--", "*digits*").stdout == ""
    project.run("dvc", "repro", "--force", f"evaluate@{TWIN}")
    assert is_clean(project)
    assert project.run(*MERGE).stdout.startswith("Nothing to settle.")


def test_a_third_branch_is_merged_after_two(merged: Project, tmp_path: Path) -> None:
    project = merged.copy(tmp_path)
    project.run("git", "merge", "faster", expect=1)
    assert "error: params.yaml: expected conflicts only in" in project.run(*MERGE, expect=2).stderr
    project.run("git", "checkout", "--ours", "params.yaml")
    edit(project, lambda datasets: datasets[TWIN]["training"].update(learning_rate=0.02))
    project.run("git", "add", "params.yaml")
    assert stages_run(project.run(*MERGE).stdout) == [f"train@{TWIN}", f"evaluate@{TWIN}"]
    project.run("git", "commit", "--quiet", "--no-edit")
    assert is_clean(project)
    assert "up to date" in project.run("dvc", "status").stdout
    others = ("main", "both", "faster", "HEAD^1")
    assert metrics(project, "HEAD") not in {metrics(project, other) for other in others}


def test_a_rebase_gives_the_same_results(merged: Project, tmp_path: Path) -> None:
    project = merged.copy(tmp_path)
    expected = project.files("params.yaml", *RESULTS)
    project.run("git", "reset", "--quiet", "--hard", "HEAD^1")
    project.run("git", "rebase", "both", expect=1)
    done = project.run(*MERGE)
    assert done.stdout.endswith("Next: git rebase --continue\n")
    project.run("git", "rebase", "--continue", GIT_EDITOR="true")
    assert is_clean(project)
    assert project.files("params.yaml", *RESULTS) == expected
    assert "up to date" in project.run("dvc", "status").stdout
