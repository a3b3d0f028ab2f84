"""`python -m tools.verify`: what comes out again passes, and any randomness is found and named."""

import hashlib
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from helpers import ROOT, TWIN, Project, dump
from ruamel.yaml import YAML

from stages import parameters
from stages.common.errors import UserError
from tools.common import smallest
from tools.common.revision import find_revision
from tools.verify import __main__ as verify
from tools.verify import processors
from tools.verify import rerun as rerun_module

# Lines for the end of `main` in train.py: weights drawn without a seed.
RANDOM = """    import random
    model.set_weights([weight + random.random() for weight in model.get_weights()])
    model_file.save(model, layout.model(name))
"""


def verdicts(output: str) -> dict[str, str]:
    """The last word of each row of the table, by the path of the output."""
    return dict(re.findall(rf"^(\S*{TWIN}\S*) .*\b(same|DIFFERENT)$", output, re.MULTILINE))


@pytest.mark.slow
def test_randomness_in_a_stage_is_found_and_named(project: Project) -> None:
    path = project.folder / "stages/train.py"
    path.write_text(path.read_text(encoding="utf-8") + RANDOM, encoding="utf-8")
    # As if the author had run it: its outputs stay those of the run without it.
    project.run("dvc", "commit", "--force", f"train@{TWIN}")
    project.commit("Add some randomness")
    done = project.run("python", "-m", "tools.verify", TWIN, expect=1)
    assert done.stdout.endswith("\nNOT verified.\n")
    of_output = verdicts(done.stdout)
    assert set(of_output) == {
        f"data/raw/{TWIN}", f"data/processed/{TWIN}/train", f"data/processed/{TWIN}/validation",
        f"data/processed/{TWIN}/test", f"models/{TWIN}.json",
        f"models/{TWIN}.keras", f"models/{TWIN}.keras.sha256", f"models/{TWIN}.architecture",
        f"plots/history/{TWIN}.csv",
        f"metrics/{TWIN}.json", f"predictions/{TWIN}/validation.csv", f"predictions/{TWIN}/test.csv",
        f"plots/confusion/{TWIN}.csv",
        f"plots/data/{TWIN}.json", f"plots/data/{TWIN}.png",
        f"plots/classes/{TWIN}.csv", f"plots/reliability/{TWIN}.csv", f"plots/mistakes/{TWIN}.png",
    }  # fmt: skip
    # A line a stage of either run, and not the two trainings' own output.
    assert sorted(done.stderr.splitlines()) == sorted(
        f"{run}: {stage}@{TWIN}"
        for run in ("all processors", "one processor")
        for stage in ("fetch", "preprocess", "train", "evaluate")
    )
    assert of_output[f"models/{TWIN}.keras"] == "DIFFERENT"
    assert of_output[f"data/processed/{TWIN}/train"] == "same"
    named = re.findall(
        r"^(\w+)@\w+, (.*): it made other outputs of the same inputs\.$", done.stdout, re.MULTILINE
    )
    assert named == [("train", "all processors"), ("train", "one processor")]


@pytest.mark.slow
def test_a_stage_that_fails_is_said_to_have_failed(project: Project) -> None:
    (project.folder / "stages/fetch.py").write_text("raise SystemExit(3)")
    project.run("dvc", "commit", "--force", f"fetch@{TWIN}")
    project.commit("Break the code")
    done = project.run("python", "-m", "tools.verify", TWIN, expect=2)
    lines = done.stderr.splitlines()
    assert lines[-1] == "error: dvc repro with all processors: failed, as said above"
    assert len([line for line in lines if line.startswith("ERROR: failed to reproduce")]) == 2


def test_a_terminal_gets_a_bar_a_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    lines = ["Running stage 'fetch@twin':\n", "> python\n", "Running stage 'train@twin':\n", "Epoch 1\n"]
    assert rerun_module.follow(lines, "one processor", 2) == "Running stage 'train@twin':\nEpoch 1\n"
    printed, shown = capsys.readouterr()
    assert printed == ""
    assert "one processor: 100%" in shown
    assert shown.split("\r")[-1].count("2/2") == 1
    assert "Epoch" not in shown
    assert shown.count("\n") == 1


def rename_all(content: dict) -> None:
    """Give each data set a name that a project of somebody's own may have."""
    content["datasets"] = {f"own_{name}": section for name, section in content["datasets"].items()}


def test_a_data_set_without_results_is_one_line(project: Project) -> None:
    done = project.here("tools.verify", "letters", expect=2)
    assert done.stderr == (
        f"error: params.yaml at HEAD: datasets: expected one of digits, {TWIN}, found 'letters'; "
        "commit a new data set first\n"
    )
    project.edit_parameters(rename_all)
    project.commit("Without dvc repro")
    done = project.here("tools.verify", "--smallest", expect=2)
    assert done.stderr == (
        "error: dvc.lock at HEAD: expected stages of 'own_digits', found none; run dvc repro and commit\n"
    )


def test_make_takes_the_smallest_data_set_of_any_project(project: Project) -> None:
    def enlarge_the_first(content: dict) -> None:
        rename_all(content)
        content["datasets"]["own_digits"]["files"]["train-images-idx3-ubyte"]["bytes"] += 1

    assert smallest.find_smallest(parameters.load(ROOT / "params.yaml")) == "digits"
    project.edit_parameters(enlarge_the_first)
    shown = project.run("make", "-n", "-o", ".venv/installed", "demo").stdout
    assert f"dvc repro evaluate@own_{TWIN}\n" in shown
    assert "digits" not in shown
    project.commit("Without dvc repro")
    error = project.run("make", "-o", ".venv/installed", "verify", expect=2).stderr
    assert f"error: dvc.lock at HEAD: expected stages of 'own_{TWIN}', found none" in error
    (project.folder / "params.yaml").write_text("datasets: [", encoding="utf-8")
    done = project.run("make", "-o", ".venv/installed", "demo", expect=2)
    assert done.stderr.startswith("error: params.yaml: expected YAML, found: ")
    assert "Traceback" not in done.stderr


@dataclass
class Rerun:
    """The committed project here, and what came out of it in two clones, to be changed as a test needs it."""

    here: Project
    there: list[Project]

    def replace_hash(self, path: str, *values: str) -> None:
        """Let another file have come out there."""
        for project, value in zip(self.there, values, strict=True):
            lock_file = project.folder / "dvc.lock"
            text, number = re.subn(
                rf"(path: {re.escape(path)}\n +hash: md5\n +md5: )\S+",
                rf"\g<1>{value * 32}",
                lock_file.read_text(),
            )
            assert number >= 1
            lock_file.write_text(text)

    def drop(self, stage: str) -> None:
        """Let a stage not have run there."""
        for project in self.there:
            lock_file = project.folder / "dvc.lock"
            content = YAML(typ="safe").load(lock_file)
            del content["stages"][f"{stage}@{TWIN}"]
            lock_file.write_text(dump(content))

    def commit_architecture(self, name: str) -> None:
        """Commit results of another architecture: the hash of its name in dvc.lock."""
        content = YAML(typ="safe").load(self.here.folder / "dvc.lock")
        (entry,) = [
            output
            for output in content["stages"][f"train@{TWIN}"]["outs"]
            if output["path"] == f"models/{TWIN}.architecture"
        ]
        entry["md5"] = hashlib.md5(f"{name}\n".encode()).hexdigest()
        (self.here.folder / "dvc.lock").write_text(dump(content))
        self.here.commit("Made elsewhere")

    def report(self) -> bool:
        """Whether it is verified."""
        head = find_revision("HEAD")
        folders = {f"clone {number}": project.folder for number, project in enumerate(self.there)}
        return verify.report(TWIN, head, verify.read_expected_stages(head, TWIN), folders)


@pytest.fixture
def rerun(finished: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rerun:
    here, *there = (finished.copy(tmp_path / name) for name in ("here", "one", "two"))
    monkeypatch.chdir(here.folder)
    return Rerun(here, there)


@pytest.mark.parametrize(("wrong", "verified"), [(0, True), (2, True), (200, False)])
def test_on_another_architecture_the_metrics_count(
    rerun: Rerun, capsys: pytest.CaptureFixture[str], wrong: int, verified: bool
) -> None:
    """Change a share of predictions: on another architecture, chance and tolerance allow some."""
    rerun.commit_architecture("riscv64")
    rerun.replace_hash(f"models/{TWIN}.keras", "f", "f")
    for project in rerun.there:
        predictions = project.folder / f"predictions/{TWIN}/test.csv"
        table = pd.read_csv(predictions, dtype={"actual": str, "predicted": str})
        changed = table.index[table["actual"] == table["predicted"]][:wrong]
        others = [str((int(digit) + 1) % 10) for digit in table.loc[changed, "actual"]]
        table.loc[changed, "predicted"] = others
        table.to_csv(predictions, index=False)
    assert rerun.report() is verified
    shown = capsys.readouterr().out
    assert verdicts(shown)[f"models/{TWIN}.keras"] == "DIFFERENT"
    assert "The network was trained on another architecture" in shown


def test_no_architecture_excuses_a_difference_between_two_runs(rerun: Rerun) -> None:
    rerun.commit_architecture("riscv64")
    rerun.replace_hash(f"models/{TWIN}.keras", "e", "f")
    assert rerun.report() is False


def test_the_same_architecture_excuses_no_difference(rerun: Rerun) -> None:
    rerun.replace_hash(f"models/{TWIN}.keras", "f", "f")
    assert rerun.report() is False


def test_a_stage_that_does_not_run_again_is_not_verified(
    rerun: Rerun, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rerun.report() is True
    rerun.drop("evaluate")
    assert rerun.report() is False
    row = rf"^metrics/{TWIN}\.json +\w+ +nothing +nothing +DIFFERENT$"
    assert re.search(row, capsys.readouterr().out, re.MULTILINE)


def forge_a_metric(project: Project) -> str:
    path = project.folder / f"metrics/{TWIN}.json"
    path.write_text(re.sub(r'"accuracy": [\d.]+', '"accuracy": 1.0', path.read_text()))
    return f"metrics/{TWIN}.json"


def change_the_code(project: Project) -> str:
    path = project.folder / "stages/scoring/scores.py"
    path.write_text(path.read_text(encoding="utf-8") + "\n# changed, and committed without dvc repro\n")
    return "stages/scoring"


def change_a_parameter(project: Project) -> str:
    project.edit_parameters(lambda content: content["datasets"][TWIN]["network"].update(dropout=0.5))
    return f"datasets.{TWIN}.network"


def change_a_version(project: Project) -> str:
    path = project.folder / "versions.yaml"
    path.write_text(re.sub(r"numpy: .*", "numpy: '1.0'", path.read_text()))
    return "versions.yaml: numpy"


@pytest.mark.parametrize("change", [forge_a_metric, change_the_code, change_a_parameter, change_a_version])
def test_what_was_committed_without_running_it_is_not_verified(
    project: Project, change: Callable[[Project], str]
) -> None:
    name = change(project)
    project.commit("Without dvc repro")
    done = project.here("tools.verify", TWIN, expect=1)
    assert done.stdout.splitlines()[1:] == [
        f"{TWIN}: NOT verified: dvc.lock records another version of {name}: "
        f"run dvc repro evaluate@{TWIN} and commit."
    ]


def test_a_small_training_is_what_emulated_processors_are_compared_with(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project.folder)
    monkeypatch.setattr(processors, "STAGES", ("fetch", "preprocess", "train"))
    assert processors.main(TWIN, [], images=200) == 0  # make emulate names some, which take minutes
    assert capsys.readouterr().out.endswith(
        ": 4 files\n"
    )  # the network, its checksum, its architecture and the history


def test_a_configuration_is_what_the_emulated_stages_get(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(project.folder)
    project.edit_parameters(lambda content: content["datasets"][TWIN]["training"].pop("augmentation"))
    values = {"network.convolutions": [[4]], "training.augmentation.shift": 1, "computation": "native"}
    processors.prepare(TWIN, 200, tmp_path / "copy", values)
    dataset = parameters.load(tmp_path / "copy/params.yaml").dataset(TWIN)
    assert dataset.network.convolutions == [[4]]
    assert dataset.training.augmentation.shift == 1
    assert dataset.training.epochs == processors.EPOCHS
    assert dataset.computation == "portable"


def test_stages_that_write_nothing_are_not_the_same_everywhere(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.folder)
    monkeypatch.setattr(processors, "STAGES", ())
    with pytest.raises(UserError, match="twin: expected files that the stages write, found none"):
        processors.main(TWIN, [], images=200)


def test_without_the_emulator_it_says_what_to_install(project: Project, tmp_path: Path) -> None:
    done = project.here("tools.verify.processors", TWIN, expect=2, PATH=str(tmp_path))
    assert done.stderr == (
        "error: qemu-x86_64: expected the program, found none; install qemu-user (Debian, Ubuntu)\n"
    )


def test_a_mirror_that_needs_the_network_is_refused(project: Project) -> None:
    shutil.rmtree(project.folder / "data/raw" / TWIN)  # which would do
    mirror = "http://me:hunter2@localhost:9?token=hunter2"
    done = project.here("tools.verify", TWIN, expect=2, DATASETS_MIRROR=mirror)
    assert done.stderr == (
        "error: DATASETS_MIRROR: expected a folder, since this runs without a network, "
        "found http://localhost:9?...\n"
    )
