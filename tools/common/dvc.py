"""Everything that knows DVC's private files and output, so that the next DVC is one file's work.

The commands and their JSON, dvc.lock, the files in .dvc/tmp, the cache, and the hashes of files and folders.
"""

import hashlib
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from stages.common.errors import UserError

PIPELINE_FILE = Path("dvc.yaml")
LOCK_FILE = Path("dvc.lock")
FOLDER_SUFFIX = ".dir"  # of the hash of a folder
MOST_FILES_OF_MIXED_ENDS = 14  # 16,384 combinations are tried in half a second
CACHE = Path(".dvc/cache")
RUN_LOCK = Path(".dvc/tmp/lock")  # held by every command that changes something, but not while a stage runs
USED_FILES = Path(".dvc/tmp/rwlock")  # the files that running commands read and write, with their processes
NO_USED_FILES = (b'{"write": {}, "read": {}}', b"{}")
INCOMPLETE_COPIES = "**/.*.tmp"  # names of copies that DVC has not completed


def command(*arguments: str) -> list[str]:
    """Return the command that runs the DVC of this environment."""
    return [sys.executable, "-m", "dvc", *arguments]


def variables() -> dict[str, str]:
    """Return the environment variables for DVC, with this Python as the `python` of the stages."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return {**os.environ, "PATH": path}


def run(*arguments: str, folder: Path = Path()) -> str:
    """Run DVC in a folder and return its output.

    Raises:
        UserError: with DVC's own message, if DVC fails.
    """
    completed = subprocess.run(
        command(*arguments),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env=variables(),
    )
    if completed.returncode != 0:
        raise UserError(
            f"dvc {' '.join(arguments[:2])}: {completed.stderr.strip() or completed.stdout.strip()}"
        )
    return completed.stdout


def share_cache(folder: Path) -> None:
    """Let a clone in a folder use the cache of the current folder.

    The file is written here, since `dvc cache dir --local` cannot write a path with letters beyond ASCII.
    """
    cache = run("cache", "dir").strip()
    quote = "'" if '"' in cache else '"'
    path = folder / ".dvc/config.local"
    path.write_text(f"[cache]\n    dir = {quote}{cache}{quote}\n", encoding="utf-8")


def diff_parameters(base: str, later: str) -> dict[str, dict[str, dict[str, Any]]]:
    """Return the parameters that differ between two revisions.

    Returns:
        By file, and by dotted name, a mapping with `old` and `new`, of which one may be missing.
    """
    difference: dict[str, dict[str, dict[str, Any]]] = json.loads(
        run("params", "diff", "--json", base, later)
    )
    return difference


@dataclass(frozen=True)
class Experiment:
    """The parameters and metrics of a commit, or of an experiment that began with the commit.

    Attributes:
        name: of the experiment, the workspace or the branch.
        parameters: by dotted name, of params.yaml.
        metrics: by file, the content.
    """

    name: str
    parameters: dict[str, Any]
    metrics: dict[str, Any]


def read_experiments() -> list[Experiment]:
    """Return the workspace, the last commit and the experiments that began with it and have results."""
    entries = []
    for commit in json.loads(run("exp", "show", "--json")):
        entries.append((commit["name"] or commit["rev"], commit))
        entries += [
            (experiment["name"] or experiment["revs"][0]["rev"], experiment["revs"][0])
            for experiment in commit["experiments"] or []
        ]
    return [
        Experiment(
            name,
            flatten(entry["data"]["params"].get("params.yaml", {}).get("data", {})),
            {file: content.get("data") or {} for file, content in entry["data"]["metrics"].items()},
        )
        for name, entry in entries
        if entry["data"]
    ]


def flatten(section: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the values of nested mappings by dotted names."""
    values: dict[str, Any] = {}
    for key, value in section.items():
        values |= (
            flatten(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
        )
    return values


def read_charts(action: str, *arguments: str) -> dict[str, list[dict[str, Any]]]:
    """Return the charts of `dvc plots show` or `dvc plots diff`.

    Args:
        action: `show` or `diff`.
        arguments: files for the first, revisions for the second.

    Returns:
        For each plot, by its path, charts with `type`, `revisions` and `content`, a Vega-Lite chart.
    """
    with tempfile.TemporaryDirectory() as unused:  # for the plots that are pictures, which DVC copies
        output = run("plots", action, "--json", "--out", unused, *arguments)
    charts: dict[str, list[dict[str, Any]]] = json.loads(output)["data"]
    return charts


@dataclass(frozen=True)
class Stage:
    """A stage as dvc.lock records its last run.

    Attributes:
        inputs: the MD5 hash of each file or folder, by its path; empty where dvc.lock has no hash.
        outputs: the same for the files and folders that the stage wrote.
        parameters: by file, and by dotted name, the values.
    """

    inputs: dict[str, str]
    outputs: dict[str, str]
    parameters: dict[str, dict[str, Any]]


def read_stages(section: Mapping[str, Any], dataset: str) -> dict[str, Stage]:
    """Return the stages of a data set, by name, in an order in which they can run.

    Args:
        section: the content of `stages` in dvc.lock.
        dataset: its key.
    """
    stages = {
        name: Stage(
            _read_hashes(stage.get("deps", [])), _read_hashes(stage.get("outs", [])), stage.get("params", {})
        )
        for name, stage in section.items()
        if name.endswith(f"@{dataset}")
    }
    producers = {path: name for name, stage in stages.items() for path in stage.outputs}
    predecessors = {
        name: {producers[path] for path in stage.inputs if path in producers}
        for name, stage in stages.items()
    }
    return {name: stages[name] for name in TopologicalSorter(predecessors).static_order()}


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


def read_processes(used_files: bytes) -> set[int]:
    """Return the numbers of the processes in the content of `USED_FILES`; an empty set if it is damaged."""
    try:
        users = json.loads(used_files)
        writers, readers = users.get("write", {}).values(), users.get("read", {}).values()
        return {user["pid"] for user in [*writers, *(user for users in readers for user in users)]}
    except (ValueError, AttributeError, KeyError, TypeError):
        return set()


def parse_lock(text: str) -> dict[str, Any]:
    """Return the stages in the text of dvc.lock, an empty mapping if the text is damaged."""
    try:
        stages = YAML().load(text)["stages"]
    except (YAMLError, TypeError, KeyError):
        return {}
    return dict(stages) if isinstance(stages, dict) else {}


def split_lock(text: str) -> tuple[str, str]:
    """Split the text of dvc.lock before its last stage."""
    *_, start = [0, *(match.start() for match in re.finditer(r"^  \S+:$", text, re.MULTILINE))]
    return text[:start], text[start:]


def is_complete(stage_text: str) -> bool:
    """Return whether the text of the last stage in dvc.lock is complete; DVC writes its outputs last."""
    sections = [
        stage if isinstance(stage, dict) else {} for stage in parse_lock(f"stages:\n{stage_text}").values()
    ]
    complete = all("outs" in stage and all(stage.values()) for stage in sections)
    return stage_text.endswith("\n") and bool(sections) and complete


def dump_lock(stages: Mapping[str, Any], path: Path) -> None:
    """Write a dvc.lock with these stages."""
    YAML().dump({"schema": "2.0", "stages": dict(stages)}, path)


def find_rotten_objects(cache: Path) -> Iterator[tuple[Path, str, str]]:
    """Yield files of a cache with another hash than their name says: path, expected hash, present hash."""
    for path in (cache / "files/md5").glob("[0-9a-f][0-9a-f]/*"):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "md5").hexdigest()
        expected = path.parent.name + path.name
        if digest != expected.removesuffix(FOLDER_SUFFIX):
            yield path, expected, digest


def hash_content(content: bytes) -> str:
    """Return the hash that DVC has for a file of this content."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def hash_folder(files: Mapping[str, bytes]) -> str:
    """Return the hash that DVC has for a folder.

    Args:
        files: the content of each file, by its path in the folder.
    """
    return _hash_entries({path: hash_content(content) for path, content in files.items()})


def file_matches(content: bytes, expected: str) -> bool:
    """Return whether a file has the hash that DVC recorded, with line ends of Unix or of Windows.

    git may store a file with other line ends than the file had when DVC took the hash.
    """
    return expected == hash_content(content) or expected in _hash_variants(content)


def folder_matches(files: Mapping[str, bytes], expected: str) -> bool:
    """Return whether a folder has the hash that DVC recorded; line ends as for `file_matches`.

    Args:
        files: the content of each file, by its path in the folder.
        expected: the recorded hash.
    """
    if hash_folder(files) == expected:
        return True
    variants = [_hash_variants(content) for content in files.values()]
    if len(files) <= MOST_FILES_OF_MIXED_ENDS:
        choices: Iterable[Sequence[str]] = itertools.product(*variants)
    else:
        choices = zip(*variants, strict=True)  # all files with the ends of Unix, or all with those of Windows
    return any(_hash_entries(dict(zip(files, hashes, strict=True))) == expected for hashes in choices)


def _hash_variants(content: bytes) -> tuple[str, str]:
    """Return the hashes of a file with the line ends of Unix, and with those of Windows."""
    unix = content.replace(b"\r\n", b"\n")
    return hash_content(unix), hash_content(unix.replace(b"\n", b"\r\n"))


def _hash_entries(hashes: Mapping[str, str]) -> str:
    entries = [{"md5": hashes[path], "relpath": path} for path in sorted(hashes, key=_split)]
    return hash_content(json.dumps(entries, sort_keys=True).encode()) + FOLDER_SUFFIX


def _split(path: str) -> tuple[str, ...]:
    return tuple(path.split("/"))


def _read_hashes(entries: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    return {entry["path"]: str(entry.get("md5", "")) for entry in entries}
