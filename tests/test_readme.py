"""The README is true: its commands run, its accuracies are the committed ones, its links lead somewhere."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT, Project

README = (ROOT / "README.md").read_text(encoding="utf-8")
CI = (ROOT / ".ci/run").read_text(encoding="utf-8")

# What sets up the environment that these tests run in; CI runs these lines themselves.
SET_UP = {"make demo", "make test", "make repro", "make lint", ". .venv/bin/activate"}


def commands() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", README, flags=re.DOTALL)
    lines = [line.partition(" #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line]


def test_ci_runs_the_commands_that_set_up() -> None:
    used = SET_UP & set(commands())
    assert {"make demo", "make test", "make repro"} <= used
    lines_of_ci = {line.strip() for line in CI.splitlines()}
    assert {command for command in used if command.startswith("make")} <= lines_of_ci


def test_every_other_command_runs_one_after_the_other(project: Project) -> None:
    lines = [line for line in commands() if line not in SET_UP]
    assert len(lines) >= 5
    for line in lines:
        project.run("bash", "-euc", line)


def test_the_table_shows_the_committed_metrics() -> None:
    rows = re.findall(r"^\| \[?(\w+)\]?.*?\| ([\d.]+) % \|", README, flags=re.MULTILINE)
    shown = {name: float(value) for name, value in rows}
    assert set(shown) == {"digits", "mnist", "fashion_mnist"}
    for name, value in shown.items():
        committed = ["git", "show", f"HEAD:metrics/{name}.json"]
        metrics = subprocess.run(committed, cwd=ROOT, capture_output=True, check=True).stdout
        assert value == pytest.approx(100 * json.loads(metrics)["accuracy"], abs=0.006)


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\((?!http)([^)#]+)\)", README))))
def test_links_lead_to_files(target: str) -> None:
    assert Path(ROOT, target).exists()


def test_every_top_level_folder_is_explained() -> None:
    tracked = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")}
    ignored = {"dvc_plots", "__pycache__"}
    missing = [name for name in sorted(tracked - ignored) if f"| `{name}/` " not in README]
    assert missing == []
