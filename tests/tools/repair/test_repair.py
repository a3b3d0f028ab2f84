"""Repair of the remains of a killed DVC, of a full disk and of a rotten one; nothing else is touched."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import zc.lockfile
from faults.test_kills import processes
from helpers import ENVIRONMENT, TWIN, Project
from ruamel.yaml import YAML

from stages.common.files import LOCK
from tools.repair import __main__ as repair

QUICK = ("tools.repair", "--quick")


@pytest.fixture
def lock(finished: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A dvc.lock in a repository, committed with the stages of one data set changed since."""
    project = Project(tmp_path)
    path = tmp_path / "dvc.lock"
    text = (finished.folder / "dvc.lock").read_text()
    headers = [match.start() for match in re.finditer(r"^  \S+:$", text, re.MULTILINE)]
    path.write_text(text[: headers[3]])
    project.run("git", "init", "--quiet")
    project.commit("A lock")
    path.write_text(path.read_text().replace("stages fetch digits", "stages fetch changed"))
    monkeypatch.chdir(tmp_path)
    return path


def stages(text: str) -> dict:
    return YAML(typ="safe").load(text)["stages"]


def test_a_lock_cut_off_anywhere_is_completed(lock: Path) -> None:
    whole = lock.read_text()
    committed = stages(whole.replace("changed", "digits"))
    lines = [number + 1 for number, character in enumerate(whole) if character == "\n"]
    cuts = {0, 1, len(whole) - 1, *range(0, len(whole), 997), *lines[:12], *lines[-12:]}
    for cut in sorted(cuts):
        lock.write_text(whole[:cut])
        before = stages(whole[:cut]) if cut == len(whole) else None
        done = list(repair.complete(Path("dvc.lock")))
        after = stages(lock.read_text())
        if not done:  # cut between two outputs or two stages: DVC can read it, and runs what it lacks
            assert whole[:cut].endswith("\n")
            assert all(stage["outs"] for stage in after.values())
            continue
        assert before is None
        assert set(after) == set(committed)
        for name, stage in after.items():
            assert stage in (stages(whole)[name], committed[name])


def test_a_whole_lock_stays_as_it_is(lock: Path) -> None:
    pruned = lock.read_text()
    header = [match.start() for match in re.finditer(r"^  \S+:$", pruned, re.MULTILINE)]
    pruned = pruned[: header[-1]]  # by hand: its author may have reasons
    for text in (lock.read_text(), pruned):
        lock.write_text(text)
        assert list(repair.complete(Path("dvc.lock"))) == []
        assert lock.read_text() == text


def test_what_a_killed_stage_has_left_is_removed(project: Project) -> None:
    folders = []
    for owner in ("dead", "alive"):
        for place in ("data/processed/twin/.train", "metrics/.twin.json"):
            folders.append(project.folder / f"{place}.partial.{owner}")
            (folders[-1] / "new" / ".SHA256SUMS.partial.x").mkdir(parents=True)
            (folders[-1] / LOCK).touch()
    held = [zc.lockfile.LockFile(str(folder / LOCK)) for folder in folders[2:]]
    printed = project.here(*QUICK).stdout
    for lock in held:
        lock.close()
    assert printed.count("left by a stage that was killed, removed") == 2
    assert [folder.exists() for folder in folders] == [False, False, True, True]


def test_a_conflict_is_left_to_its_author(lock: Path) -> None:
    text = lock.read_text()
    cut = text.rindex("    outs:")
    ours_and_theirs = f"{text[:cut]}<<<<<<< HEAD\n{text[cut:]}=======\n{text[cut:]}>>>>>>> theirs\n"
    lock.write_text(ours_and_theirs)
    assert list(repair.complete(Path("dvc.lock"))) == []
    assert lock.read_text() == ours_and_theirs


def test_a_completed_lock_has_the_form_that_dvc_gives_it(lock: Path) -> None:
    whole = lock.read_text().replace("changed", "digits")
    lock.write_text(whole[:5000])
    list(repair.complete(Path("dvc.lock")))
    assert lock.read_text() == whole


@pytest.mark.slow
@pytest.mark.parametrize(
    "content", ["", '{"write": {"a": {"pi', "[]", '{"write": 3}', '{"write": {"a": {}}}']
)
def test_a_list_of_locks_that_was_cut_off_is_removed(project: Project, content: str) -> None:
    rwlock = project.folder / ".dvc/tmp/rwlock"
    rwlock.write_text(content)
    assert "repaired: .dvc/tmp/rwlock: " in project.here(*QUICK).stdout
    assert not rwlock.exists()
    project.run("dvc", "repro")


def held_by(project: Project, pid: int) -> Path:
    rwlock = project.folder / ".dvc/tmp/rwlock"
    output = str(project.folder / f"data/raw/{TWIN}")
    rwlock.write_text(json.dumps({"write": {output: {"pid": pid, "cmd": "dvc repro"}}, "read": {}}))
    return rwlock


def test_a_lock_whose_number_another_program_got_is_released(project: Project) -> None:
    other = subprocess.Popen(["sleep", "600"])
    rwlock = held_by(project, other.pid)
    refused = project.run("dvc", "repro", "--force", "--single-item", f"fetch@{TWIN}", expect=255)
    assert "busy" in refused.stderr
    project.here(*QUICK)
    assert not rwlock.exists()
    project.run("dvc", "repro", "--force", "--single-item", f"fetch@{TWIN}")
    other.kill()
    other.wait()


def test_nothing_is_touched_while_dvc_runs_a_stage(project: Project) -> None:
    # As if this were DVC, whose library can be used from any program.
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as other:
        rwlock = held_by(project, other.pid)
        copy = project.folder / "models/.x.tmp"
        copy.write_text("half")
        before = rwlock.read_bytes()
        assert project.here(*QUICK).stdout == "DVC is running here; nothing is repaired meanwhile.\n"
        assert rwlock.read_bytes() == before
        assert copy.exists()
        other.kill()


HOLD = """
import sys, time, zc.lockfile
held = zc.lockfile.LockFile(sys.argv[1])
print("held", flush=True)
time.sleep(600)
"""


def test_nothing_is_touched_while_dvc_holds_its_lock(project: Project) -> None:
    path = project.folder / ".dvc/tmp/lock"
    command = [sys.executable, "-c", HOLD, path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        (project.folder / "dvc.lock").write_text("")
        assert project.here(*QUICK).stdout == "DVC is running here; nothing is repaired meanwhile.\n"
        assert (project.folder / "dvc.lock").read_text() == ""
        holder.kill()


def test_unfinished_copies_go_and_other_files_stay(project: Project) -> None:
    copies = [project.folder / name for name in (".dvc/cache/files/md5/.x.tmp", "models/.y.tmp")]
    for copy in copies:
        copy.write_text("half")
    (project.folder / "notes.tmp").write_text("mine")
    before = project.files("[!.]*", "[d-z]*/**/[!.]*", ".dvc/cache/**/[!.]*")
    printed = project.here(*QUICK).stdout
    assert printed.count("an incomplete copy, removed") == 2
    assert not [copy for copy in copies if copy.exists()]
    assert project.files("[!.]*", "[d-z]*/**/[!.]*", ".dvc/cache/**/[!.]*") == before


def test_a_project_in_order_has_nothing_to_repair(project: Project) -> None:
    before = project.files("**/*")
    assert project.here("tools.repair").stdout == "Nothing to repair.\n"
    after = project.files("**/*")
    assert {name for name in after if after[name] != before.get(name)} <= {".dvc/tmp/lock"}


def test_a_stage_ends_with_a_dvc_behind_a_shell(project: Project, tmp_path: Path) -> None:
    """Some shells, fish for one, stay between DVC and the stage, and would outlive DVC."""
    shell = tmp_path / "shell"
    shell.write_text('#!/bin/sh\n/bin/sh "$@"\nexit $?\n')
    shell.chmod(0o755)
    command = ["dvc", "repro", "--force", "--single-item", f"train@{TWIN}"]
    with subprocess.Popen(
        command, cwd=project.folder, start_new_session=True, stdout=subprocess.DEVNULL,
        env={**os.environ, "PATH": str(ENVIRONMENT["PATH"]), "SHELL": str(shell)},
    ) as run:  # fmt: skip
        while not (stage := stage_in(project.folder)):
            time.sleep(0.02)
        time.sleep(0.5)
        assert stage_in(project.folder) == stage
        run.terminate()
        run.wait()
    end = time.monotonic() + 1.5
    while stage_in(project.folder):
        assert time.monotonic() < end
        time.sleep(0.02)


def stage_in(folder: Path) -> str:
    """The command of the stage that runs in a folder."""
    running = [command for command in processes(folder) if command.startswith("python -m stages train")]
    return "".join(running)
