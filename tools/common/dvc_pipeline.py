"""The stages that dvc.yaml has for each data set, to compare with what dvc.lock records."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.common.dvc_lock import Stage

FILE = Path("dvc.yaml")
KEY = re.compile(r"\$\{(key|item)\}")  # the data set, in a loop over a mapping or over a list
LOOP = "${datasets}"  # over all data sets of params.yaml
PARAMETERS_FILE = "params.yaml"  # DVC's default, where dvc.yaml names no file


@dataclass(frozen=True)
class Definition:
    """The definition of a stage for one data set.

    Attributes:
        command: as DVC runs it.
        inputs: the paths of what the stage depends on.
        outputs: the paths of what the stage writes.
        parameters: by file, the dotted names of the parameters.
    """

    command: Any
    inputs: set[str]
    outputs: set[str]
    parameters: dict[str, set[str]]

    def fits(self, stage: Stage) -> bool:
        """Return whether a stage was run as it is defined, whatever its files and values are.

        A definition that refers to other parameters fits every stage: only DVC can fill it in.
        """
        if "${" in repr(self):
            return True
        names = {file: set(values) for file, values in stage.parameters.items()}
        recorded = (stage.command, set(stage.inputs), set(stage.outputs), names)
        return recorded == (self.command, self.inputs, self.outputs, self.parameters)


def read_definitions(section: Mapping[str, Any], dataset: str) -> dict[str, Definition]:
    """Return the definitions of the stages that are run for a data set, by their names in dvc.lock.

    Args:
        section: the content of `stages` in dvc.yaml.
        dataset: the key.
    """
    return {
        f"{name}@{dataset}": _resolve(stage["do"], dataset)
        for name, stage in section.items()
        if isinstance(stage, dict) and isinstance(stage.get("do"), dict) and _includes(stage, dataset)
    }


def is_of_another_kind(section: Mapping[str, Any], name: str) -> bool:
    """Return whether a stage of dvc.lock may come from a loop that only DVC can read, such as a matrix."""
    stage = section.get(name.partition("@")[0])
    return isinstance(stage, dict) and not isinstance(stage.get("foreach"), list | dict)


def _includes(stage: Mapping[str, Any], dataset: str) -> bool:
    loop = stage.get("foreach")
    return loop == LOOP or (isinstance(loop, list | dict) and dataset in loop)


def _resolve(body: Mapping[str, Any], dataset: str) -> Definition:
    def fill(value: Any) -> Any:
        if isinstance(value, dict):
            return {fill(key): fill(item) for key, item in value.items()}
        if isinstance(value, list):
            return [fill(item) for item in value]
        return KEY.sub(dataset, value) if isinstance(value, str) else value

    filled = {key: fill(value) or [] for key, value in body.items()}
    parameters: dict[str, set[str]] = {}
    for entry in filled.get("params", []):
        for file, names in (entry if isinstance(entry, dict) else {PARAMETERS_FILE: [entry]}).items():
            parameters.setdefault(file, set()).update(names or [])
    outputs = [path for kind in ("outs", "metrics", "plots") for path in _list_paths(filled.get(kind, []))]
    return Definition(filled.get("cmd"), set(_list_paths(filled.get("deps", []))), set(outputs), parameters)


def _list_paths(entries: Iterable[Any]) -> list[str]:
    """Return the paths of entries, which are paths or have a path as their key."""
    return [path for entry in entries for path in (entry if isinstance(entry, dict) else [entry])]
