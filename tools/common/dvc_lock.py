"""What dvc.lock says: the hash of everything that each stage read and wrote, and the parameters."""

from collections.abc import Iterable
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from tools.common.revision import Revision

FILE = Path("dvc.lock")


@dataclass(frozen=True)
class Stage:
    """What a stage was run with, and what it made.

    Attributes:
        inputs: the MD5 hash of each file or folder, by its path; empty where dvc.lock has none.
        outputs: likewise.
        parameters: by file, and by dotted name, the value.
    """

    inputs: dict[str, str]
    outputs: dict[str, str]
    parameters: dict[str, dict[str, Any]]


def stages(section: dict[str, Any], dataset: str) -> dict[str, Stage]:
    """The stages of a data set, by name, in an order in which they can run.

    Args:
        section: what is under `stages` in dvc.lock.
        dataset: its key.
    """
    found = {
        name: Stage(_hashes(stage.get("deps", [])), _hashes(stage.get("outs", [])), stage.get("params", {}))
        for name, stage in section.items()
        if name.endswith(f"@{dataset}")
    }
    made_by = {path: name for name, stage in found.items() for path in stage.outputs}
    before = {
        name: {made_by[path] for path in stage.inputs if path in made_by} for name, stage in found.items()
    }
    return {name: found[name] for name in TopologicalSorter(before).static_order()}


def at(revision: Revision, dataset: str) -> dict[str, Stage]:
    """The same, of the dvc.lock that a revision has."""
    return stages(revision.section(FILE, "stages"), dataset)


def inputs(stages: dict[str, Stage]) -> dict[str, str]:
    """The hash of each input of any of some stages, by its path."""
    return {path: value for stage in stages.values() for path, value in stage.inputs.items()}


def outputs(stages: dict[str, Stage]) -> dict[str, str]:
    """The hash of each output of any of some stages, by its path."""
    return {path: value for stage in stages.values() for path, value in stage.outputs.items()}


def culprits(expected: dict[str, Stage], found: dict[str, Stage]) -> list[str]:
    """The stages that made other outputs of the same inputs: where differences begin."""
    return [
        name
        for name, stage in expected.items()
        if name in found and found[name].inputs == stage.inputs and found[name].outputs != stage.outputs
    ]


def _hashes(entries: Iterable[dict[str, Any]]) -> dict[str, str]:
    return {entry["path"]: str(entry.get("md5", "")) for entry in entries}
