"""A disk that is full, or that may only be read: one line, nothing half-written, and the next run goes on."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path

import pytest
from faults.conftest import Tally
from faults.test_kills import NEXT_RUN, RESULTS
from helpers import TWIN, Project

SIZE = 64 << 20
NO_BYTECODE = {"PYTHONDONTWRITEBYTECODE": "1"}  # it would take from the room
OUTPUTS = {
    "fetch": (f"data/raw/{TWIN}/*",),
    "preprocess": (f"data/processed/{TWIN}/**/*", f"models/{TWIN}.json", f"plots/data/{TWIN}.*"),
    "train": (f"models/{TWIN}.[ak]*", f"plots/history/{TWIN}.*"),
    "evaluate": (f"metrics/{TWIN}.*", f"predictions/{TWIN}/*", f"plots/[crm]*/{TWIN}.*"),
}


@pytest.fixture
def small(finished: Project, tmp_path: Path) -> Iterator[Project]:
    """The finished project on a small disk of its own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "none", disk]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode != 0:  # it takes root, and in a container not even root may always
        pytest.skip(f"no small disk can be mounted here: {' '.join(done.stderr.split())}")
    yield finished.copy(disk)
    subprocess.run(["umount", "--lazy", disk], check=True)


@contextmanager
def room(project: Project, size: int) -> Iterator[None]:
    """Leave so many bytes of the disk free."""
    ballast = project.folder.parent / "ballast"
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(project.folder).free - size)
    yield
    ballast.unlink()


@contextmanager
def read_only(project: Project) -> Iterator[None]:
    disk = project.folder.parent
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    yield
    subprocess.run(["mount", "-o", "remount,rw", disk], check=True)


def half_written(project: Project, expected: dict[str, bytes]) -> list[str]:
    found = project.files(*RESULTS)
    return [name for name in found if name != "dvc.lock" and found[name] != expected.get(name)]


def rerun(stage: str) -> tuple[str, ...]:
    return ("dvc", "repro", "--force", "--single-item", f"{stage}@{TWIN}")


@contextmanager
def without_a_raw_file(small: Project, stage: str) -> Iterator[None]:
    """Take a raw file away meanwhile if the stage is fetch, which does nothing if all are there."""
    path = small.folder / f"data/raw/{TWIN}/t10k-labels-idx1-ubyte"
    if stage != "fetch":
        yield
        return
    content = path.read_bytes()
    path.unlink()
    yield
    path.write_bytes(content)


def check_the_error(done: subprocess.CompletedProcess[str], stage: str, reason: str) -> None:
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert reason in done.stderr
    named = done.stderr.removeprefix("error: ").partition(":")[0]
    assert any(fnmatch(f"{named}/file", pattern) or fnmatch(named, pattern) for pattern in OUTPUTS[stage])
    assert done.stderr.endswith("then run the same command again\n")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_disk_that_is_full_for_a_stage(small: Project, tally: Tally) -> None:
    expected = small.files(*RESULTS)
    stages = tally.random.sample(list(OUTPUTS), len(OUTPUTS))
    for number in range(tally.number(4, 16)):
        stage = stages[number % 4]
        largest = max(len(content) for content in small.files(*OUTPUTS[stage]).values())
        size = int(tally.random.uniform(0, 0.9) * largest)
        with tally.case(f"{stage} with {size} bytes of room for a file of {largest}"):
            with without_a_raw_file(small, stage), room(small, size):
                done = small.here("stages", stage, TWIN, expect=2)
            check_the_error(done, stage, "expected room on the disk for ")
            assert half_written(small, expected) == []
            assert "?" not in small.run("git", "status", "--porcelain").stdout
    small.run(*NEXT_RUN)
    assert small.files(*RESULTS) == expected


@pytest.mark.slow
def test_a_full_disk_costs_no_network(small: Project) -> None:
    """DVC removes the last network before it starts the training of the next."""
    expected = small.files(*RESULTS)
    small.edit_parameters(lambda content: content["datasets"][TWIN]["network"].update(hidden=[3000]))
    with room(small, 100_000):
        done = small.run("dvc", "repro", f"train@{TWIN}", expect=255, **NO_BYTECODE)
    assert done.stdout.count("The training goes on without a new checkpoint: ") >= 1
    assert f"error: models/{TWIN}.keras: expected room on the disk for " in done.stderr
    assert small.files(*RESULTS) == expected


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_disk_that_is_full_for_dvc(small: Project, tally: Tally) -> None:
    expected = small.files(*RESULTS)
    for stage in tally.random.sample(list(OUTPUTS), tally.number(1, 4)):
        size = tally.random.randrange(0, 250_000)
        with tally.case(f"{stage} with {size} bytes of room"):
            shutil.rmtree(small.folder / ".dvc/cache")
            with room(small, size):
                done = small.run(*rerun(stage), expect=None, **NO_BYTECODE)
            assert "Traceback" not in done.stderr
            small.run(*NEXT_RUN)
            assert small.files(*RESULTS) == expected
            for folder in ("data", "models"):
                shutil.rmtree(small.folder / folder)
            small.run("dvc", "checkout")  # nothing is missing in the cache
            assert small.files(*RESULTS) == expected


def test_a_disk_that_may_only_be_read(small: Project, tally: Tally) -> None:
    expected = small.files(*RESULTS)
    for stage in tally.random.sample(list(OUTPUTS), tally.number(1, 4)):
        with tally.case(stage):
            with without_a_raw_file(small, stage), read_only(small):
                done = small.here("stages", stage, TWIN, expect=2)
                by_dvc = small.run(*rerun(stage), expect=255)
            check_the_error(done, stage, "found: Read-only file system")
            assert "Read-only file system" in by_dvc.stderr
            assert small.files(*RESULTS) == expected
    small.run(*NEXT_RUN)
    assert small.files(*RESULTS) == expected
