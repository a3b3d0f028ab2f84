"""Helpers of the tests: a copy of the project to run in, and a page in the browser."""

import fcntl
import io
import os
import runpy
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from playwright.sync_api import Page
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]

# A copy of digits under another name, trained for a moment: what happens to one must not touch the other.
TWIN = "twin"


@dataclass(frozen=True)
class Project:
    """A folder with a copy of the project, and its commands."""

    folder: Path

    def run(
        self, *command: str, expect: int | None = 0, **variables: str | None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the folder, and expect an exit code, unless that is None."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=environment(**variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert expect in (None, done.returncode), (
            f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        )
        return done

    def here(
        self, module: str, *arguments: object, expect: int = 0, **variables: str | None
    ) -> subprocess.CompletedProcess[str]:
        """Run `python -m MODULE` in the folder, but in this process, which has imported TensorFlow already.

        The code is that of ROOT, whatever that in the folder has been changed to.
        """
        command = [module, *map(str, arguments)]
        out, error = io.StringIO(), io.StringIO()
        with (
            chdir(self.folder),
            mock.patch.dict(os.environ, environment(**variables), clear=True),
            mock.patch.object(sys, "argv", command),
            redirect_stdout(out),
            redirect_stderr(error),
            warnings.catch_warnings(),
            pytest.raises(SystemExit) as done,
        ):
            # A test may have imported it before.
            warnings.filterwarnings("ignore", "'.*' found in sys.modules", RuntimeWarning)
            runpy.run_module(module, run_name="__main__")
        code = done.value.code or 0
        assert code == expect, f"{command}: {code}\n{out.getvalue()}\n{error.getvalue()}"
        return subprocess.CompletedProcess(command, code, out.getvalue(), error.getvalue())

    def copy(self, folder: Path) -> "Project":
        """The same with its data, its cache and its history, in another folder."""
        shutil.copytree(self.folder, folder / "project", symlinks=True)
        return Project(folder / "project")

    def commit(self, message: str) -> None:
        """Commit every change."""
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--message", message)

    def edit_parameters(self, change: Callable[[dict], None]) -> None:
        """Change params.yaml, keeping its comments."""
        self._edit("params.yaml", change)

    def edit_tools(self, change: Callable[[dict], None]) -> None:
        """Change tools.yaml, keeping its comments."""
        self._edit("tools.yaml", change)

    def _edit(self, name: str, change: Callable[[dict], None]) -> None:
        yaml = YAML()
        path = self.folder / name
        content = yaml.load(path)
        change(content)
        yaml.dump(content, path)

    def files(self, *patterns: str) -> dict[str, bytes]:
        """The content of each file that a pattern names, by its path, but for what Python has compiled."""
        found = sorted(path for pattern in patterns for path in self.folder.glob(pattern) if path.is_file())
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in found
            if "__pycache__" not in path.parts
        }


ENVIRONMENT = {
    # The tools of the environment that runs the tests, whether or not it is activated.
    "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    "GIT_AUTHOR_NAME": "A. Tester",
    "GIT_AUTHOR_EMAIL": "tester@example.org",
    "GIT_COMMITTER_NAME": "A. Tester",
    "GIT_COMMITTER_EMAIL": "tester@example.org",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "PYTHONWARNINGS": "",
    "DATASETS_MIRROR": None,
    # Of `make test`, which would have a make that a test runs write that it is the second one.
    "MAKEFLAGS": None,
    "MAKELEVEL": None,
    "ALL": None,  # of `make test ALL=1`, likewise
}


def environment(**variables: str | None) -> dict[str, str]:
    """The environment of a command; variables given as None are taken out of it."""
    changed = {**os.environ, **ENVIRONMENT, **variables}
    return {name: value for name, value in changed.items() if value is not None}


def copy_of_the_project(folder: Path) -> Project:
    """The files that git tracks or would track, as they are now, in a repository of their own."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).exists():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)
    project = Project(folder)
    project.run("git", "init", "--quiet", "--initial-branch=main")
    project.commit("The project as it is")
    return project


def shared(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], Project]) -> Project:
    """A project that the first of the processes that run tests makes, for all of them. Not to be changed."""
    place = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        place = place.parent
    with (place / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / name).exists():
            make(place / f"unfinished-{name}").folder.rename(place / name)
    return Project(place / name)


def targets_of_ci() -> set[str]:
    """The targets of make that CI runs."""
    lines = (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines()
    words = [line.partition("#")[0].split()[1:] for line in lines if line.startswith("make ")]
    return {word for several in words for word in several if word.isalpha()}


def dump(content: object) -> str:
    """YAML as text."""
    text = io.StringIO()
    YAML().dump(content, text)
    return text.getvalue()


def set_value(section: Any, key: str, value: object) -> None:
    """Set what a dotted key names, in mappings and lists."""
    *path, last = (int(part) if part.isdigit() else part for part in key.split("."))
    for part in path:
        section = section[part]
    section[last] = value


@dataclass
class Opened:
    """A page in the browser, and what happened in it."""

    page: Page
    requests: list[str]
    messages: list[str]
