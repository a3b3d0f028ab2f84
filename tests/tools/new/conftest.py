"""Fixtures of the tests of new data sets."""

import shutil
from pathlib import Path

import pytest
from helpers import ROOT, Project
from sections import FILES


@pytest.fixture
def parameters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A folder with nothing but params.yaml and tools.yaml."""
    place = tmp_path / "work"
    place.mkdir()
    for name in FILES:
        shutil.copy(ROOT / name, place)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return Project(place)
