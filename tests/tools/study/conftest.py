"""Projects with a study to make, and after it."""

from pathlib import Path

import pytest
from helpers import Project, shared
from study_plan import add_plan, read_results

from tools.study.results import Results


@pytest.fixture
def planned_project(project: Project) -> Project:
    """A project with a study to make."""
    return add_plan(project)


@pytest.fixture(scope="session")
def studied_project(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project after its study. Not to be changed."""

    def make(folder: Path) -> Project:
        project = add_plan(finished.copy(folder))
        project.here("tools.study")
        return project

    return shared(tmp_path_factory, "studied", make)


@pytest.fixture
def twin_results(studied_project: Project, monkeypatch: pytest.MonkeyPatch) -> Results:
    """The results of the twin, in the folder of the studied project."""
    monkeypatch.chdir(studied_project.folder)
    return read_results()
