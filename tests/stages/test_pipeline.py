"""The pipeline, run by the real DVC in a copy of the project on scikit-learn's digits."""

import csv
import json
import re
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from helpers import ROOT, TWIN, Project, copy_of_the_project, set_value
from ruamel.yaml import YAML
from sklearn.metrics import accuracy_score, confusion_matrix

from stages.__main__ import STAGES
from stages.common.backend import keras
from stages.network.architecture import describe_architecture

RESULTS = ("dvc.lock", "data/**/*", "models/*", "metrics/*", "predictions/*/*", "plots/*/*")


def read_csv(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


def stages_run(output: str) -> list[str]:
    return re.findall(r"Running stage '(.*)'", output)


def test_repro_writes_every_output(finished: Project) -> None:
    for name in ("digits", TWIN):
        written = finished.files(
            f"data/*/{name}/**/*",
            f"models/{name}.*",
            f"metrics/{name}.*",
            f"predictions/{name}/*",
            f"pl*/*/{name}.*",
        )
        assert sorted(written) == [
            f"data/processed/{name}/test/SHA256SUMS",
            f"data/processed/{name}/test/images.npy",
            f"data/processed/{name}/test/labels.npy",
            f"data/processed/{name}/train/SHA256SUMS",
            f"data/processed/{name}/train/images.npy",
            f"data/processed/{name}/train/labels.npy",
            f"data/processed/{name}/validation/SHA256SUMS",
            f"data/processed/{name}/validation/images.npy",
            f"data/processed/{name}/validation/labels.npy",
            f"data/raw/{name}/t10k-images-idx3-ubyte",
            f"data/raw/{name}/t10k-labels-idx1-ubyte",
            f"data/raw/{name}/train-images-idx3-ubyte",
            f"data/raw/{name}/train-labels-idx1-ubyte",
            f"metrics/{name}.json",
            f"models/{name}.architecture",
            f"models/{name}.json",
            f"models/{name}.keras",
            f"models/{name}.keras.sha256",
            f"plots/classes/{name}.csv",
            f"plots/confusion/{name}.csv",
            f"plots/data/{name}.json",
            f"plots/data/{name}.png",
            f"plots/history/{name}.csv",
            f"plots/mistakes/{name}.png",
            f"plots/reliability/{name}.csv",
            f"predictions/{name}/test.csv",
            f"predictions/{name}/validation.csv",
        ]


def test_what_belongs_in_git_is_there_and_what_does_not_is_not(finished: Project) -> None:
    tracked = finished.run("git", "ls-files").stdout.splitlines()
    assert "metrics/digits.json" in tracked
    assert "plots/confusion/digits.csv" in tracked
    assert "dvc.lock" in tracked
    assert not [name for name in tracked if name.startswith(("data/", "models/", "dvc_plots/"))]
    assert finished.run("git", "status", "--porcelain").stdout == ""


def test_a_second_repro_does_nothing(project: Project) -> None:
    before = project.files(*RESULTS)
    done = project.run("dvc", "repro")
    assert stages_run(done.stdout) == []
    assert "Data and pipelines are up to date." in done.stdout
    assert project.files(*RESULTS) == before


def test_the_committed_results_of_digits_are_what_two_data_sets_at_a_time_give(finished: Project) -> None:
    for name in finished.files("metrics/digits.json", "predictions/digits/*.csv", "plots/*/digits.*"):
        if describe_architecture() == "x86_64":  # as of the committed results
            assert (finished.folder / name).read_bytes() == (ROOT / name).read_bytes()
        else:
            accuracy = [json.loads((at / "metrics/digits.json").read_text())["test"]["accuracy"]
                        for at in (finished.folder, ROOT)]  # fmt: skip
            assert accuracy[0] == pytest.approx(accuracy[1], abs=0.02)  # two percent: 7 of 360 images


def test_a_learning_rate_reruns_the_training_and_evaluation_of_its_data_set(slower: Project) -> None:
    printed = (slower.folder / ".git/repro.txt").read_text()
    assert stages_run(printed) == [f"train@{TWIN}", f"evaluate@{TWIN}"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "value", "stages"),
    [
        ("network.dropout", 0.5, ["train"]),
        ("computation", "native", ["train"]),
        ("seed", 7, ["preprocess", "train"]),
        ("validation_images", 300, ["preprocess"]),
        ("largest_pixel", 255, ["preprocess", "train"]),
        ("classes.0", "zero", ["evaluate", "preprocess"]),
        ("source.test_images", 300, ["fetch"]),
    ],
)
def test_a_parameter_makes_out_of_date_what_reads_it(
    project: Project, path: str, value: object, stages: list[str]
) -> None:
    project.edit_parameters(lambda content: set_value(content["datasets"][TWIN], path, value))
    status = json.loads(project.run("dvc", "status", "--json").stdout)
    changed = [stage for stage, changes in status.items() if any("params.yaml" in str(c) for c in changes)]
    assert sorted(changed) == sorted(f"{stage}@{TWIN}" for stage in stages)


@pytest.mark.slow
def test_the_validation_split_depends_on_the_seed_alone(project: Project) -> None:
    before = project.files(f"data/processed/{TWIN}/**/*")
    project.edit_parameters(lambda content: content["datasets"][TWIN]["training"].update(batch_size=32))
    project.run("dvc", "repro", f"preprocess@{TWIN}")
    assert project.files(f"data/processed/{TWIN}/**/*") == before
    project.edit_parameters(lambda content: content["datasets"][TWIN].update(seed=7))
    project.run("dvc", "repro", f"preprocess@{TWIN}")
    after = project.files(f"data/processed/{TWIN}/**/*")
    assert {name for name in after if after[name] != before[name]} == {
        f"data/processed/{TWIN}/{split}/{array}.npy"
        for split in ("train", "validation")
        for array in ("images", "labels")
    } | {f"data/processed/{TWIN}/{split}/SHA256SUMS" for split in ("train", "validation")}


def test_the_confusion_counts_are_those_of_the_model_on_the_test_set(finished: Project) -> None:
    folder = finished.folder
    model = keras.saving.load_model(folder / "models/digits.keras")
    images = np.load(folder / "data/processed/digits/test/images.npy")
    labels = np.load(folder / "data/processed/digits/test/labels.npy")
    predicted = model.predict(images, verbose=0).argmax(axis=1)
    rows = read_csv(folder / "plots/confusion/digits.csv")
    assert [(row["actual"], row["predicted"]) for row in rows] == [
        (str(a), str(p)) for a in range(10) for p in range(10)
    ]
    counts = np.array([int(row["count"]) for row in rows]).reshape(10, 10)
    assert counts.tolist() == confusion_matrix(labels, predicted).tolist()
    assert counts.sum() == len(labels) == 360
    metrics = json.loads((folder / "metrics/digits.json").read_text())
    assert list(metrics) == ["validation", "test"]
    names = ["accuracy", "macro_f1", "log_loss", "brier_score", "calibration_error"]
    assert [list(values) for values in metrics.values()] == [names, names]
    assert metrics["test"]["accuracy"] == pytest.approx(accuracy_score(labels, predicted), abs=1e-6)


@pytest.mark.parametrize(
    ("stage", "file", "content"),
    [
        ("preprocess", "data/raw/digits/t10k-labels-idx1-ubyte", None),
        ("train", "data/processed/digits/train/images.npy", None),
        ("evaluate", "models/digits.keras", b"damaged"),
    ],
)
def test_a_damaged_input_is_named_in_one_line(
    project: Project, stage: str, file: str, content: bytes | None
) -> None:
    before = project.files("metrics/*", "plots/*/*", "models/*", "data/**/*")
    (project.folder / file).unlink()
    if content is not None:
        (project.folder / file).write_bytes(content)
    done = project.here("stages", stage, "digits", expect=2)
    assert done.stderr.startswith("error: ")
    assert str(Path(file).parent) in done.stderr
    assert done.stderr.count("\n") == 1
    after = project.files("metrics/*", "plots/*/*", "models/*", "data/**/*")
    assert {name for name in before if before[name] != after.get(name)} == {file}


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_that_fails_leaves_all_outputs_as_they_were(project: Project, stage: str) -> None:
    before = project.files(*RESULTS)
    with (project.folder / f"stages/{stage}.py").open("a", encoding="utf-8") as file:
        file.write("raise ValueError('a fault of our own')\n")
    failed = project.run("dvc", "repro", "--force", "--single-item", f"{stage}@{TWIN}", expect=255)
    assert "ValueError: a fault of our own" in failed.stderr
    assert project.files(*RESULTS) == before


def test_the_test_images_are_neither_in_training_nor_in_validation(finished: Project) -> None:
    splits = {
        split: [image.tobytes() for image in np.load(file)]
        for split in ("train", "validation", "test")
        for file in [finished.folder / "data/processed/digits" / split / "images.npy"]
    }
    every = Counter(image for images in splits.values() for image in images)
    assert sum(every.values()) == 1797
    assert max(every.values()) == 1


def test_the_history_is_that_of_the_training(finished: Project) -> None:
    rows = read_csv(finished.folder / f"plots/history/{TWIN}.csv")
    assert [list(row) for row in rows] == [["epoch", "loss", "accuracy", "val_loss", "val_accuracy"]] * 2
    assert [row["epoch"] for row in rows] == ["1", "2"]


def test_metrics_diff_shows_what_changed_and_no_more(slower: Project) -> None:
    diff = json.loads(slower.run("dvc", "metrics", "diff", "--json", "main").stdout)
    assert list(diff) == [f"metrics/{TWIN}.json"]
    assert diff[f"metrics/{TWIN}.json"]["validation.accuracy"]["diff"] < -0.2


@pytest.mark.slow
def test_an_experiment_changes_one_line_of_the_committed_parameters(tmp_path: Path) -> None:
    """DVC writes the whole file anew, in a form of its own."""
    project = copy_of_the_project(tmp_path)
    project.run("dvc", "exp", "run", "-S", "datasets.digits.training.epochs=20", "fetch@digits")
    assert project.run("git", "diff", "--numstat", "params.yaml").stdout == "1\t1\tparams.yaml\n"


def test_before_a_commit_results_must_be_those_of_the_parameters(project: Project) -> None:
    hooks = YAML(typ="safe").load(project.folder / ".pre-commit-config.yaml")["repos"][0]["hooks"]
    (entry,) = (hook["entry"].replace(".venv/bin/", "") for hook in hooks if hook["id"] == "dvc")
    before = (project.folder / "params.yaml").read_text()
    project.edit_parameters(lambda content: content["evaluation"].update(calibration_bins=14))
    assert f"Running stage 'evaluate@{TWIN}'" in project.run("bash", "-c", entry, expect=1).stdout
    for folder in ("data", "models"):
        shutil.rmtree(project.folder / folder)  # as in a clone, where DVC cannot even say what it would run
    assert project.run("bash", "-c", entry, expect=None).returncode != 0
    (project.folder / "params.yaml").write_text(before)
    project.run("bash", "-c", entry)


@pytest.mark.slow
def test_an_error_in_one_of_two_data_sets_is_reported(project: Project) -> None:
    project.edit_parameters(lambda parameters: set_value(parameters, f"datasets.{TWIN}.training.epochs", 0))
    project.edit_parameters(lambda parameters: set_value(parameters, "datasets.digits.seed", 5))
    done = project.run("make", "-o", ".venv/installed", "repro", "JOBS=2", expect=2)
    assert "error: params.yaml" in done.stderr
