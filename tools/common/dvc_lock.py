"""The file dvc.lock: the stages, with what each read and wrote."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

FILE = Path("dvc.lock")


@dataclass(frozen=True)
class Stage:
    """A stage as dvc.lock records its last run.

    Attributes:
        command: as DVC ran it.
        inputs: the MD5 hash of each file or folder, by its path; empty where dvc.lock has no hash.
        outputs: the same for the files and folders that the stage wrote.
        parameters: by file, and by dotted name, the values.
    """

    command: Any
    inputs: dict[str, str]
    outputs: dict[str, str]
    parameters: dict[str, dict[str, Any]]


def read_stages(section: Mapping[str, Any], dataset: str) -> dict[str, Stage]:
    """Return the stages of a data set, by name, in an order in which they can run.

    Args:
        section: the content of `stages` in dvc.lock.
        dataset: its key.

    Raises:
        ValueError: if that is not what DVC writes.
    """
    try:
        stages = {
            name: Stage(
                stage.get("cmd"),
                _read_hashes(stage.get("deps", [])),
                _read_hashes(stage.get("outs", [])),
                {file: dict(values) for file, values in stage.get("params", {}).items()},
            )
            for name, stage in section.items()
            if str(name).endswith(f"@{dataset}")
        }
        producers = {path: name for name, stage in stages.items() for path in stage.outputs}
        predecessors = {
            name: {producers[path] for path in stage.inputs if path in producers}
            for name, stage in stages.items()
        }
        return {name: stages[name] for name in TopologicalSorter(predecessors).static_order()}
    except (AttributeError, TypeError, KeyError, ValueError) as error:  # a CycleError is a ValueError
        raise ValueError(f"{type(error).__name__}: {error}") from None


def collect_inputs(stages: Mapping[str, Stage]) -> dict[str, str]:
    """Return the hash of each input of any stage, by its path."""
    return {path: value for stage in stages.values() for path, value in stage.inputs.items()}


def collect_outputs(stages: Mapping[str, Stage]) -> dict[str, str]:
    """Return the hash of each output of any stage, by its path."""
    return {path: value for stage in stages.values() for path, value in stage.outputs.items()}


def find_culprits(expected: Mapping[str, Stage], present: Mapping[str, Stage]) -> list[str]:
    """Return the stages that made other outputs of equal inputs: there, differences begin."""
    return [
        name
        for name, stage in expected.items()
        if name in present and present[name].inputs == stage.inputs and present[name].outputs != stage.outputs
    ]


def read_text() -> str:
    """Return the text of dvc.lock; an empty text if there is no such file."""
    return FILE.read_text(encoding="utf-8", errors="replace") if FILE.exists() else ""


def parse(text: str) -> dict[str, Any]:
    """Return the stages in the text of dvc.lock, an empty mapping if the text is damaged."""
    try:
        stages = YAML().load(text)["stages"]
    except (YAMLError, TypeError, KeyError):
        return {}
    return dict(stages) if isinstance(stages, dict) else {}


def split(text: str) -> tuple[str, str]:
    """Split the text of dvc.lock before its last stage."""
    *_, start = [0, *(match.start() for match in re.finditer(r"^  \S+:$", text, re.MULTILINE))]
    return text[:start], text[start:]


def is_complete(stage_text: str) -> bool:
    """Return whether the text of the last stage in dvc.lock is complete; DVC writes its outputs last."""
    sections = [
        stage if isinstance(stage, dict) else {} for stage in parse(f"stages:\n{stage_text}").values()
    ]
    complete = all("outs" in stage and all(stage.values()) for stage in sections)
    return stage_text.endswith("\n") and bool(sections) and complete


def dump(stages: Mapping[str, Any], path: Path) -> None:
    """Write a dvc.lock with these stages."""
    YAML().dump({"schema": "2.0", "stages": dict(stages)}, path)


def _read_hashes(entries: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    return {entry["path"]: str(entry.get("md5", "")) for entry in entries}
