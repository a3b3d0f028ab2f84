"""Fixtures of the tests of new data sets."""

from pathlib import Path

import pytest
from helpers import ROOT, Project
from sections import copy_both


@pytest.fixture
def parameters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A folder with nothing but params.yaml and tools.yaml."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return copy_both(tmp_path / "work")
