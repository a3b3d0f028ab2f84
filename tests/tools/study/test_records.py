"""Records of a study: found by what decides a training, and never mixed up or lost."""

import contextlib
import json
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from helpers import ROOT, TWIN, Project, set_value
from study_plan import RECORDS, RUNS, TRAININGS, change_training_arrays, read_lines, read_results

from stages import parameters
from stages.common import layout
from stages.common.errors import UserError
from tools.common.variations import training_identity
from tools.study import __main__ as study
from tools.study import records
from tools.study.records import Outcome
from tools.study.results import Results

DATASETS_WITH_RECORDS = sorted(path.stem for path in (ROOT / records.FOLDER).glob("*.jsonl"))


def test_each_training_is_run_once_and_found_by_its_identity(
    studied_project: Project, twin_results: Results
) -> None:
    assert len(read_lines(studied_project)) == TRAININGS
    assert {(run.configuration, run.variant, run.images) for run, _ in twin_results.runs} == set(RUNS)
    assert len(twin_results.runs) == TRAININGS


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


def test_a_broken_record_of_any_data_set_is_reported_before_a_training(
    planned_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    (planned_project.folder / RECORDS).write_text("none\n")
    monkeypatch.chdir(planned_project.folder)
    monkeypatch.setattr(study, "run_missing", lambda *_: pytest.fail("a training has begun"))
    with pytest.raises(UserError, match=re.escape(f"{RECORDS}, line 1: expected a record")):
        study.main([], page_only=False)


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
