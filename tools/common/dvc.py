"""Commands of DVC, their JSON, and the files in .dvc."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.common.errors import UserError
from tools.common import processes

CACHE = Path(".dvc/cache")
RUN_LOCK = Path(".dvc/tmp/lock")  # held by every command that changes something, but not while a stage runs
USED_FILES = Path(".dvc/tmp/rwlock")  # the files that running commands read and write, with their processes
NO_USED_FILES = (b'{"write": {}, "read": {}}', b"{}")
# The commit that an experiment in the workspace began with: a reference of git, while the experiment runs.
EXPERIMENT_BASE = "refs/exps/exec/EXEC_BASELINE"
# A commit of git's stash: what had not been committed when the experiment began, and what it changes.
EXPERIMENT_CHANGES = "refs/exps/exec/EXEC_MERGE"
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
    completed = processes.run(
        command(*arguments),
        cwd=folder,
        stdin=subprocess.DEVNULL,  # nobody would see DVC's question
        capture_output=True,
        text=True,
        env=variables(),
    )
    if completed.returncode != 0:
        raise UserError(
            f"dvc {' '.join(arguments[:2])}: {completed.stderr.strip() or completed.stdout.strip()}"
        )
    output: str = completed.stdout
    return output


def run_visibly(*arguments: str) -> int:
    """Run DVC with its output for all to see, and return its exit code."""
    code: int = processes.run(command(*arguments), env=variables()).returncode
    return code


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


def read_processes(used_files: bytes) -> set[int]:
    """Return the numbers of the processes in the content of `USED_FILES`; an empty set if it is damaged."""
    try:
        users = json.loads(used_files)
        writers, readers = users.get("write", {}).values(), users.get("read", {}).values()
        return {user["pid"] for user in [*writers, *(user for users in readers for user in users)]}
    except (ValueError, AttributeError, KeyError, TypeError):
        return set()
