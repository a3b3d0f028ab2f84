"""The study of accuracy: it goes on after a stop, and its page is what its records say."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, TWIN, Project, environment, shared
from PIL import Image
from scipy import ndimage

from stages import arrays, layout, model_file, parameters
from stages.arrays import Split
from stages.evaluate import predict
from study import records, report, results, runs

STUDY = (sys.executable, "-m", "study")
RECORDS = f"study/records/{TWIN}.jsonl"
PAGE = f"""# A page
<!-- configurations of {TWIN} -->
old
<!-- end -->
between
<!-- sizes of {TWIN} -->
<!-- end -->
<!-- variants of {TWIN} -->
<!-- end -->
<!-- pairs of {TWIN} -->
<!-- end -->
<!-- mistakes of {TWIN} -->
<!-- end -->
"""
PLAN = {
    "seeds": 2,
    "variant_seeds": 2,
    "shift": 1,
    "training_images": [300],
    "variants": {
        "default": {"no dropout": {"network.dropout": 0.0}, "nothing": {"training.batch_size": 64}},
        "small": {"tiny": {"network.hidden": [4]}},
    },
}
TRAININGS = 10  # with two seeds each: default, small, fewer images, no dropout, tiny


def plan(project: Project) -> Project:
    """The same with a small study to make."""

    def planned(content: dict[str, Any]) -> None:
        content["study"] = PLAN
        content["datasets"][TWIN]["configurations"] = {"small": {"network.hidden": [16]}}

    project.edit_parameters(planned)
    (project.folder / "docs/accuracy.md").write_text(PAGE)
    return project


@pytest.fixture
def planned(project: Project) -> Project:
    """A project with a study to make."""
    return plan(project)


@pytest.fixture(scope="session")
def studied(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with a study that has been made. Not to be changed."""

    def make(folder: Path) -> Project:
        project = plan(finished.copy(folder))
        project.run(*STUDY, TWIN)
        project.run(*STUDY)
        return project

    return shared(tmp_path_factory, "studied", make)


def recorded(project: Project) -> list[dict[str, Any]]:
    path = project.folder / RECORDS
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def without_times(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in one.items() if name != "seconds"} for one in records]


def test_a_killed_study_goes_on_and_ends_with_the_records_of_one_that_was_not(
    studied: Project, planned: Project
) -> None:
    running = subprocess.Popen(
        [*STUDY, TWIN], cwd=planned.folder, env=environment(), stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    while len(recorded(planned)) < 2:
        assert running.poll() is None
        time.sleep(0.01)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    before = recorded(planned)
    assert len(before) < TRAININGS

    planned.run(*STUDY, TWIN)

    assert recorded(planned)[: len(before)] == before, "what had ended was run again"
    assert without_times(recorded(planned)) == without_times(recorded(studied))


def test_each_training_is_run_once(studied: Project) -> None:
    assert len({record["key"] for record in recorded(studied)}) == len(recorded(studied)) == TRAININGS


def test_the_page_has_means_and_deviations_of_what_was_recorded(studied: Project) -> None:
    page = (studied.folder / "docs/accuracy.md").read_text()
    assert "old" not in page
    assert "\nbetween\n" in page
    accuracies = [
        100 * one["test"]["accuracy"]
        for one in recorded(studied)
        if one["configuration"] == "small" and one["variant"] is None
    ]
    mean, deviation = np.mean(accuracies), np.std(accuracies, ddof=1)
    assert f"| `small` | {mean:.2f} ± {deviation:.2f} |" in page
    assert "| 300 |" in page
    assert "| no dropout |" in page
    for name in ("sizes", f"{TWIN}-pairs", f"{TWIN}-mistakes"):
        with Image.open(studied.folder / f"docs/accuracy/{name}.png") as picture:
            assert picture.width > 100


def test_what_is_compared_is_not_tested(studied: Project) -> None:
    for one in recorded(studied):
        assert one["validation"]["accuracy"] > 0
        assert ("test" in one) == ("mistakes" in one) == (one["variant"] is None)


def test_the_seed_of_params_yaml_gives_what_the_pipeline_gives(studied: Project) -> None:
    first = recorded(studied)[0]
    assert (first["configuration"], first["variant"], first["seed"]) == ("default", None, 0)
    assert first["test"] == json.loads((studied.folder / layout.metrics(TWIN)).read_text())
    table = pd.read_csv(studied.folder / layout.predictions(TWIN))
    assert sorted(map(int, first["mistakes"])) == table.index[table["actual"] != table["predicted"]].tolist()


def test_confused_classes_are_counted_as_in_the_confusion_matrix(
    studied: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(studied.folder)
    found = results.read(TWIN, parameters.load())
    # Of the first seed alone, whose confusion matrix the pipeline has.
    first = results.Results(found.name, found.classes, found.test, found.runs[:1])
    matrix = pd.read_csv(layout.confusion(TWIN))["count"].to_numpy().reshape(10, 10)
    either = matrix + matrix.T
    counts = [results.confusions(first, "default", pair) for pair in results.pairs(first)]
    assert counts == sorted(either[np.triu_indices(10, 1)], reverse=True)[: results.MOST_PAIRS]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"variants": {"bset": {"x": {"network.dropout": 0.1}}}}, "study.variants: expected names"),
        ({"variants": {"small": {"x": {"network.droput": 0.1}}}}, "study.variants.small.x"),
        ({"variants": {"small": {"x": {"network.dropout": 2}}}}, "study.variants.small.x"),
        ({"seeds": 1}, "study.seeds"),
        (None, "study: expected a plan"),
    ],
)
def test_a_plan_that_cannot_be_is_named(planned: Project, change: dict | None, expected: str) -> None:
    planned.edit_parameters(
        lambda content: content["study"].update(change) if change else content.pop("study")
    )
    done = planned.run(*STUDY, TWIN, expect=2)
    assert done.stderr.count("\n") == 1
    assert expected in done.stderr


def test_a_broken_record_is_named_and_kept(planned: Project) -> None:
    path = planned.folder / RECORDS
    path.parent.mkdir(exist_ok=True)
    path.write_text('{"key": 1}\n{"configu')
    done = planned.run(*STUDY, TWIN, expect=2)
    assert f"{RECORDS}, line 2: expected a record" in done.stderr
    assert path.read_text() == '{"key": 1}\n{"configu'


def test_a_mean_over_shifts_is_that_of_the_moved_images(
    finished: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(finished.folder)
    model = model_file.load(layout.model("digits"))
    split = arrays.read(layout.processed("digits", "test"))
    moved = [
        ndimage.shift(split.images, (0, down, right), order=0) for down in (-1, 0, 1) for right in (-1, 0, 1)
    ]
    expected = np.mean([predict(model, Split(images, split.labels)) for images in moved], axis=0)
    np.testing.assert_allclose(runs.averaged(model, split, 1), expected, atol=1e-6)


def test_fewer_images_are_among_more(finished: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(finished.folder)
    split = arrays.read(layout.processed("digits", "train"))
    numbered = Split(np.arange(len(split.labels)).reshape(-1, 1, 1), split.labels)
    few, more = (set(runs.drawn(numbered, images, 3).images.ravel()) for images in (100, 200))
    assert (len(few), len(more)) == (100, 200)
    assert few < more


STUDIED = sorted(path.stem for path in (ROOT / records.FOLDER).glob("*.jsonl"))


@pytest.mark.parametrize("dataset", STUDIED)
def test_the_records_are_of_this_code(dataset: str) -> None:
    lines = (ROOT / records.FOLDER / f"{dataset}.jsonl").read_text().splitlines()
    seed = parameters.load(ROOT / "params.yaml").dataset(dataset).seed
    (record,) = [
        one
        for one in map(json.loads, lines)
        if (one["configuration"], one["variant"], one["seed"]) == ("default", None, seed)
        and one["images"] > 0.8 * max(json.loads(line)["images"] for line in lines)
    ]
    assert record["test"] == json.loads((ROOT / layout.metrics(dataset)).read_text())


@pytest.mark.skipif(
    not all((ROOT / layout.processed(name, "test")).exists() for name in STUDIED),
    reason="no arrays: run `dvc repro preprocess` once",
)
def test_the_page_is_what_the_records_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    text = report.PAGE.read_text(encoding="utf-8")
    content = parameters.load()
    of = {name: results.read(name, content) for name in STUDIED}
    assert set(STUDIED) == {match[3] for match in report.BLOCK.finditer(text)}
    assert report.filled(text, of) == text
