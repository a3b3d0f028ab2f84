"""The study of accuracy: a killed study continues, and its page agrees with its records."""

import contextlib
import json
import re
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
from dask_cluster import kill, start, wait_until_busy
from helpers import ROOT, TWIN, Project, set_value, shared
from PIL import Image
from scipy import ndimage, stats

from stages import parameters
from stages.common import layout
from stages.common.errors import UserError
from stages.evaluate import predict
from stages.network import model_file
from stages.scoring import gallery
from stages.splits import arrays
from stages.splits.arrays import Split
from tools.common import lock, settings
from tools.common.variations import training_identity
from tools.study import __main__ as study
from tools.study import pictures, plan, records, report, results, runs
from tools.study.plan import Run
from tools.study.records import Outcome, Record
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


def add_plan(project: Project) -> Project:
    """Give a project a small study to make."""

    def change(content: dict[str, Any]) -> None:
        content["study"] = PLAN
        content["datasets"][TWIN]["configurations"] = {"small": {"network.hidden": [16]}}

    project.edit_tools(change)
    (project.folder / "docs/accuracy.md").write_text(PAGE)
    return project


@pytest.fixture
def planned_project(project: Project) -> Project:
    """A project with a study to make."""
    return add_plan(project)


@pytest.fixture(scope="session")
def studied_project(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project after its study. Not to be changed."""

    def make(folder: Path) -> Project:
        project = add_plan(finished.copy(folder))
        project.here("tools.study")
        return project

    return shared(tmp_path_factory, "studied", make)


def read_lines(project: Project) -> list[dict[str, Any]]:
    path = project.folder / RECORDS
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def remove_times(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return lines of records in the order of their keys, without what chance decides."""
    without = [{name: value for name, value in line.items() if name != "seconds"} for line in lines]
    return sorted(without, key=lambda line: records.build_key(line["run"]))


def read_results() -> Results:
    """Return the results of the twin in the current folder."""
    content = parameters.load()
    return results.read_results(TWIN, content, settings.load(content))


def plan_runs() -> list[Run]:
    """Return the runs of the twin in the current folder."""
    content = parameters.load()
    return plan.plan_runs(TWIN, content, settings.load(content))


@pytest.fixture
def twin_results(studied_project: Project, monkeypatch: pytest.MonkeyPatch) -> Results:
    """The results of the twin, in the folder of the studied project."""
    monkeypatch.chdir(studied_project.folder)
    return read_results()


@pytest.mark.slow
def test_a_killed_study_continues_and_ends_with_the_records_of_an_undisturbed_one(
    studied_project: Project, planned_project: Project
) -> None:
    # Only the last four trainings are missing.
    lines = (studied_project.folder / RECORDS).read_bytes().splitlines(keepends=True)
    (planned_project.folder / RECORDS).write_bytes(b"".join(lines[:-4]))
    process = start(planned_project, *STUDY, TWIN)
    while len(read_lines(planned_project)) <= TRAININGS - 4:
        assert process.poll() is None
        time.sleep(0.01)
    kill(process)
    before = read_lines(planned_project)
    assert len(before) < TRAININGS

    planned_project.here("tools.study", TWIN)

    assert read_lines(planned_project)[: len(before)] == before, "a training that had ended was run again"
    assert remove_times(read_lines(planned_project)) == remove_times(read_lines(studied_project))


@pytest.mark.slow
def test_each_way_to_compute_has_workers_of_its_own(planned_project: Project) -> None:
    native = {"network.hidden": [16], "computation": "native"}
    planned_project.edit_tools(
        lambda content: content["datasets"][TWIN]["configurations"].update(small=native)
    )
    planned_project.here("tools.study", TWIN)
    ways = [line["run"].get("computation") for line in read_lines(planned_project)]
    assert sorted(ways, key=str) == [None] * 6 + ["native"] * 4


@pytest.mark.slow
def test_a_killed_worker_loses_no_training(
    studied_project: Project,
    planned_project: Project,
    scheduler: str,
    start_worker: Callable[..., subprocess.Popen[bytes]],
) -> None:
    workers = {name: start_worker(name) for name in ("first", "second")}
    process = start(planned_project, *STUDY, TWIN, DASK_SCHEDULER=scheduler)
    lost, _ = wait_until_busy(scheduler, 2, process)
    kill(workers[lost])
    assert process.wait() == 0
    # Which training ends first is chance.
    assert remove_times(read_lines(planned_project)) == remove_times(read_lines(studied_project))
    predictions = planned_project.files("studies/**/*.csv")
    assert len(predictions) == 2 * 2 * 2  # configurations, seeds, splits
    assert predictions == studied_project.files("studies/**/*.csv")


def change_code(project: Project) -> None:
    with (project.folder / "stages/scoring/scores.py").open("a") as file:
        file.write("# changed\n")


def go_back_in_time(project: Project) -> None:
    (project.folder / "tools/common/worker.py").unlink()


@pytest.mark.parametrize(
    ("make_other", "expected"),
    [
        (
            change_code,
            "expected the code and packages of the study, found others; git pull,",
        ),
        (
            go_back_in_time,
            "expected workers with the code of this command, found one without: No module",
        ),
    ],
)
def test_a_worker_with_other_code_is_refused(
    planned_project: Project,
    tmp_path: Path,
    make_other: Callable[[Project], None],
    expected: str,
    scheduler: str,
    start_worker: Callable[..., subprocess.Popen[bytes]],
) -> None:
    other = planned_project.copy(tmp_path / "other")
    make_other(other)
    start_worker("other", project=other)
    completed = planned_project.run(*STUDY, expect=2, DASK_SCHEDULER=scheduler)
    assert "Traceback" not in completed.stderr
    assert completed.stderr.splitlines()[-1].startswith("error: ")
    assert expected in completed.stderr.splitlines()[-1]
    assert not read_lines(planned_project)


def test_the_program_of_a_study_is_all_code_of_a_training() -> None:
    code = """
import sys, tools.study.runs
print(*(module.__file__ for name, module in sys.modules.items() if name.startswith(("stages.", "tools."))))
"""
    completed = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    files, _ = json.loads(plan.PROGRAM)
    assert {Path(file).relative_to(ROOT).as_posix() for file in completed.stdout.split()} <= {
        file for file, _ in files
    }


def test_each_training_is_run_once_and_found_by_its_identity(
    studied_project: Project, twin_results: Results
) -> None:
    assert len(read_lines(studied_project)) == TRAININGS
    assert {(run.configuration, run.variant, run.images) for run, _ in twin_results.runs} == set(RUNS)
    assert len(twin_results.runs) == TRAININGS


def change_training_arrays(_: Project) -> None:
    """Write the arrays that another number of validation images would give."""
    folder = layout.processed(TWIN, "train")
    arrays.write(folder, arrays.read(folder), np.arange(100, 400))


def change_parameter(key: str, value: object) -> Callable[[Project], None]:
    return lambda project: project.edit_parameters(lambda content: set_value(content, key, value))


@pytest.mark.parametrize(
    "change",
    [
        change_parameter("evaluation.calibration_bins", 14),
        lambda project: project.edit_tools(lambda content: content["study"].update(shift=2)),
        change_parameter(f"datasets.{TWIN}.training.batch_size", 32),
        change_parameter(f"datasets.{TWIN}.seed", 7),
        change_training_arrays,
    ],
    ids=["bins", "shift", "batch size", "seed", "data"],
)
def test_a_record_of_another_training_or_score_is_not_used(
    planned_project: Project,
    studied_project: Project,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Project], None],
) -> None:
    monkeypatch.chdir(planned_project.folder)
    Path(RECORDS).write_bytes((studied_project.folder / RECORDS).read_bytes())
    assert len(read_results().runs) == TRAININGS
    change(planned_project)
    message = f"{RECORDS}: expected a training of default as it is in params.yaml, found none"
    with pytest.raises(UserError, match=message):
        read_results()


def test_a_second_study_at_the_same_time_is_refused(planned_project: Project) -> None:
    with lock.exclusive_lock(planned_project.folder / f"tools/study/records/{TWIN}.lock", "other"):
        completed = planned_project.here("tools.study", expect=2)
    assert f"expected no other study of {TWIN}, found one" in completed.stderr
    assert not read_lines(planned_project)


def test_the_page_has_means_and_deviations_of_the_records(
    studied_project: Project, twin_results: Results
) -> None:
    page = (studied_project.folder / "docs/accuracy.md").read_text()
    assert "old" not in page
    assert "\nbetween\n" in page
    accuracies = 100 * twin_results.runs_of("small")["test.accuracy"]
    assert f"| `small` | {np.mean(accuracies):.2f} ± {np.std(accuracies, ddof=1):.2f} |" in page
    assert "| 300 |" in page
    assert f"| {twin_results.training_images:,} |" in page
    assert "| no dropout |" in page


def test_the_pictures_show_the_images_that_the_tables_count(
    small_results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: dict[str, tuple[str, Any, list[str]]] = {}
    monkeypatch.setattr(
        gallery, "draw_gallery", lambda path, *arguments: calls.update({path.stem: arguments})
    )
    pictures.draw_pairs(small_results)
    pictures.draw_mistakes(small_results)
    title, images, captions = calls["made-pairs"]
    assert title == "Taken for the other class of a pair by how many seeds of default, small"
    assert captions[:4] == [
        "#0 a\nfor b\n3, 2",
        "#3 b\nfor a\n1, 0",
        "#4 b\nfor a\n1, 0",
        "#5 b\nfor a\n1, 0",
    ]
    assert captions[4:] == [""] * 4
    assert [None if image is None else image.max() for image in images] == [0, 3, 4, 5, *[None] * 4]
    title, images, captions = calls["made-mistakes"]
    assert title == "1 of 1 images that every seed of default, small misses"
    assert captions == ["#0 a\nfor b"]


def test_a_default_without_mistakes_has_pictures_too(
    small_results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    runs = [(run, record.model_copy(update={"mistakes": {}})) for run, record in small_results.runs]
    pictures.draw_pairs(replace(small_results, runs=runs))
    pictures.draw_mistakes(replace(small_results, runs=runs))
    assert sorted(path.name for path in pictures.FOLDER.iterdir()) == ["made-mistakes.png", "made-pairs.png"]


def test_pictures_are_written(studied_project: Project) -> None:
    for name in ("sizes", f"{TWIN}-pairs", f"{TWIN}-mistakes"):
        with Image.open(studied_project.folder / f"docs/accuracy/{name}.png") as picture:
            assert np.ptp(np.asarray(picture)) > 100


def test_variants_are_not_scored_on_test_images(twin_results: Results) -> None:
    for run, record in twin_results.runs:
        assert record.validation["accuracy"] > 0
        assert (record.test is not None) == (run.variant is None)
        has_mistakes = run.variant is None and run.images is None
        assert (record.averaged is not None) == (record.mistakes is not None) == has_mistakes


def test_the_seed_of_params_yaml_gives_the_results_of_the_pipeline(twin_results: Results) -> None:
    run, record = twin_results.runs[0]
    assert (run.configuration, run.variant, run.dataset.seed) == ("default", None, 0)
    assert record.test == json.loads(layout.metrics(TWIN).read_text())["test"]
    table = pd.read_csv(layout.predictions(TWIN, "test"))
    assert record.mistakes is not None
    assert sorted(map(int, record.mistakes)) == table.index[table["actual"] != table["predicted"]].tolist()


def test_confused_classes_are_counted_as_in_the_confusion_matrix(twin_results: Results) -> None:
    first = replace(twin_results, runs=twin_results.runs[:1])  # the run that the pipeline performs, too
    matrix = pd.read_csv(layout.confusion(TWIN))["count"].to_numpy().reshape(10, 10)
    sums = matrix + matrix.T
    counts = [results.count_confusions(first, "default", pair) for pair in results.find_confused_pairs(first)]
    assert counts == sorted(sums[np.triu_indices(10, 1)], reverse=True)[: results.MOST_PAIRS]


@pytest.fixture
def small_results(twin_results: Results) -> Results:
    """Results of six images of two classes: three seeds of default and two of small, each with mistakes."""
    template, _ = twin_results.runs[0]
    mistakes_by_configuration: dict[str, list[dict[str, int]]] = {
        "default": [{"0": 1, "3": 0}, {"0": 1}, {"0": 1, "4": 0, "5": 0}],
        "small": [{"0": 1}, {"0": 1, "1": 1}],
    }

    def make_run(configuration: str, seed: int) -> Run:
        dataset = template.dataset.model_copy(update={"seed": seed})
        return replace(template, configuration=configuration, dataset=dataset)

    def make_record(seed: int, mistakes: dict[str, int]) -> Record:
        scores = {name: 1 - len(mistakes) / 6 for name in ("accuracy", "log_loss", "calibration_error")}
        return Record(
            run={}, weights=10, seconds=2.0 + seed, validation=scores, test=scores,
            averaged=dict.fromkeys(scores, 0.75), mistakes=mistakes,
        )  # fmt: skip

    runs = [
        (make_run(configuration, seed), make_record(seed, mistakes))
        for configuration, mistakes_by_seed in mistakes_by_configuration.items()
        for seed, mistakes in enumerate(mistakes_by_seed)
    ]
    # The pixels of image n have the value n, by which a test recognises the image.
    images = np.full((8, 8, 6), np.arange(6), np.uint8).transpose()
    test = Split(images, np.array([0, 0, 0, 1, 1, 1]))
    return Results("made", ["a", "b"], test, 54, runs)


def read_cells(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def test_the_tables_agree_with_a_calculation_by_hand(small_results: Results) -> None:
    # Of 6 images, three seeds misclassify 2, 1 and 3; two seeds misclassify 1 and 2.
    low, high = stats.t.interval(0.95, 2, 100 * 4 / 6, stats.sem([100 * 4 / 6, 100 * 5 / 6, 100 * 3 / 6]))
    (default, small) = read_cells(report.configuration_table(small_results))
    assert default == [
        *("`default`", "66.67 ± 16.67", f"{low:.2f} to {high:.2f}", "0.6667", "0.6667"),
        *("10", str(small_results.runs[0][0].dataset.training.epochs), "2 s", "3"),
    ]
    assert small[1] == "75.00 ± 11.79"
    shifts = read_cells(report.shift_table(small_results))
    assert shifts[0] == ["`default`", "75.00 ± 0.00", "+8.33", "0.7500", "0.7500"]
    assert read_cells(report.mistake_table(small_results)) == [
        ["`default`", "2.0", "4", "1"],
        ["`small`", "1.5", "2", "1"],
        ["all of them", "", "", "1"],
    ]
    assert read_cells(report.pair_table(small_results)) == [["a and b", "2.0", "1.5"]]
    assert read_cells(report.size_table(small_results)) == [["54", "66.67 ± 16.67", "3"]]


def test_a_variant_is_compared_with_its_own_seeds(twin_results: Results) -> None:
    def validation_accuracies(configuration: str, variant: str | None) -> list[float]:
        return [
            100 * record.validation["accuracy"]
            for run, record in twin_results.runs
            if (run.configuration, run.variant, run.images) == (configuration, variant, None)
        ]

    before = validation_accuracies("default", None)
    after = validation_accuracies("default", "no dropout")
    # One seed of the variant has not been trained yet.
    last = max(index for index, (run, _) in enumerate(twin_results.runs) if run.variant == "no dropout")
    fewer = replace(twin_results, runs=[*twin_results.runs[:last], *twin_results.runs[last + 1 :]])
    table = {row[0]: row[1:] for row in read_cells(report.variant_table(fewer))}
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
def test_an_error_in_the_plan_is_named(
    planned_project: Project, monkeypatch: pytest.MonkeyPatch, change: dict | None, expected: str
) -> None:
    monkeypatch.chdir(planned_project.folder)
    planned_project.edit_tools(
        lambda content: content["study"].update(change) if change else content.pop("study")
    )
    with pytest.raises(UserError, match=re.escape(f"tools.yaml: {expected}")):
        plan_runs()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'{"configu', "expected a record"),
        (b"\xff\xfe", "expected a record"),
        (b'{"weights": 3}', "run: expected a value, found nothing"),
        (b"[]", "expected a mapping"),
    ],
    ids=["half", "not UTF-8", "another mapping", "a list"],
)
def test_a_broken_record_is_named(
    studied_project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: bytes, expected: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(RECORDS).parent.mkdir(parents=True)
    whole = (studied_project.folder / RECORDS).read_bytes().splitlines()[0]
    Path(RECORDS).write_bytes(whole + b"\n")
    assert len(records.read(TWIN)) == 1
    Path(RECORDS).write_bytes(whole + b"\n" + line)
    with pytest.raises(UserError, match=re.escape(f"{RECORDS}, line 2: {expected}")):
        records.read(TWIN)


def test_a_training_that_fails_is_named_and_the_others_are_run(
    planned_project: Project, studied_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = (studied_project.folder / RECORDS).read_bytes().splitlines(keepends=True)
    (planned_project.folder / RECORDS).write_bytes(b"".join(lines[:-1]))
    fast = {"fast": {"training.learning_rate": 1e30}}
    planned_project.edit_tools(lambda content: content["study"]["variants"].update(default=fast))
    monkeypatch.chdir(planned_project.folder)
    with pytest.raises(UserError) as error:
        study.main([], page_only=False)
    first, second = str(error.value).split(f"; {TWIN}")
    assert first.startswith(
        f"{TWIN}, default, fast, seed 0: params.yaml: training: expected a loss that stays"
    )
    assert second.startswith(", default, fast, seed 1: ")
    assert len(read_lines(planned_project)) == TRAININGS, "the trainings after the failed ones are run"


def test_a_variant_without_its_configuration_is_left_out(twin_results: Results) -> None:
    runs = [(run, record) for run, record in twin_results.runs if run.configuration != "small" or run.variant]
    table = report.variant_table(replace(twin_results, runs=runs))
    assert [row[0] for row in read_cells(table)] == ["`default`", "no dropout"]


def test_a_record_is_kept_even_if_the_file_is_broken(twin_results: Results, tmp_path: Path) -> None:
    _, record = twin_results.runs[0]
    with contextlib.chdir(tmp_path):
        Path(RECORDS).parent.mkdir(parents=True)
        Path(RECORDS).write_bytes(b'{"half a rec')
        records.add(TWIN, Outcome(record, {}))
        assert Path(RECORDS).read_bytes().splitlines()[0] == b'{"half a rec'
        Path(RECORDS).write_bytes(Path(RECORDS).read_bytes().splitlines()[1])
        records.add(TWIN, Outcome(record, {}))
        assert list(records.read(TWIN).values()) == [record]


def test_arrays_that_change_during_a_study_are_not_trained_on(
    planned_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(planned_project.folder)
    (run, *_) = plan_runs()
    change_training_arrays(planned_project)
    with pytest.raises(UserError, match="expected the arrays with which the study began, found others"):
        runs.perform_run(run)


def test_a_plan_and_a_page_need_no_tensorflow() -> None:
    code = "import sys, tools.study.__main__; print('tensorflow' in sys.modules)"
    completed = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert completed.stdout == "False\n"


def test_a_broken_record_of_any_data_set_is_reported_before_a_training(
    planned_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    (planned_project.folder / RECORDS).write_text("none\n")
    monkeypatch.chdir(planned_project.folder)
    monkeypatch.setattr(study, "run_missing", lambda *_: pytest.fail("a training has begun"))
    with pytest.raises(UserError, match=re.escape(f"{RECORDS}, line 1: expected a record")):
        study.main([], page_only=False)


def test_a_data_set_without_a_table_on_the_page_is_refused(planned_project: Project) -> None:
    completed = planned_project.run(*STUDY, "digits", expect=2)
    assert f"docs/accuracy.md: expected a table of digits, found tables of {TWIN}; write" in completed.stderr
    assert not list((planned_project.folder / "tools/study/records").glob("digits*"))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("<!-- end -->\nbetween", "between", "found '<!-- configurations of"),
        ("<!-- sizes of", "<!-- size-s of", "found '<!-- size-s of"),
        ("<!-- sizes of", "<!-- size of", "expected a table of configurations, shifts"),
    ],
)
def test_a_wrong_mark_is_named_and_no_sentence_is_lost(old: str, new: str, expected: str) -> None:
    assert old in PAGE
    with pytest.raises(UserError, match=re.escape(expected)):
        report.list_datasets(PAGE.replace(old, new))


def test_a_mean_over_shifts_is_the_mean_over_shifted_images(
    finished: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(finished.folder)
    model = model_file.load(layout.model("digits"))
    split = arrays.read(layout.processed("digits", "test"))
    shifts = [
        ndimage.shift(split.images, (0, down, right), order=0) for down in (-1, 0, 1) for right in (-1, 0, 1)
    ]
    expected = np.mean([predict(model, Split(images, split.labels)) for images in shifts], axis=0)
    np.testing.assert_allclose(runs.average_over_shifts(model, split, 1), expected, atol=1e-6)


def test_more_images_contain_fewer_and_each_class_has_its_share(
    finished: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(finished.folder)
    split = arrays.read(layout.processed("digits", "train"))
    numbers = Split(np.arange(len(split.labels)).reshape(-1, 1, 1), split.labels)
    few, more, every = (runs.draw_images(numbers, images, 3) for images in (10, 200, len(split.labels)))
    assert set(few.images.ravel()) < set(more.images.ravel())
    assert sorted(few.labels) == list(range(10))
    shares = 200 * np.bincount(split.labels) / len(split.labels)
    assert np.abs(np.bincount(more.labels) - shares).max() <= 1
    np.testing.assert_array_equal(every.images, numbers.images)
    np.testing.assert_array_equal(split.labels[more.images.ravel()], more.labels)
    assert (runs.draw_images(numbers, 10, 4).images != few.images).any()
    rare = Split(np.zeros((101, 1, 1)), np.array([0] * 100 + [1]))
    assert sorted(runs.draw_images(rare, 2, 3).labels) == [0, 1]


DATASETS_WITH_RECORDS = sorted(path.stem for path in (ROOT / records.FOLDER).glob("*.jsonl"))


def test_the_page_has_tables_of_the_data_sets_with_records() -> None:
    names = report.list_datasets((ROOT / report.PAGE).read_text(encoding="utf-8"))
    assert names
    assert sorted(names) == DATASETS_WITH_RECORDS


@pytest.mark.parametrize("dataset", DATASETS_WITH_RECORDS)
def test_the_records_agree_with_the_metrics_of_the_pipeline(dataset: str) -> None:
    lines = (ROOT / records.FOLDER / f"{dataset}.jsonl").read_text().splitlines()
    expected = training_identity(parameters.load(ROOT / "params.yaml").dataset(dataset))
    (record,) = (
        record
        for record in map(json.loads, lines)
        if record["run"]["images"] is None
        and all(record["run"][key] == expected[key] for key in ("network", "training", "seed"))
    )
    metrics = json.loads((ROOT / layout.metrics(dataset)).read_text())
    for split in layout.SCORED_SPLITS:
        shared = {name: value for name, value in metrics[split].items() if name in record[split]}
        assert record[split] == shared  # the records are older than the Brier score
        assert len(shared) >= 4


@pytest.mark.skipif(
    not all((ROOT / layout.processed(name, "test")).exists() for name in DATASETS_WITH_RECORDS),
    reason="no arrays: run `dvc repro preprocess` once",
)
def test_the_page_agrees_with_the_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    page = report.PAGE.read_text(encoding="utf-8")
    content = parameters.load()
    tools = settings.load(content)
    results_by_dataset = {name: results.read_results(name, content, tools) for name in DATASETS_WITH_RECORDS}
    assert report.fill_page(page, results_by_dataset) == page
