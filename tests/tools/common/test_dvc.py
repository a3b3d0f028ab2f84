"""Tests that what the project assumes of DVC's private files and output holds for the installed version.

A new DVC that breaks an assumption fails the test of its name; the module to change is in `tools/common`.
"""

import contextlib
import json
import shutil
from pathlib import Path

import pytest
import zc.lockfile
from dvc_objects.fs.utils import tmp_fname
from helpers import Project
from ruamel.yaml import YAML

from tools.common import dvc, dvc_hashes, dvc_lock, dvc_output, dvc_pipeline

STAGE = "work@toy"
PIPELINE = """\
stages:
  work:
    foreach: ${toys}
    do:
      cmd: python work.py
      deps: [work.py]
      params: [toys.toy.size]
      outs:
        - out.txt
        - folder
      metrics:
        - metrics.json: {cache: false}
      plots:
        - curve.csv: {cache: false, x: step, y: loss}
"""
# A stage that keeps what DVC shows a stage, its environment and the list of used files, and takes DVC's lock.
PROGRAM = """\
import json, os, pathlib, shutil
import psutil, zc.lockfile
zc.lockfile.LockFile(".dvc/tmp/lock").close()
seen = pathlib.Path(".git/seen")
seen.mkdir(exist_ok=True)
shutil.copy(".dvc/tmp/rwlock", seen / "rwlock")
(seen / "stage").write_text(os.environ["DVC_STAGE"])
(seen / "parents").write_text(json.dumps([process.pid for process in psutil.Process().parents()]))
pathlib.Path("out.txt").write_text("out")
folder = pathlib.Path("folder")
for name in ("b.txt", "a/c.txt", "a.txt"):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(name)
pathlib.Path("metrics.json").write_text(json.dumps({"score": {"test": 0.5}}))
pathlib.Path("curve.csv").write_text("step,loss\\n1,2\\n2,1\\n")
"""


@pytest.fixture(scope="module")
def finished_toy(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A repository of one small stage, which has run. Not to be changed."""
    project = Project(tmp_path_factory.mktemp("toy"))
    project.run("git", "init", "--quiet", "--initial-branch=main")
    project.run("dvc", "init", "--quiet")
    for name, text in {
        "dvc.yaml": PIPELINE,
        "work.py": PROGRAM,
        "params.yaml": "toys: {toy: {size: 3}}\n",
    }.items():
        (project.folder / name).write_text(text, encoding="utf-8")
    done = project.run("dvc", "repro")
    (project.folder / ".git/seen/stdout").write_text(done.stdout)
    project.commit("A toy")
    return project


@pytest.fixture
def toy(finished_toy: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    project = finished_toy.copy(tmp_path)
    monkeypatch.chdir(project.folder)
    return project


def seen(project: Project, name: str) -> bytes:
    return (project.folder / ".git/seen" / name).read_bytes()


def read_stage(project: Project) -> dvc_lock.Stage:
    content = YAML(typ="safe").load(project.folder / dvc_lock.FILE)
    assert content["schema"] == "2.0"
    stages = dvc_lock.read_stages(content["stages"], "toy")
    assert list(stages) == [STAGE]
    return stages[STAGE]


def test_dvc_lock_has_commands_hashes_and_parameters(toy: Project) -> None:
    stage = read_stage(toy)
    assert stage.command == "python work.py"
    assert stage.inputs == {"work.py": dvc_hashes.hash_content(PROGRAM.encode())}
    assert stage.outputs.keys() == {"out.txt", "folder", "metrics.json", "curve.csv"}
    assert stage.parameters == {"params.yaml": {"toys.toy.size": 3}}


def test_hashes_of_files_and_folders_are_those_of_dvc(toy: Project) -> None:
    outputs = read_stage(toy).outputs
    assert outputs["out.txt"] == dvc_hashes.hash_content(b"out")
    files = {name: name.encode() for name in ("b.txt", "a/c.txt", "a.txt")}
    assert outputs["folder"] == dvc_hashes.hash_folder(files)


def test_the_cache_has_files_by_the_two_ends_of_their_hash(toy: Project) -> None:
    cache = Path(dvc.run("cache", "dir").strip())
    assert cache == toy.folder / dvc.CACHE
    for value in (read_stage(toy).outputs[path] for path in ("out.txt", "folder")):
        assert (cache / "files/md5" / value[:2] / value[2:]).is_file()
    assert dvc_hashes.is_in_cache(Path("out.txt"), cache)
    assert list(dvc_hashes.find_rotten_objects(cache)) == []


def test_dvc_lock_is_written_with_outputs_last_and_may_be_written_by_us(toy: Project) -> None:
    text = Path("dvc.lock").read_text(encoding="utf-8")
    before, last = dvc_lock.split(text)
    assert before == "schema: '2.0'\nstages:\n"
    assert dvc_lock.is_complete(last)
    lines = last.splitlines(keepends=True)
    cut = "".join(lines[: lines.index("    outs:\n")])
    assert not dvc_lock.is_complete(cut)
    dvc_lock.dump(dvc_lock.parse(text), Path("dvc.lock"))
    assert "up to date" in toy.run("dvc", "status").stdout
    assert dvc_pipeline.FILE.exists()


def test_the_list_of_used_files_has_the_process_of_dvc(toy: Project) -> None:
    """Not always the nearest process above the stage: some shells stay between the two."""
    (process,) = dvc.read_processes(seen(toy, "rwlock"))
    assert process in json.loads(seen(toy, "parents"))
    content = json.loads(seen(toy, "rwlock"))
    assert content.keys() == {"read", "write"}
    assert (toy.folder / dvc.USED_FILES).read_bytes() in dvc.NO_USED_FILES


@pytest.mark.slow
def test_dvc_does_not_run_while_we_hold_its_lock(toy: Project) -> None:
    """And does not hold the lock while a stage runs: the stage has taken the lock."""
    with contextlib.closing(zc.lockfile.LockFile(str(dvc.RUN_LOCK))):
        assert toy.run("dvc", "repro", "--force", expect=None).returncode != 0
    toy.run("dvc", "repro", "--force")


def test_a_stage_can_tell_that_dvc_runs_it(toy: Project) -> None:
    assert seen(toy, "stage").decode() == STAGE  # stages/__main__.py looks for DVC_STAGE


def test_dvc_says_which_stage_it_begins_with(toy: Project) -> None:
    lines = seen(toy, "stdout").decode().splitlines(keepends=True)
    assert [stage for line in lines if (stage := dvc_output.find_started_stage(line))] == [STAGE]


def test_incomplete_copies_have_the_names_that_the_repair_looks_for(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    copy = tmp_path / "files" / tmp_fname()
    copy.touch()
    assert list(tmp_path.glob(dvc.INCOMPLETE_COPIES)) == [copy]


def test_the_json_of_parameters_experiments_and_plots(toy: Project) -> None:
    Path("params.yaml").write_text("toys: {toy: {size: 4}}\n")
    toy.commit("Larger")
    assert dvc.diff_parameters("HEAD~1", "HEAD") == {
        "params.yaml": {"toys.toy.size": {"old": 3, "new": 4, "diff": 1}}
    }
    workspace, head = dvc.read_experiments()
    assert (workspace.name, head.name) == ("workspace", "main")
    assert head.parameters == {"toys.toy.size": 4}
    assert head.metrics == {"metrics.json": {"score": {"test": 0.5}}}
    (chart,) = dvc.read_charts("show", "curve.csv")["curve.csv"]
    assert chart["type"] == "vega"
    assert chart["revisions"] == ["workspace"]
    assert [row["loss"] for row in chart["content"]["data"]["values"]] == ["2", "1"]
    (chart,) = dvc.read_charts("diff", "HEAD~1", "HEAD")["curve.csv"]
    assert chart["revisions"] == ["HEAD~1", "HEAD"]


def test_a_clone_finds_a_shared_cache(toy: Project, tmp_path: Path) -> None:
    clone = tmp_path / "Übung 'x'"
    toy.run("git", "clone", "--quiet", ".", str(clone))
    dvc.share_cache(clone)
    assert Project(clone).run("dvc", "cache", "dir").stdout.strip() == str(toy.folder / dvc.CACHE)
    Project(clone).run("dvc", "checkout")
    assert (clone / "out.txt").read_text() == "out"
    shutil.rmtree(clone)
