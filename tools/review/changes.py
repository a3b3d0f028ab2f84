"""What differs between two revisions of a data set: what went in, and what came out, image by image."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pandas as pd

from stages import parameters
from stages.common import layout
from tools.common import dvc_lock
from tools.common.programs import dvc
from tools.common.revision import WORKSPACE, Revision

PIPELINE = (Path("dvc.yaml"), Path("requirements.lock"))


def changed_parameters(base: Revision, later: Revision) -> dict[str, tuple[Any, Any]]:
    """The old and the new value of each parameter that differs, None for no value.

    By its dotted name, after that of its file unless it is in params.yaml.
    """
    difference = json.loads(dvc("params", "diff", "--json", *names_for_dvc(base, later)))
    return {
        (name if file == str(parameters.FILE) else f"{file}: {name}"): (values.get("old"), values.get("new"))
        for file, changed in sorted(difference.items())
        for name, values in sorted(changed.items())
    }


def changed_pipeline(base: Revision, later: Revision) -> list[str]:
    """The files that differ of those that decide how every stage runs."""
    return [str(path) for path in PIPELINE if base.read(path) != later.read(path)]


def changed_code(base: Revision, later: Revision, dataset: str) -> list[str]:
    """The files that differ of those that a stage of the data set depends on and no stage makes."""
    files: set[str] = set()
    for revision in (base, later):
        stages = dvc_lock.at(revision, dataset)
        files |= dvc_lock.inputs(stages).keys() - dvc_lock.outputs(stages).keys()
    return sorted(path for path in files if base.read(Path(path)) != later.read(Path(path)))


def changed_data(base: Revision, later: Revision, dataset: str) -> list[str]:
    """The raw files and the splits that differ, according to dvc.lock."""
    before, after = (dvc_lock.outputs(dvc_lock.at(revision, dataset)) for revision in (base, later))
    return sorted(
        path
        for path in before.keys() | after.keys()
        if path.startswith("data/") and before.get(path) != after.get(path)
    )


def test_split(revision: Revision, dataset: str) -> str | None:
    """The hash of the test split, according to dvc.lock; None if it has none."""
    return dvc_lock.outputs(dvc_lock.at(revision, dataset)).get(layout.processed(dataset, "test").as_posix())


def stale(revision: Revision, dataset: str) -> list[str]:
    """Files and parameters that are not those which dvc.lock says the results were made with.

    As a person may change a parameter, or a result, and commit without `dvc repro`.
    """
    stages = dvc_lock.at(revision, dataset)
    recorded = dvc_lock.outputs(stages) | dvc_lock.inputs(stages)
    found = set()
    for path in recorded.keys() & revision.files():
        content = revision.read(Path(path)) or b""
        if hashlib.md5(content, usedforsecurity=False).hexdigest() != recorded[path]:
            found.add(path)
    for stage in stages.values():
        for file, recorded_values in stage.parameters.items():
            for name, expected in recorded_values.items():
                value: Any = revision.yaml(Path(file))
                for key in name.split("."):
                    value = value.get(key) if isinstance(value, dict) else None
                if value != expected:
                    found.add(name if file == str(parameters.FILE) else f"{file}: {name}")
    return sorted(found)


def changed_confusions(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """How often each class was taken for another, before and after, the largest changes first.

    Args:
        before: as `stages.scores.prediction_table` gives them, of the same images as `after`.
        after: likewise.

    Returns:
        A row for each pair of classes that was confused: actual, predicted, before, after.
    """
    counts = [
        table[table["actual"] != table["predicted"]].groupby(["actual", "predicted"]).size()
        for table in (before, after)
    ]
    pairs = pd.concat(counts, axis=1, keys=["before", "after"]).fillna(0).astype(int).reset_index()
    order = (pairs["after"] - pairs["before"]).abs().sort_values(ascending=False, kind="stable").index
    return pairs.loc[order].reset_index(drop=True)


def changed_images(before: pd.DataFrame, after: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The images that went from right to wrong, and from wrong to right, the most confident mistakes first.

    Returns:
        Two tables with the number of the image as index, and columns actual; predicted_before,
        probability_before, predicted_after and probability_after.
    """
    columns = ["predicted", "probability"]
    both = pd.concat(
        [before["actual"], before[columns].add_suffix("_before"), after[columns].add_suffix("_after")], axis=1
    )
    right_before = both["predicted_before"] == both["actual"]
    right_after = both["predicted_after"] == both["actual"]
    lost = both[right_before & ~right_after].sort_values("probability_after", ascending=False, kind="stable")
    gained = both[right_after & ~right_before].sort_values(
        "probability_before", ascending=False, kind="stable"
    )
    return lost, gained


def names_for_dvc(base: Revision, later: Revision) -> list[str]:
    """Both revisions as DVC understands them, whatever a branch may be called."""
    return [revision.commit or WORKSPACE for revision in (base, later)]
