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


def culprits(expected: dict[str, Stage], found: dict[str, Stage]) -> dict[str, str]:
    """Where a difference begins: the stages that are to blame, and for what."""
    made = {path for stage in expected.values() for path in stage.outputs}
    reasons = {}
    for name, stage in expected.items():
        again = found.get(name, Stage({}, {}))
        other = sorted(path for path in stage.inputs if again.inputs.get(path) != stage.inputs[path])
        if own := [path for path in other if path not in made]:
            reasons[name] = f"dvc.lock was made with another {', '.join(own)}: run dvc repro and commit"
        elif not other and again.outputs != stage.outputs:
            reasons[name] = "it made other outputs of the same inputs"
    return reasons


def _hashes(entries: Iterable[dict[str, Any]]) -> dict[str, str]:
    return {entry["path"]: entry["md5"] for entry in entries}
