"""What several test files share: a copy of the project to run in, and the real data if they are here."""

import fcntl
import io
import os
import shutil
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from ruamel.yaml import YAML
from servers import Answer, Server

# Imported here, before any test imports TensorFlow, whose kernels and threads it fixes.
import stages  # noqa: F401

ROOT = Path(__file__).parents[1]


# Those that take minutes come first, so that both processes are busy to the end.
LONG = (
    "review",
    "memory",  # needs no finished project, which the first one makes meanwhile
    *("search", "study", "verify", "experiments", "add", "inputs", "pipeline", "page", "sharing", "disk"),
    *("readme", "kills", "repair", "statistics", "rot", "predict", "training", "concurrency", "dependencies"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long files of tests first, the longest before all."""
    place = {f"test_{name}": number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: place.get(item.path.stem, len(LONG)))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--torture", action="store_true", help="inject each fault many times, not once or twice")


# A copy of digits under another name, trained for a moment: what happens to one must not touch the other.
TWIN = "twin"
TWIN_EPOCHS = 2
WORSE_RATE = 1e-5


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
        yaml = YAML()
        path = self.folder / "params.yaml"
        content = yaml.load(path)
        change(content)
        yaml.dump(content, path)

    def files(self, *patterns: str) -> dict[str, bytes]:
        """The content of each file that a pattern names, by its path."""
        found = sorted(path for pattern in patterns for path in self.folder.glob(pattern) if path.is_file())
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in found}


def targets_of_ci() -> set[str]:
    """The targets of make that CI runs."""
    lines = (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines()
    words = [line.partition("#")[0].split()[1:] for line in lines if line.startswith("make ")]
    return {word for several in words for word in several if word.isalpha()}


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


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project reduced to digits and its twin, after its first `make repro`. Not to be changed."""
    return shared(tmp_path_factory, "finished", make_finished)


@pytest.fixture(scope="session")
def slower(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The same with a learning rate of the twin that is much too low, on a branch. Not to be changed."""

    def make(folder: Path) -> Project:
        project = finished.copy(folder)
        project.run("git", "switch", "--quiet", "--create", "slower")
        rate = {"learning_rate": WORSE_RATE}
        project.edit_parameters(lambda content: content["datasets"][TWIN]["training"].update(rate))
        done = project.run("dvc", "repro")
        (project.folder / ".git/repro.txt").write_text(done.stdout)  # where it is in nobody's way
        project.commit("A lower learning rate")
        return project

    return shared(tmp_path_factory, "slower", make)


def make_finished(folder: Path) -> Project:
    project = copy_of_the_project(folder)

    def keep_digits_and_add_a_twin(parameters: dict) -> None:
        digits = parameters["datasets"]["digits"]
        twin = YAML(typ="safe").load(dump(digits))
        twin["training"]["epochs"] = TWIN_EPOCHS
        twin["training"]["warmup_epochs"] = 1
        parameters["datasets"] = {"digits": digits, TWIN: twin}

    project.edit_parameters(keep_digits_and_add_a_twin)
    project.run("git", "rm", "--quiet", "dvc.lock")
    project.run("git", "rm", "--quiet", "-r", "metrics", "plots", "predictions", "environment")
    project.run("make", "-o", ".venv/installed", "repro", "JOBS=2")
    project.commit("First results")
    return project


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A real browser without a window; where none is installed, what needs it is skipped."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    program = next(filter(None, map(shutil.which, names)), None)
    if program is None:
        pytest.skip("no Chromium here: install Debian's package chromium, or Chrome")
    with sync_playwright() as playwright:
        # A sandbox of its own is more than a container lets it have, and it opens nothing but our pages.
        opened = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@dataclass
class Opened:
    """A page in the browser, and what happened in it."""

    page: Page
    requests: list[str]
    messages: list[str]


DRAWN = "charts => document.querySelectorAll('.vega-embed details').length === charts"


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[[Path], Opened]]:
    """Open a file, without a network, and wait until it is drawn."""
    context = browser.new_context(offline=True)
    context.set_default_timeout(120_000)  # ms: another test may be training a network meanwhile

    def opener(path: Path) -> Opened:
        opened = Opened(context.new_page(), [], [])
        opened.page.on("request", lambda request: opened.requests.append(request.url))
        opened.page.on("console", lambda message: opened.messages.append(message.text))
        opened.page.on("pageerror", lambda error: opened.messages.append(str(error)))
        opened.page.goto(path.as_uri())  # returns when the pictures are loaded
        # Vega-Embed adds a chart's menu when it has drawn the chart.
        charts = path.read_text(encoding="utf-8").count("vegaEmbed('#")
        opened.page.wait_for_function(DRAWN, arg=charts)
        return opened

    yield opener
    context.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(answer: Answer, certificate: ssl.SSLContext | None = None) -> Server:
        servers.append(Server(answer, certificate))
        return servers[-1]

    yield start
    for server in servers:
        server.http.shutdown()
        server.http.server_close()


@pytest.fixture
def project(finished: Project, tmp_path: Path) -> Project:
    """A copy of the finished project, with data and cache, to do anything with."""
    return finished.copy(tmp_path)


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
