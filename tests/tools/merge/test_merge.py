"""A merge of branches with different results gives those of the merged parameters."""

import sys
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path

import pytest
import zc.lockfile
from helpers import TWIN, Project

from stages.common import layout
from tools.common import dvc_lock
from tools.merge.conflicts import split_sides
from tools.merge.lock import Versions, find_versions

MERGE = (sys.executable, "-m", "tools.merge")
RESULTS = ("dvc.lock", "metrics/*", "plots/*/*", "predictions/*/*")


def edit_training(project: Project, dataset: str = TWIN, **values: object) -> None:
    project.edit_parameters(lambda content: content["datasets"][dataset]["training"].update(values))


def unmerged(project: Project) -> set[str]:
    return set(project.run("git", "diff", "--name-only", "--diff-filter=U").stdout.split())


def results_of(dataset: str) -> set[str]:
    """The results in git that a training changes."""
    paths = [path for path in layout.outputs(dataset) if path.parts[:2] != ("plots", "data")]
    return {str(path) for path in paths if path.parts[0] not in ("data", "models")}


def is_clean(project: Project) -> bool:
    return project.run("git", "status", "--porcelain").stdout == ""


def is_up_to_date(project: Project) -> bool:
    return "up to date" in project.run("dvc", "status").stdout


def stages_run(output: str) -> list[str]:
    lines = [line for line in output.splitlines() if line.startswith("Running stage ")]
    return [line.split("'")[1] for line in lines]


def pretend_to_train(project: Project, dataset: str, rate: float) -> None:
    """Do as if a network were trained with another learning rate: DVC believes it, and it takes no time."""
    edit_training(project, dataset, learning_rate=rate)
    for path in [*map(Path, results_of(dataset)), *(layout.model(dataset), layout.checksum(dataset))]:
        (project.folder / path).unlink()  # it may be a link into the cache
        (project.folder / path).write_text(pretended(path, rate))
    project.run("dvc", "commit", "--quiet", "--force", f"train@{dataset}", f"evaluate@{dataset}")


def pretended(path: str | Path, rate: float) -> str:
    return f"{path} at {rate}\n"


def commit_on(project: Project, branch: str, change: Callable[[], object]) -> None:
    """Make a branch of main with a commit, and go back to main."""
    project.run("git", "switch", "--quiet", "--create", branch, "main")
    change()
    project.commit(branch)
    project.run("git", "switch", "--quiet", "main")
    project.run("dvc", "checkout", "--quiet", "--force")


@pytest.fixture(scope="module")
def conflict(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The merge of a branch into a branch, both with another learning rate of the twin. Not to be changed."""
    project = finished.copy(tmp_path_factory.mktemp("conflict"))
    commit_on(project, "theirs", lambda: pretend_to_train(project, TWIN, 0.02))
    project.run("git", "switch", "--quiet", "--create", "ours")
    pretend_to_train(project, TWIN, 0.01)
    project.commit("ours")
    project.run("git", "merge", "theirs", expect=1)
    return project


@pytest.fixture
def same_line(conflict: Project, tmp_path: Path) -> Project:
    """The same, to do anything with."""
    return conflict.copy(tmp_path)


def settle_by_hand(project: Project, rate: float) -> None:
    project.run("git", "checkout", "--quiet", "main", "--", "params.yaml")
    edit_training(project, learning_rate=rate)
    project.run("git", "add", "params.yaml")


def test_git_leaves_our_results_whole_and_declares_conflicts(same_line: Project) -> None:
    assert unmerged(same_line) == {"dvc.lock", "params.yaml"} | results_of(TWIN)
    for name in results_of(TWIN):
        assert (same_line.folder / name).read_text() == pretended(name, 0.01)


def test_results_differ_by_lines_where_nothing_is_merged(project: Project) -> None:
    path = project.folder / f"metrics/{TWIN}.json"
    path.write_text(path.read_text().replace("accuracy", "precision"))
    assert '+    "precision"' in project.run("git", "diff", f"metrics/{TWIN}.json").stdout


def test_what_people_write_is_theirs_to_settle(same_line: Project) -> None:
    before = same_line.files("[!.]*", "metrics/*", "plots/*/*", "predictions/*/*")
    conflicts = unmerged(same_line)
    for added in ([], ["params.yaml"]):  # with its marks
        same_line.run("git", "add", *added, "README.md")
        error = same_line.run(*MERGE, expect=2).stderr
        assert error.startswith("error: params.yaml: expected conflicts only in results and dvc.lock, found ")
        assert error.count("\n") == 1
        assert same_line.files("[!.]*", "metrics/*", "plots/*/*", "predictions/*/*") == before
        assert unmerged(same_line) == conflicts - set(added)


def test_all_files_of_people_are_named(same_line: Project) -> None:
    readme = same_line.folder / "README.md"
    readme.write_text("<<<<<<< HEAD\nours\n=======\ntheirs\n>>>>>>> theirs\n")
    error = same_line.run(*MERGE, expect=2).stderr
    assert "error: README.md, params.yaml: expected" in error
    assert "git add README.md params.yaml" in error


def test_a_parameter_out_of_range_changes_nothing(same_line: Project) -> None:
    settle_by_hand(same_line, -1)
    before = same_line.files(*RESULTS)
    error = same_line.run(*MERGE, expect=2).stderr
    assert error.startswith("error: params.yaml: ")
    assert "learning_rate" in error
    assert same_line.files(*RESULTS) == before
    assert unmerged(same_line) == {"dvc.lock"} | results_of(TWIN)


def test_nothing_is_touched_while_dvc_runs(same_line: Project) -> None:
    settle_by_hand(same_line, 0.01)
    before = same_line.files(*RESULTS)
    held = zc.lockfile.LockFile(str(same_line.folder / ".dvc/tmp/lock"))
    assert "expected no DVC to run here" in same_line.run(*MERGE, expect=2).stderr
    held.close()
    assert same_line.files(*RESULTS) == before


def test_nothing_to_settle(project: Project) -> None:
    before = project.files(*RESULTS)
    assert project.here("tools.merge").stdout.startswith("Nothing to settle.")
    assert project.files(*RESULTS) == before
    assert is_clean(project)


def test_a_repair_names_the_command(same_line: Project) -> None:
    before = same_line.files("dvc.lock")
    error = same_line.run("make", "-o", ".venv/installed", "repro", expect=2).stderr
    assert "error: dvc.lock: expected the stages of one branch, found marks of a conflict" in error
    assert "make merge" in error
    assert same_line.files("dvc.lock") == before


def test_removal_and_change_of_different_data_sets_need_no_run(project: Project) -> None:
    commit_on(project, "without", lambda: project.run(sys.executable, "-m", "tools.new.remove", "digits"))
    project.run("git", "switch", "--quiet", "--create", "ours", "main")
    project.edit_tools(lambda content: content["datasets"][TWIN]["about"].update(title="A twin"))
    project.commit("ours")
    project.run("git", "merge", "--quiet", "--no-edit", "without", expect=None)
    if unmerged(project):
        assert stages_run(project.run(*MERGE).stdout) == []
        project.run("git", "commit", "--quiet", "--no-edit")
    assert is_clean(project)
    assert is_up_to_date(project)
    assert not project.files("metrics/digits*", "plots/*/digits*", "predictions/digits/*")


@pytest.mark.slow
def test_results_of_a_data_set_that_one_branch_has_removed_go(project: Project) -> None:
    commit_on(project, "changed", lambda: pretend_to_train(project, "digits", 0.02))
    commit_on(project, "without", lambda: project.run(sys.executable, "-m", "tools.new.remove", "digits"))
    for ours, theirs in (("changed", "without"), ("without", "changed")):
        project.run("git", "switch", "--quiet", "--detach", ours)
        project.run("git", "merge", theirs, expect=1)
        assert "params.yaml" in project.run(*MERGE, expect=2).stderr
        project.run("git", "checkout", "--quiet", "without", "--", "params.yaml")
        done = project.run(*MERGE)
        assert stages_run(done.stdout) == []
        assert "Removed, as no stage writes them any more: metrics/digits.json, " in done.stdout
        assert unmerged(project) == set()
        project.run("git", "commit", "--quiet", "--no-edit")
        assert project.run("git", "diff", "--stat", "without").stdout == ""
        assert is_clean(project)


def test_a_setting_of_ours_keeps_our_results(same_line: Project) -> None:
    settle_by_hand(same_line, 0.01)
    done = same_line.run(*MERGE)
    assert stages_run(done.stdout) == []
    assert f"Settled: dvc.lock, and {len(results_of(TWIN))} results that were conflicts." in done.stdout
    assert done.stdout.endswith("Run again: no stage.\nNext: git commit\n")
    assert same_line.run("git", "diff", "--cached", "--stat", "ours").stdout == ""
    same_line.run("git", "commit", "--quiet", "--no-edit")
    assert is_clean(same_line)
    assert same_line.run(*MERGE).stdout.startswith("Nothing to settle.")


def test_results_that_were_edited_or_removed_meanwhile_are_ours_again(same_line: Project) -> None:
    settle_by_hand(same_line, 0.01)
    (same_line.folder / f"metrics/{TWIN}.json").write_text("{}\n")
    (same_line.folder / f"predictions/{TWIN}/test.csv").unlink()
    assert stages_run(same_line.run(*MERGE).stdout) == []
    assert same_line.run("git", "diff", "--cached", "--stat", "ours").stdout == ""
    assert is_up_to_date(same_line)


def test_results_with_marks_are_ours_again(same_line: Project) -> None:
    """Git leaves marks where our branch is older than the `.gitattributes` that forbids them."""
    settle_by_hand(same_line, 0.01)
    for name in (f"metrics/{TWIN}.json", f"plots/classes/{TWIN}.csv"):
        (same_line.folder / name).write_text("<<<<<<< HEAD\n1\n=======\n2\n>>>>>>> theirs\n")
    assert stages_run(same_line.run(*MERGE).stdout) == []
    assert same_line.run("git", "diff", "--cached", "--stat", "ours").stdout == ""


def test_a_cherry_pick_goes_on(same_line: Project) -> None:
    same_line.run("git", "merge", "--abort")
    same_line.run("git", "cherry-pick", "theirs", expect=1)
    settle_by_hand(same_line, 0.01)
    assert same_line.run(*MERGE).stdout.endswith("Next: git cherry-pick --continue\n")
    assert unmerged(same_line) == set()


@pytest.mark.slow
def test_a_stage_that_fails_is_corrected_and_run_again(same_line: Project) -> None:
    settle_by_hand(same_line, 0.01)
    change_split(same_line, 1437)  # all of the training images
    conflicts = unmerged(same_line)
    failed = same_line.run(*MERGE, expect=255)
    assert "error: dvc repro: expected its success, found exit code 255; no conflict" in failed.stderr
    assert unmerged(same_line) == conflicts
    same_line.run("git", "add", "params.yaml")
    change_split(same_line, 240)
    done = same_line.run(*MERGE)
    assert "Changed, but not added: params.yaml; git add what belongs to the merge." in done.stdout
    assert done.stdout.endswith("Next: git commit\n")
    assert unmerged(same_line) == set()
    assert same_line.run("git", "diff", "--stat", "ours").stdout == ""


def change_split(project: Project, images: int) -> None:
    project.edit_parameters(lambda content: content["datasets"][TWIN].update(validation_images=images))


def test_a_lock_that_was_added_with_lines_of_both_is_not_believed(same_line: Project) -> None:
    """Such a lock is the record of a run that never was."""
    path = same_line.folder / "dvc.lock"
    path.write_text(split_sides(path.read_text())[1])
    settle_by_hand(same_line, 0.01)
    same_line.run("git", "add", "dvc.lock")
    assert stages_run(same_line.run(*MERGE).stdout) == []
    assert same_line.run("git", "diff", "--stat", "ours").stdout == ""


@pytest.mark.slow
def test_a_lock_that_was_committed_with_marks_is_settled(same_line: Project) -> None:
    settle_by_hand(same_line, 0.01)
    same_line.commit("With marks in dvc.lock")
    same_line.run("git", "read-tree", "HEAD")  # as in a clone, whose index knows of no conflict
    assert "<<<<<<< " in (same_line.folder / "dvc.lock").read_text()
    done = same_line.run(*MERGE)
    assert stages_run(done.stdout) == []
    assert done.stdout.endswith("Next: git commit\n")
    assert same_line.run("git", "diff", "--stat", "HEAD^1").stdout == ""


def test_of_marks_without_their_merge_the_unmarked_stages_stay(same_line: Project) -> None:
    text = (same_line.folder / "dvc.lock").read_text()
    same_line.run("git", "merge", "--abort")
    (same_line.folder / "dvc.lock").write_text(text)
    with chdir(same_line.folder):
        versions = find_versions({}, is_under_way=False)
    assert versions is not None
    expected = dvc_lock.parse(same_line.run("git", "show", "ours:dvc.lock").stdout)
    assert versions.merge() == {
        name: stage for name, stage in expected.items() if name not in (f"train@{TWIN}", f"evaluate@{TWIN}")
    }


STAGE = {"cmd": "x", "outs": [{"path": "a", "md5": "1"}]}
OTHER = {"cmd": "x", "outs": [{"path": "a", "md5": "2"}]}
THIRD = {"cmd": "x", "outs": [{"path": "a", "md5": "3"}]}


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "merged"),
    [
        (STAGE, STAGE, STAGE, STAGE),
        (STAGE, OTHER, STAGE, OTHER),
        (STAGE, STAGE, OTHER, OTHER),
        (STAGE, OTHER, OTHER, OTHER),
        (STAGE, OTHER, THIRD, OTHER),
        (STAGE, None, STAGE, None),
        (STAGE, STAGE, None, None),
        (STAGE, None, OTHER, OTHER),
        (STAGE, OTHER, None, OTHER),
        (None, STAGE, None, STAGE),
        (None, None, STAGE, STAGE),
        (None, STAGE, OTHER, STAGE),
    ],
)
def test_a_stage_is_that_of_the_branch_that_has_changed_it(
    base: dict | None, ours: dict | None, theirs: dict | None, merged: dict | None
) -> None:
    sides = [{} if stage is None else {"s": stage} for stage in (base, ours, theirs)]
    versions = Versions(*sides)
    assert versions.merge() == ({} if merged is None else {"s": merged})
    assert versions.list_theirs() == (["s"] if merged is not None and merged != ours else [])


def test_sides_of_marks() -> None:
    both = "<<<<<<< HEAD\nours\n||||||| 1234\nbase\n=======\ntheirs\n>>>>>>> x\n"
    text = f"a\n{both}b\n<<<<<<< HEAD\n=======\nc\n>>>>>>> x\n"
    assert split_sides(text) == ("a\nours\nb\n", "a\ntheirs\nb\nc\n")
