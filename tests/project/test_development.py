"""Tools of developers: the summary of pytest, and the container that editors start."""

import re
from pathlib import Path

from helpers import ROOT, Project

OUTCOMES = """import pytest

def test_fails():
    assert 1 == 2

@pytest.fixture
def broken():
    raise OSError

def test_breaks(broken):
    pass

def test_skips():
    pytest.skip("for a reason")
"""


def test_the_summary_names_what_failed_broke_and_was_skipped(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    (tmp_path / "test_outcomes.py").write_text(OUTCOMES, encoding="utf-8")
    done = Project(tmp_path).run("python", "-m", "pytest", "-n0", "test_outcomes.py", expect=1)
    _, _, summary = done.stdout.partition("short test summary info")
    assert re.findall(r"^(FAILED|ERROR) test_outcomes.py::(\w+)", summary, re.MULTILINE) == [
        ("FAILED", "test_fails"),
        ("ERROR", "test_breaks"),
    ]
    assert "for a reason" in summary


def test_the_container_is_of_a_known_digest() -> None:
    lines = (ROOT / ".devcontainer/Dockerfile").read_text(encoding="utf-8").splitlines()
    images = [line for line in lines if line.startswith("FROM ")]
    assert images
    for image in images:
        assert re.fullmatch(r"FROM [a-z]+:[\w.-]+@sha256:[0-9a-f]{64}", image)
