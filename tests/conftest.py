"""The fixtures that several test files share, and the order of the files."""

import shutil
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from helpers import TWIN, Opened, Project, copy_of_the_project, dump, shared
from playwright.sync_api import Browser, sync_playwright
from ruamel.yaml import YAML
from servers import Answer, Server

# Those that take minutes come first, so that both processes are busy to the end.
LONG = (
    *("aims", "memory", "review"),
    # These need no finished project, which another one makes meanwhile.
    *("layers", "layouts", "fetch", "checkpoint"),
    *("branches", "merge"),
    *("search", "experiments", "study", "verify", "new", "disk", "page", "sharing", "readme", "statistics"),
    *("pipeline", "kills", "concurrency", "dependencies", "inputs", "training", "repair", "bytes"),
)
SLOW_FIXTURE = "studied_project"  # trains a dozen networks


@pytest.hookimpl(tryfirst=True)  # before pytest leaves out what is slow
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long files of tests first, the longest before all, and mark what needs a slow fixture."""
    for item in items:
        if SLOW_FIXTURE in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)
    place = {f"test_{name}": number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: place.get(item.path.stem, len(LONG)))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--torture", action="store_true", help="inject each fault many times, not once or twice")


TWIN_EPOCHS = 2
WORSE_RATE = 1e-5


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

    def keep_settings_of_digits(tools: dict) -> None:
        digits = tools["datasets"]["digits"]
        tools["datasets"] = {"digits": digits, TWIN: YAML(typ="safe").load(dump(digits))}

    project.edit_parameters(keep_digits_and_add_a_twin)
    project.edit_tools(keep_settings_of_digits)
    project.run("git", "rm", "--quiet", "dvc.lock")
    project.run("git", "rm", "--quiet", "-r", "metrics", "plots", "predictions")
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
