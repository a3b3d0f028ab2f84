"""What dvc.lock says: the hash of everything that each stage read and wrote."""

from collections.abc import Iterable
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

LOCK = Path("dvc.lock")


@dataclass(frozen=True)
class Stage:
    """The MD5 hash of each input and each output, by its path."""

    inputs: dict[str, str]
    outputs: dict[str, str]


def stages(content: dict[str, Any], dataset: str) -> dict[str, Stage]:
    """The stages of a data set in the content of a dvc.lock, by name, in an order in which they can run."""
    found = {
        name: Stage(_hashes(stage.get("deps", [])), _hashes(stage.get("outs", [])))
        for name, stage in content.get("stages", {}).items()
        if name.endswith(f"@{dataset}")
    }
    made_by = {path: name for name, stage in found.items() for path in stage.outputs}
    before = {
        name: {made_by[path] for path in stage.inputs.keys() & made_by.keys()}
        for name, stage in found.items()
    }
    return {name: found[name] for name in TopologicalSorter(before).static_order()}


def stale(expected: dict[str, Stage], found: dict[str, Stage]) -> dict[str, list[str]]:
    """The inputs of each stage that no stage makes and that are other ones than dvc.lock names."""
    made = {path for stage in expected.values() for path in stage.outputs}
    others = {
        name: sorted(path for path in stage.inputs.keys() - made if _other(path, stage, found[name]))
        for name, stage in expected.items()
    }
    return {name: paths for name, paths in others.items() if paths}


def culprits(expected: dict[str, Stage], found: dict[str, Stage]) -> list[str]:
    """The stages that made other outputs of the same inputs: where differences begin."""
    return [
        name
        for name, stage in expected.items()
        if not any(_other(path, stage, found[name]) for path in stage.inputs)
        and found[name].outputs != stage.outputs
    ]


def _other(path: str, stage: Stage, again: Stage) -> bool:
    return again.inputs.get(path) != stage.inputs[path]


def _hashes(entries: Iterable[dict[str, Any]]) -> dict[str, str]:
    return {entry["path"]: entry["md5"] for entry in entries}
