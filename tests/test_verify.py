"""`python -m verify`: what comes out again passes, and any randomness is found and named."""

import hashlib
import json
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from conftest import TWIN, Project

from compare import revision
from stages import environment, parameters
from verify import __main__ as verify
from verify import processors

# What somebody adds at the end of a stage: something drawn without a seed.
RANDOM = {
    "fetch": "layout.raw(dataset).joinpath('notes').write_text(str(random.random()))",
    "preprocess": "np.save(layout.processed(dataset, 'train') / 'labels.npy', "
    "np.random.default_rng().permutation(np.load(layout.processed(dataset, 'train') / 'labels.npy')))",
    "train": "model.set_weights([weight + random.random() for weight in model.get_weights()]); "
    "model_file.save(model, layout.model(dataset))",
    "evaluate": "rounded['accuracy'] = random.random(); "
    "files.write_text(layout.metrics(dataset), json.dumps(rounded))",
}
NAMED = {
    "fetch": f"data/raw/{TWIN}",
    "preprocess": f"data/processed/{TWIN}/train",
    "train": f"models/{TWIN}.keras",
    "evaluate": f"metrics/{TWIN}.json",
}


def verdicts(output: str) -> dict[str, str]:
    """The last word of each row of the table, by the path of the output."""
    return dict(re.findall(rf"^(\S*{TWIN}\S*) .*\b(same|DIFFERENT)$", output, re.MULTILINE))


@pytest.fixture(scope="module")
def committed(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    return finished.copy(tmp_path_factory.mktemp("verified"))


def test_what_comes_out_again_is_verified(committed: Project) -> None:
    (committed.folder / "metrics/digits.json").write_text("not committed, so it does not count")
    done = committed.run("python", "-m", "verify", TWIN, DATASETS_MIRROR="/nowhere")
    assert done.stdout.endswith("\nVerified.\n")
    found = verdicts(done.stdout)
    assert set(found) == {
        f"data/raw/{TWIN}", f"data/processed/{TWIN}/train", f"data/processed/{TWIN}/validation",
        f"data/processed/{TWIN}/test", f"models/{TWIN}.keras", f"plots/history/{TWIN}.csv",
        f"metrics/{TWIN}.json", f"predictions/{TWIN}.csv", f"plots/confusion/{TWIN}.csv",
        f"plots/classes/{TWIN}.csv", f"plots/reliability/{TWIN}.csv", f"plots/mistakes/{TWIN}.png",
    }  # fmt: skip
    assert set(found.values()) == {"same"}
    ran = re.findall(r"Running stage '(\w+)@", done.stdout + done.stderr)
    assert ran == ["fetch", "preprocess", "train", "evaluate"] * 2


@pytest.mark.parametrize("stage", RANDOM)
def test_randomness_in_a_stage_is_found_and_named(project: Project, stage: str) -> None:
    path = project.folder / f"stages/{stage}.py"
    code = path.read_text(encoding="utf-8")
    planted = code.replace(
        "\n\nif __name__ ==", f"    import random\n    {RANDOM[stage]}\n\n\nif __name__ =="
    )
    assert planted != code
    path.write_text(planted, encoding="utf-8")
    # As if the author had run it: its outputs stay those of the run without it.
    project.run("dvc", "commit", "--force", f"{stage}@{TWIN}")
    project.commit("Add some randomness")
    done = project.run("python", "-m", "verify", TWIN, expect=1)
    assert done.stdout.endswith("\nNOT verified.\n")
    assert verdicts(done.stdout)[NAMED[stage]] == "DIFFERENT"
    named = re.findall(
        r"^(\w+)@\w+, (.*): it made other outputs of the same inputs\.$", done.stdout, re.MULTILINE
    )
    assert named == [(stage, "all processors"), (stage, "one processor")]
    before = list(RANDOM)[: list(RANDOM).index(stage)]
    assert all(verdicts(done.stdout)[NAMED[earlier]] == "same" for earlier in before)


def test_a_stage_that_fails_is_said_to_have_failed(project: Project) -> None:
    (project.folder / "stages/evaluate.py").write_text("raise SystemExit(3)")
    project.commit("Break the code")
    done = project.run("python", "-m", "verify", TWIN, expect=2)
    assert done.stderr.splitlines()[-1] == "error: dvc repro with all processors: failed, as said above"


def test_a_data_set_without_results_is_one_line(committed: Project) -> None:
    done = committed.run("python", "-m", "verify", "letters", expect=2)
    assert done.stderr == (
        "error: dvc.lock at HEAD: expected stages of 'letters', found none; run dvc repro, commit\n"
    )


@dataclass
class Rerun:
    """The committed project here, and what came out of it there, to be changed as a test needs it."""

    here: Project
    there: Project

    def replace_hash(self, path: str) -> None:
        """Let it be another file there."""
        lock_file = self.there.folder / "dvc.lock"
        text, number = re.subn(
            rf"(path: {re.escape(path)}\n +hash: md5\n +md5: )\S+", rf"\1{'f' * 32}", lock_file.read_text()
        )
        assert number >= 1
        lock_file.write_text(text)

    def report(self) -> bool:
        """Whether it is verified."""
        head = revision.find("HEAD")
        return verify.report(TWIN, head, verify.expected_stages(head, TWIN), {"elsewhere": self.there.folder})


@pytest.fixture
def rerun(committed: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rerun:
    prepared = Rerun(committed.copy(tmp_path / "here"), committed.copy(tmp_path / "there"))
    monkeypatch.chdir(prepared.here.folder)
    return prepared


@pytest.mark.parametrize(
    ("architecture", "wrong", "verified"),
    [("riscv64", 0, True), ("riscv64", 2, True), ("riscv64", 200, False), ("the same", 0, False)],
)
def test_on_another_architecture_the_metrics_count(
    rerun: Rerun, capsys: pytest.CaptureFixture[str], architecture: str, wrong: int, verified: bool
) -> None:
    """Where other bits are no fault, as many predictions may differ as chance and tolerance allow."""
    if architecture != "the same":
        path = rerun.here.folder / f"environment/{TWIN}.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "system": f"Linux {architecture}"}))
        rerun.here.run("git", "commit", "--quiet", "--message", "Made elsewhere", str(path))
    rerun.replace_hash(f"models/{TWIN}.keras")
    predictions = rerun.there.folder / f"predictions/{TWIN}.csv"
    table = pd.read_csv(predictions, dtype={"actual": str, "predicted": str})
    changed = table.index[table["actual"] == table["predicted"]][:wrong]
    table.loc[changed, "predicted"] = [str((int(digit) + 1) % 10) for digit in table.loc[changed, "actual"]]
    table.to_csv(predictions, index=False)
    assert rerun.report() is verified
    shown = capsys.readouterr().out
    assert verdicts(shown)[f"models/{TWIN}.keras"] == "DIFFERENT"
    assert ("Another architecture rounds differently" in shown) == (architecture != "the same")


@pytest.mark.parametrize("outputs", [[], [f"metrics/{TWIN}.json"]])
def test_results_of_other_code_are_not_verified(
    rerun: Rerun, capsys: pytest.CaptureFixture[str], outputs: list[str]
) -> None:
    """As after a change of the code that was committed without `dvc repro`."""
    for path in ["stages/scores.py", *outputs]:
        rerun.replace_hash(path)
    assert rerun.report() is False
    assert capsys.readouterr().out.endswith(
        f"\nevaluate@{TWIN}: dvc.lock was made with another stages/scores.py: run dvc repro and commit.\n"
    )


def test_the_environment_is_recorded_where_a_model_is_made_first(tmp_path: Path) -> None:
    model, record = tmp_path / "model.keras", tmp_path / "environment.json"
    model.write_bytes(b"a model")
    environment.record(model, record)
    made = environment.parse(record.read_bytes())
    assert made == {"model_sha256": hashlib.sha256(b"a model").hexdigest(), **environment.describe()}
    assert {"cpu", "python", "tensorflow", "keras", "numpy", "scikit-learn", "dvc", "threads"} < made.keys()

    record.write_text(json.dumps({**made, "cpu": "another one"}))
    environment.record(model, record)  # the same model again, here
    assert environment.parse(record.read_bytes())["cpu"] == "another one"
    model.write_bytes(b"another model")
    environment.record(model, record)
    assert environment.parse(record.read_bytes())["cpu"] == environment.cpu()
    record.write_text("[damaged")
    environment.record(model, record)
    assert environment.parse(record.read_bytes())["cpu"] == environment.cpu()


@pytest.mark.timeout(1200)
def test_a_small_training_gives_the_same_bits_on_an_emulated_processor(
    committed: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On one without FMA, AVX2 and AVX-512, whose rsqrt and reciprocal are not those of this machine."""
    if shutil.which(processors.EMULATOR) is None:
        pytest.skip("no qemu-x86_64 here: install qemu-user")
    monkeypatch.chdir(committed.folder)
    parameters.FILE.write_text(
        parameters.FILE.read_text().replace("batch_normalization: false", "batch_normalization: true")
    )
    assert processors.main(TWIN, ["SandyBridge"], images=200) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "SandyBridge: the same bits"


def test_without_the_emulator_it_says_what_to_install(committed: Project, tmp_path: Path) -> None:
    done = committed.run(sys.executable, "-m", "verify.processors", TWIN, expect=2, PATH=str(tmp_path))
    assert done.stderr == (
        "error: qemu-x86_64: expected the program, found none; install qemu-user (Debian, Ubuntu)\n"
    )
