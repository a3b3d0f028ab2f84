"""Several processes at once: a result is right, or not there yet, or an error says so."""

import json
import subprocess
import threading
from collections.abc import Callable

import pytest
from faults.conftest import Tally
from faults.test_kills import NEXT_RUN, RESULTS, is_whole
from helpers import TWIN, Project, environment

BUSY = ("Unable to acquire lock", "is busy, it is being blocked by", "No such file or directory")


def start(project: Project, *command: str) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, cwd=project.folder, env=environment(), text=True, stdout=pipe, stderr=pipe
    )


def while_they_run(processes: list[subprocess.Popen[str]], look: Callable[[], None]) -> list[str]:
    """Look again and again until all processes have ended; what each wrote to stderr."""
    errors = [""] * len(processes)

    def collect(number: int) -> None:
        errors[number] = processes[number].communicate()[1]

    waiting = [threading.Thread(target=collect, args=[number]) for number in range(len(processes))]
    for thread in waiting:
        thread.start()
    try:
        while any(thread.is_alive() for thread in waiting):
            look()
    finally:
        for thread in waiting:
            thread.join()
    return errors


def nothing_wrong(project: Project, expected: dict[str, bytes]) -> Callable[[], None]:
    """Whether everything that is there is whole, as somebody sees it who looks in between."""
    patterns = ("metrics/*.json", "predictions/*/*.csv", "plots/*/[!.]*", "models/[!.]*")

    def look() -> None:
        for path in [path for pattern in patterns for path in project.folder.glob(pattern)]:
            name = str(path.relative_to(project.folder))
            try:
                content = path.read_bytes()
            except FileNotFoundError:
                continue
            assert is_whole(name, content, expected[name]), name

    return look


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_two_runs_at_once(project: Project, tally: Tally) -> None:
    expected = project.files(*RESULTS)
    for other in [TWIN, *(["digits", TWIN] if tally.many else [])]:
        with tally.case(f"{TWIN} and {other}"):
            options = ["--force"] if tally.many else ["--force", "--single-item"]
            runs = [start(project, "dvc", "repro", *options, f"evaluate@{name}") for name in (TWIN, other)]
            errors = while_they_run(runs, nothing_wrong(project, expected))
            for run, error in zip(runs, errors, strict=True):
                assert run.returncode == 0 or any(text in error for text in BUSY), error
            assert any(run.returncode == 0 for run in runs), errors
            project.run(*NEXT_RUN)
            assert project.files(*RESULTS) == expected


@pytest.mark.slow
def test_metrics_are_shown_during_a_run(project: Project, tally: Tally) -> None:
    expected = project.files(*RESULTS)
    right = json.loads(expected[f"metrics/{TWIN}.json"])

    def look() -> None:
        with tally.case("dvc metrics show"):
            done = start(project, "dvc", "metrics", "show", "--json", f"metrics/{TWIN}.json")
            shown, error = done.communicate()
            assert done.returncode == 0, error
            (found,) = json.loads(shown)[""]["data"].values()
            assert found.get("data") == right or found["error"]["type"] == "FileNotFoundError", shown

    for _ in range(tally.number(1, 2)):
        run = start(project, "dvc", "repro", "--force", "--single-item", f"evaluate@{TWIN}")
        while_they_run([run], look)
        assert run.returncode == 0


@pytest.mark.slow
def test_fetches_of_the_same_data_set_at_once(project: Project, tally: Tally) -> None:
    expected = project.files(f"data/raw/{TWIN}/*")
    for number in range(tally.number(1, 4)):
        with tally.case(f"four fetches, {number}"):
            runs = [start(project, "python", "-m", "stages", "fetch", TWIN) for _ in range(4)]
            errors = while_they_run(runs, lambda: None)
            assert [run.returncode for run in runs] == [0] * 4, errors
            assert project.files(f"data/raw/{TWIN}/*") == expected
            assert sorted(path.name for path in (project.folder / "data/raw").iterdir()) == ["digits", TWIN]
