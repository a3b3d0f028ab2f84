"""The study of accuracy: it goes on after a stop, and its page is what its records say."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import ROOT, TWIN, Project, environment, set_value, shared
from PIL import Image
from scipy import ndimage, stats

from stages import parameters
from stages.common import layout, lock
from stages.common.errors import UserError
from stages.evaluate import predict
from stages.network import model_file
from stages.scoring import gallery
from stages.splits import arrays
from stages.splits.arrays import Split
from tools.study import __main__ as study
from tools.study import pictures, plan, records, report, results, runs
from tools.study.plan import Run
from tools.study.records import Record
from tools.study.results import Results

STUDY = (sys.executable, "-m", "tools.study")
RECORDS = f"tools/study/records/{TWIN}.jsonl"
PAGE = f"""# A page
<!-- configurations of {TWIN} -->
old
<!-- end -->
between
<!-- sizes of {TWIN} -->
<!-- end -->
<!-- shifts of {TWIN} -->
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
RUNS = [
    *(("default", None, None), ("default", None, 300), ("default", "no dropout", None)),
    *(("small", None, None), ("small", "tiny", None)),
]
TRAININGS = 2 * len(RUNS)  # with two seeds each


def with_plan(project: Project) -> Project:
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
    return with_plan(project)


@pytest.fixture(scope="session")
def studied(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with a study that has been made. Not to be changed."""

    def make(folder: Path) -> Project:
        project = with_plan(finished.copy(folder))
        project.here("tools.study")
        return project

    return shared(tmp_path_factory, "studied", make)


def recorded(project: Project) -> list[dict[str, Any]]:
    path = project.folder / RECORDS
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def without_times(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in one.items() if name != "seconds"} for one in records]


def found_in(project: Project, monkeypatch: pytest.MonkeyPatch) -> Results:
    monkeypatch.chdir(project.folder)
    return results.read(TWIN, parameters.load())


@pytest.mark.slow
def test_a_killed_study_goes_on_and_ends_with_the_records_of_one_that_was_not(
    studied: Project, planned: Project
) -> None:
    # All but the last four trainings have ended before.
    lines = (studied.folder / RECORDS).read_bytes().splitlines(keepends=True)
    (planned.folder / RECORDS).write_bytes(b"".join(lines[:-4]))
    running = subprocess.Popen(
        [*STUDY, TWIN], cwd=planned.folder, env=environment(), stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    while len(recorded(planned)) <= TRAININGS - 4:
        assert running.poll() is None
        time.sleep(0.01)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    before = recorded(planned)
    assert len(before) < TRAININGS

    planned.here("tools.study", TWIN)

    assert recorded(planned)[: len(before)] == before, "what had ended was run again"
    assert without_times(recorded(planned)) == without_times(recorded(studied))


def test_each_training_is_run_once_and_known_by_all_that_decides_it(
    studied: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(recorded(studied)) == TRAININGS
    found = found_in(studied, monkeypatch)
    assert {(run.configuration, run.variant, run.images) for run, _ in found.runs} == set(RUNS)
    assert len(found.runs) == TRAININGS


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content["evaluation"].update(calibration_bins=14),
        lambda content: content["study"].update(shift=2),
        lambda content: set_value(content, f"datasets.{TWIN}.training.batch_size", 32),
        lambda content: set_value(content, f"datasets.{TWIN}.seed", 7),
        lambda _: arrays.write(  # as another `validation_images` gives
            layout.processed(TWIN, "train"), arrays.read(layout.processed(TWIN, "train")), np.arange(100, 400)
        ),
    ],
    ids=["bins", "shift", "batch size", "seed", "data"],
)
def test_what_was_trained_or_scored_otherwise_is_not_taken_for_it(
    planned: Project,
    studied: Project,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[dict[str, Any]], None],
) -> None:
    monkeypatch.chdir(planned.folder)
    Path(RECORDS).write_bytes((studied.folder / RECORDS).read_bytes())
    assert len(results.read(TWIN, parameters.load()).runs) == TRAININGS
    planned.edit_parameters(change)
    message = f"{RECORDS}: expected a training of default as it is in params.yaml, found none"
    with pytest.raises(UserError, match=message):
        results.read(TWIN, parameters.load())


def test_a_second_study_at_the_same_time_is_refused(planned: Project) -> None:
    with lock.alone(planned.folder / f"tools/study/records/{TWIN}.lock", "other"):
        done = planned.here("tools.study", expect=2)
    assert f"expected no other study of {TWIN}, found one" in done.stderr
    assert not recorded(planned)


def test_the_page_has_means_and_deviations_of_what_was_recorded(
    studied: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = found_in(studied, monkeypatch)
    page = (studied.folder / "docs/accuracy.md").read_text()
    assert "old" not in page
    assert "\nbetween\n" in page
    accuracies = 100 * found.of("small")["test.accuracy"]
    assert f"| `small` | {np.mean(accuracies):.2f} ± {np.std(accuracies, ddof=1):.2f} |" in page
    assert "| 300 |" in page
    assert f"| {found.training_images:,} |" in page
    assert "| no dropout |" in page


def test_the_pictures_are_of_what_the_tables_count(studied: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    found = by_hand(found_in(studied, monkeypatch).runs[0][0])
    drawn: dict[str, tuple[str, Any, list[str]]] = {}
    monkeypatch.setattr(gallery, "save", lambda path, *what: drawn.update({path.stem: what}))
    pictures.pairs(found)
    pictures.mistakes(found)
    title, images, captions = drawn["made-pairs"]
    assert title == "Taken for the other class of a pair by how many seeds of default, small"
    assert captions[:4] == [
        "#0 a\nfor b\n3, 2",
        "#3 b\nfor a\n1, 0",
        "#4 b\nfor a\n1, 0",
        "#5 b\nfor a\n1, 0",
    ]
    assert captions[4:] == [""] * 4
    assert [image.max() for image in images] == [0, 3, 4, 5, 0, 0, 0, 0]
    title, images, captions = drawn["made-mistakes"]
    assert title == "1 of 1 images that every seed of default, small misses"
    assert captions == ["#0 a\nfor b"]


def test_a_default_without_mistakes_has_pictures_too(
    studied: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = by_hand(found_in(studied, monkeypatch).runs[0][0])
    monkeypatch.chdir(tmp_path)
    perfect = [(run, record.model_copy(update={"mistakes": {}})) for run, record in found.runs]
    pictures.pairs(replace(found, runs=perfect))
    pictures.mistakes(replace(found, runs=perfect))
    assert sorted(path.name for path in pictures.FOLDER.iterdir()) == ["made-mistakes.png", "made-pairs.png"]


def test_pictures_are_written(studied: Project) -> None:
    for name in ("sizes", f"{TWIN}-pairs", f"{TWIN}-mistakes"):
        with Image.open(studied.folder / f"docs/accuracy/{name}.png") as picture:
            assert np.ptp(np.asarray(picture)) > 100


def test_what_is_compared_is_not_tested(studied: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    for run, record in found_in(studied, monkeypatch).runs:
        assert record.validation["accuracy"] > 0
        assert (record.test is not None) == (run.variant is None)
        averaged = run.variant is None and run.images is None
        assert (record.averaged is not None) == (record.mistakes is not None) == averaged


def test_the_seed_of_params_yaml_gives_what_the_pipeline_gives(
    studied: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, record = found_in(studied, monkeypatch).runs[0]
    assert (run.configuration, run.variant, run.dataset.seed) == ("default", None, 0)
    assert record.test == json.loads(layout.metrics(TWIN).read_text())
    table = pd.read_csv(layout.predictions(TWIN))
    assert record.mistakes is not None
    assert sorted(map(int, record.mistakes)) == table.index[table["actual"] != table["predicted"]].tolist()


def test_confused_classes_are_counted_as_in_the_confusion_matrix(
    studied: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = found_in(studied, monkeypatch)
    first = replace(found, runs=found.runs[:1])  # its confusion matrix is the pipeline's
    matrix = pd.read_csv(layout.confusion(TWIN))["count"].to_numpy().reshape(10, 10)
    either = matrix + matrix.T
    counts = [results.confusions(first, "default", pair) for pair in results.pairs(first)]
    assert counts == sorted(either[np.triu_indices(10, 1)], reverse=True)[: results.MOST_PAIRS]


def by_hand(run: Run) -> Results:
    """Six images of two classes; three seeds of default and two of small, wrong with some of them."""
    taken: dict[str, list[dict[str, int]]] = {
        "default": [{"0": 1, "3": 0}, {"0": 1}, {"0": 1, "4": 0, "5": 0}],
        "small": [{"0": 1}, {"0": 1, "1": 1}],
    }

    def record(seed: int, wrong: dict[str, int]) -> Record:
        scores = {name: 1 - len(wrong) / 6 for name in ("accuracy", "log_loss", "calibration_error")}
        return Record(
            run={}, weights=10, seconds=2.0 + seed, validation=scores, test=scores,
            averaged=dict.fromkeys(scores, 0.75), mistakes=wrong,
        )  # fmt: skip

    def seeded(configuration: str, seed: int) -> Run:
        dataset = run.dataset.model_copy(update={"seed": seed})
        return replace(run, configuration=configuration, dataset=dataset)

    every = [
        (seeded(c, s), record(s, wrong)) for c, several in taken.items() for s, wrong in enumerate(several)
    ]
    # Image n is n bright, which tells which it is.
    images = np.full((8, 8, 6), np.arange(6), np.uint8).transpose()
    test = Split(images, np.array([0, 0, 0, 1, 1, 1]))
    return Results("made", ["a", "b"], test, 54, every)


def cells(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def test_the_tables_are_those_that_a_hand_makes(studied: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    found = by_hand(found_in(studied, monkeypatch).runs[0][0])
    # By 6 images: 2, 1 and 3 mistakes of three seeds; 1 and 2 of two.
    low, high = stats.t.interval(0.95, 2, 100 * 4 / 6, stats.sem([100 * 4 / 6, 100 * 5 / 6, 100 * 3 / 6]))
    (default, small) = cells(report.configurations(found))
    assert default == [
        *("`default`", "66.67 ± 16.67", f"{low:.2f} to {high:.2f}", "0.6667", "0.6667"),
        *("10", str(found.runs[0][0].dataset.training.epochs), "2 s", "3"),
    ]
    assert small[1] == "75.00 ± 11.79"
    assert cells(report.shifts(found))[0] == ["`default`", "75.00 ± 0.00", "+8.33", "0.7500", "0.7500"]
    assert cells(report.mistakes(found)) == [
        ["`default`", "2.0", "4", "1"],
        ["`small`", "1.5", "2", "1"],
        ["all of them", "", "", "1"],
    ]
    assert cells(report.pairs(found)) == [["a and b", "2.0", "1.5"]]
    assert cells(report.sizes(found)) == [["54", "66.67 ± 16.67", "3"]]


def test_a_variant_is_compared_with_its_own_seeds(studied: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    found = found_in(studied, monkeypatch)
    before, after = (
        [100 * record.validation["accuracy"] for run, record in found.runs if wanted(run)]
        for wanted in (
            lambda run: (run.configuration, run.variant, run.images) == ("default", None, None),
            lambda run: run.variant == "no dropout",
        )
    )
    # One seed of the variant has not been trained yet.
    last = max(index for index, (run, _) in enumerate(found.runs) if run.variant == "no dropout")
    fewer = replace(found, runs=[one for index, one in enumerate(found.runs) if index != last])
    table = {row[0]: row[1:] for row in cells(report.variants(fewer))}
    assert table["`default`"] == [f"{before[0]:.2f}", "", "", "", "1"]
    assert table["no dropout"][:2] == [f"{after[0]:.2f}", f"{after[0] - before[0]:+.2f}"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"variants": {"bset": {"x": {"network.dropout": 0.1}}}}, "study.variants: expected names"),
        ({"variants": {"small": {"x": {"network.droput": 0.1}}}}, "study.variants.small.x"),
        ({"variants": {"small": {"x": {"network.dropout": 2}}}}, "study.variants.small.x"),
        ({"training_images": [9]}, "study.training_images: expected at least 10, one for each class"),
        (None, "study: expected a plan"),
    ],
)
def test_a_plan_that_cannot_be_is_named(
    planned: Project, monkeypatch: pytest.MonkeyPatch, change: dict | None, expected: str
) -> None:
    monkeypatch.chdir(planned.folder)
    planned.edit_parameters(
        lambda content: content["study"].update(change) if change else content.pop("study")
    )
    with pytest.raises(UserError, match=re.escape(expected)):
        plan.planned(TWIN, parameters.load())


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        (b'{"configu', "expected a record"),
        (b"\xff\xfe", "expected a record"),
        (b'{"weights": 3}', "run: expected a value, found nothing"),
        (b"[]", "expected a mapping"),
    ],
    ids=["half", "not UTF-8", "another", "a list"],
)
def test_a_broken_record_is_named(
    studied: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: bytes, expected: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(RECORDS).parent.mkdir(parents=True)
    whole = (studied.folder / RECORDS).read_bytes().splitlines()[0]
    Path(RECORDS).write_bytes(whole + b"\n")
    assert len(records.read(TWIN)) == 1
    Path(RECORDS).write_bytes(whole + b"\n" + broken)
    with pytest.raises(UserError, match=re.escape(f"{RECORDS}, line 2: {expected}")):
        records.read(TWIN)


def test_a_training_that_cannot_be_is_named_and_the_others_are_run(
    planned: Project, studied: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = (studied.folder / RECORDS).read_bytes().splitlines(keepends=True)
    (planned.folder / RECORDS).write_bytes(b"".join(whole[:-1]))
    fast = {"fast": {"training.learning_rate": 1e30}}
    planned.edit_parameters(lambda content: content["study"]["variants"].update(default=fast))
    monkeypatch.chdir(planned.folder)
    with pytest.raises(UserError) as failed:
        study.main([], page_alone=False)
    first, second = str(failed.value).split(f"; {TWIN}")
    assert first.startswith(
        f"{TWIN}, default, fast, seed 0: params.yaml: training: expected a loss that stays"
    )
    assert second.startswith(", default, fast, seed 1: ")
    assert len(recorded(planned)) == TRAININGS, "those after it are run"


def test_a_variant_without_its_configuration_is_left_out(
    studied: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = found_in(studied, monkeypatch)
    without = replace(
        found, runs=[one for one in found.runs if one[0].configuration != "small" or one[0].variant]
    )
    assert [row[0] for row in cells(report.variants(without))] == ["`default`", "no dropout"]


def test_a_record_is_kept_whatever_the_file_has_become(studied: Project, tmp_path: Path) -> None:
    with contextlib.chdir(studied.folder):
        (record, *_) = records.read(TWIN).values()
    with contextlib.chdir(tmp_path):
        Path(RECORDS).parent.mkdir(parents=True)
        Path(RECORDS).write_bytes(b'{"half a rec')
        records.add(TWIN, record)
        assert Path(RECORDS).read_bytes().splitlines()[0] == b'{"half a rec'
        Path(RECORDS).write_bytes(Path(RECORDS).read_bytes().splitlines()[1])
        records.add(TWIN, record)
        assert list(records.read(TWIN).values()) == [record]


def test_arrays_that_were_changed_meanwhile_are_not_trained_on(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_plan(project)
    monkeypatch.chdir(project.folder)
    (run, *_) = plan.planned(TWIN, parameters.load())
    folder = layout.processed(TWIN, "train")
    arrays.write(folder, arrays.read(folder), np.arange(100, 400))
    with pytest.raises(UserError, match="expected the arrays of when the study began, found others"):
        runs.perform(run)


def test_a_plan_and_a_page_need_no_tensorflow() -> None:
    loaded = "import sys, study.__main__; print('tensorflow' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", loaded], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


def test_a_broken_record_of_any_data_set_is_found_before_a_training(
    planned: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    (planned.folder / RECORDS).write_text("none\n")
    monkeypatch.chdir(planned.folder)
    monkeypatch.setattr(study, "train", lambda *_: pytest.fail("a training has begun"))
    with pytest.raises(UserError, match=re.escape(f"{RECORDS}, line 1: expected a record")):
        study.main([], page_alone=False)


def test_a_data_set_that_the_page_does_not_have_is_refused(planned: Project) -> None:
    done = planned.run(*STUDY, "digits", expect=2)
    assert f"docs/accuracy.md: expected a table of digits, found those of {TWIN}; write" in done.stderr
    assert not list((planned.folder / "tools/study/records").glob("digits*"))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("<!-- end -->\nbetween", "between", "found '<!-- configurations of"),
        ("<!-- sizes of", "<!-- size-s of", "found '<!-- size-s of"),
        ("<!-- sizes of", "<!-- size of", "expected a table of configurations, shifts"),
    ],
)
def test_a_mark_that_is_none_is_named_and_no_sentence_is_lost(old: str, new: str, expected: str) -> None:
    assert old in PAGE
    with pytest.raises(UserError, match=re.escape(expected)):
        report.names(PAGE.replace(old, new))


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


def test_fewer_images_are_among_more_and_of_each_class_its_share(
    finished: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(finished.folder)
    split = arrays.read(layout.processed("digits", "train"))
    numbered = Split(np.arange(len(split.labels)).reshape(-1, 1, 1), split.labels)
    few, more, every = (runs.drawn(numbered, images, 3) for images in (10, 200, len(split.labels)))
    assert set(few.images.ravel()) < set(more.images.ravel())
    assert sorted(few.labels) == list(range(10))
    shares = 200 * np.bincount(split.labels) / len(split.labels)
    assert np.abs(np.bincount(more.labels) - shares).max() <= 1
    np.testing.assert_array_equal(every.images, numbered.images)
    np.testing.assert_array_equal(split.labels[more.images.ravel()], more.labels)
    assert (runs.drawn(numbered, 10, 4).images != few.images).any()
    rare = Split(np.zeros((101, 1, 1)), np.array([0] * 100 + [1]))
    assert sorted(runs.drawn(rare, 2, 3).labels) == [0, 1]


STUDIED = sorted(path.stem for path in (ROOT / records.FOLDER).glob("*.jsonl"))


def test_the_page_is_of_the_records_there_are() -> None:
    names = report.names((ROOT / report.PAGE).read_text(encoding="utf-8"))
    assert names
    assert sorted(names) == STUDIED


@pytest.mark.parametrize("dataset", STUDIED)
def test_the_records_are_of_this_code(dataset: str) -> None:
    lines = (ROOT / records.FOLDER / f"{dataset}.jsonl").read_text().splitlines()
    wanted = parameters.load(ROOT / "params.yaml").dataset(dataset).model_dump(mode="json")
    of_default = [
        one
        for one in map(json.loads, lines)
        if one["run"]["images"] is None
        and all(one["run"][key] == wanted[key] for key in ("network", "training", "seed"))
    ]
    (record,) = of_default
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
    assert report.filled(text, of) == text
