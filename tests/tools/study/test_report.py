"""The page of a study: its tables and pictures agree with the records."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import ROOT, TWIN, Project
from PIL import Image
from scipy import stats
from study_plan import PAGE, STUDY

from stages import parameters
from stages.common import layout
from stages.common.errors import UserError
from stages.scoring import gallery
from stages.splits.arrays import Split
from tools.common import settings
from tools.study import pictures, records, report, results
from tools.study.plan import Run
from tools.study.records import Record
from tools.study.results import Results

DATASETS_WITH_RECORDS = sorted(path.stem for path in (ROOT / records.FOLDER).glob("*.jsonl"))


def test_the_page_has_means_and_deviations_of_the_records(
    studied_project: Project, twin_results: Results
) -> None:
    page = (studied_project.folder / "docs/accuracy.md").read_text()
    assert "old" not in page
    assert "\nbetween\n" in page
    accuracies = 100 * twin_results.runs_of("small")["test.accuracy"]
    assert f"| `small` | {np.mean(accuracies):.2f} ± {np.std(accuracies, ddof=1):.2f} |" in page
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
        *("`default`", "66.67 ± 16.67", f"{low:.2f} to {high:.2f}", "75.00 ± 0.00", "0.6667", "0.6667"),
        *("10", str(small_results.runs[0][0].dataset.training.epochs), "2 s", "3"),
    ]
    assert small[1] == "75.00 ± 11.79"
    assert read_cells(report.mistake_table(small_results)) == [
        ["`default`", "2.0", "4", "1"],
        ["`small`", "1.5", "2", "1"],
        ["all of them", "", "", "1"],
    ]
    assert read_cells(report.pair_table(small_results)) == [["a and b", "2.0", "1.5"]]


def test_accuracies_by_the_number_of_training_images_are_of_the_default(twin_results: Results) -> None:
    accuracies = twin_results.accuracies_by_size()
    assert list(accuracies) == [twin_results.training_images, 300]
    for size, images in ((300, 300), (twin_results.training_images, None)):
        expected = [
            record.test["accuracy"]
            for run, record in twin_results.runs
            if (run.configuration, run.variant, run.images) == ("default", None, images) and record.test
        ]
        assert accuracies[size].tolist() == expected
        assert len(expected) == 2


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


def test_a_variant_without_its_configuration_is_left_out(twin_results: Results) -> None:
    runs = [(run, record) for run, record in twin_results.runs if run.configuration != "small" or run.variant]
    table = report.variant_table(replace(twin_results, runs=runs))
    assert [row[0] for row in read_cells(table)] == ["`default`", "no dropout"]


def test_a_data_set_without_a_table_on_the_page_is_refused(planned_project: Project) -> None:
    completed = planned_project.run(*STUDY, "digits", expect=2)
    assert f"docs/accuracy.md: expected a table of digits, found tables of {TWIN}; write" in completed.stderr
    assert not list((planned_project.folder / "tools/study/records").glob("digits*"))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("<!-- end -->\nbetween", "between", "found '<!-- configurations of"),
        ("<!-- pairs of", "<!-- pair-s of", "found '<!-- pair-s of"),
        ("<!-- pairs of", "<!-- pair of", "expected a table of configurations, variants"),
    ],
)
def test_a_wrong_mark_is_named_and_no_sentence_is_lost(old: str, new: str, expected: str) -> None:
    assert old in PAGE
    with pytest.raises(UserError, match=re.escape(expected)):
        report.list_datasets(PAGE.replace(old, new))


def test_the_page_has_tables_of_the_data_sets_with_records() -> None:
    names = report.list_datasets((ROOT / report.PAGE).read_text(encoding="utf-8"))
    assert names
    assert sorted(names) == DATASETS_WITH_RECORDS


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
