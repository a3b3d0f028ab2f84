"""Single runs of a study: the plan, the drawn images, and the mean over shifts."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers import ROOT, Project
from scipy import ndimage
from study_plan import change_training_arrays, plan_runs

from stages.common import layout
from stages.common.errors import UserError
from stages.evaluate import predict
from stages.network import model_file
from stages.splits import arrays
from stages.splits.arrays import Split
from tools.study import plan, runs


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
