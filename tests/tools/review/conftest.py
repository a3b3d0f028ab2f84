"""The fixture of the tests of reviews."""

from pathlib import Path

import pytest
from helpers import dump
from review_repository import CODE, FOLDER, PARAMETERS, TOOLS, Repository


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """Committed results of two data sets, each with two images wrong."""
    repository = Repository(tmp_path)
    repository.run("git", "init", "--quiet", "--initial-branch=main")
    repository.write(".gitignore", "/models/\n/data/\n__pycache__/\n")
    repository.write("params.yaml", dump(PARAMETERS))
    repository.write("tools.yaml", dump(TOOLS))
    for name in (CODE, f"{FOLDER}/files.py", f"{FOLDER}/deep/errors.py"):
        repository.write(name, "# code\n")
    for dataset in PARAMETERS["datasets"]:
        repository.predict(dataset, wrong=2)
    repository.lock()
    repository.commit("First results")
    monkeypatch.chdir(tmp_path)
    return repository
