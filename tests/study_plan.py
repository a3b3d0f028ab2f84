"""A small study of the twin: its plan, its page, its runs and records."""

import json
import sys
from typing import Any

import numpy as np
from helpers import TWIN, Project

from stages import parameters
from stages.common import layout
from stages.splits import arrays
from tools.common import settings
from tools.study import plan, results
from tools.study.plan import Run
from tools.study.results import Results

STUDY = (sys.executable, "-m", "tools.study")
RECORDS = f"tools/study/records/{TWIN}.jsonl"
PAGE = f"""# A page
<!-- configurations of {TWIN} -->
old
<!-- end -->
between
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


def read_lines(project: Project) -> list[dict[str, Any]]:
    path = project.folder / RECORDS
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def read_results() -> Results:
    """Return the results of the twin in the current folder."""
    content = parameters.load()
    return results.read_results(TWIN, content, settings.load(content))


def plan_runs() -> list[Run]:
    """Return the runs of the twin in the current folder."""
    content = parameters.load()
    return plan.plan_runs(TWIN, content, settings.load(content))


def change_training_arrays(_: Project) -> None:
    """Write the arrays that another number of validation images would give."""
    folder = layout.processed(TWIN, "train")
    arrays.write(folder, arrays.read(folder), np.arange(100, 400))
