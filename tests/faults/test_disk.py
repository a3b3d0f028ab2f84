"""A disk that is full, or that may only be read: one line, nothing half-written, and the next run goes on."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path

import pytest
from conftest import TWIN, Project

from faults.conftest import Tally
from faults.test_kills import NEXT_RUN, RESULTS

SIZE = 64 << 20
OUTPUTS = {
    "fetch": (f"data/raw/{TWIN}/*",),
    "preprocess": (f"data/processed/{TWIN}/**/*",),
    "train": (f"models/{TWIN}.*", f"plots/history/{TWIN}.*"),
    "evaluate": (f"metrics/{TWIN}.*", f"predictions/{TWIN}.*", f"plots/[crm]*/{TWIN}.*"),
}


@pytest.fixture
def small(finished: Project, tmp_path: Path) -> Iterator[Project]:
    """The finished project on a small disk of its own."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "none", disk], check=True)
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


def run(project: Project, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command that may fail."""
    environment = {"PYTHONDONTWRITEBYTECODE": "1"}
    for code in (0, 2, 255):
        try:
            return project.run(*command, expect=code, **environment)
        except AssertionError as error:
            unexpected = error
    raise unexpected


def check_the_error(done: subprocess.CompletedProcess[str], stage: str, reason: str) -> None:
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert reason in done.stderr
    named = done.stderr.removeprefix("error: ").partition(":")[0]
    assert any(fnmatch(f"{named}/file", pattern) or fnmatch(named, pattern) for pattern in OUTPUTS[stage])
    assert done.stderr.endswith("then run the same command again\n")


@pytest.mark.timeout(1800)
def test_a_disk_that_is_full_for_a_stage(small: Project, tally: Tally) -> None:
    expected = small.files(*RESULTS)
    full = 0
    stages = tally.random.sample(list(OUTPUTS), len(OUTPUTS))
    for number in range(tally.number(2, 16)):
        stage = stages[number % 4]
        needed = sum(len(content) for content in small.files(*OUTPUTS[stage]).values())
        size = int(tally.random.uniform(0, 0.9) * needed)
        with tally.case(f"{stage} with {size} of {needed} bytes of room"):
            with room(small, size):
                done = run(small, "python", "-m", "stages", stage, TWIN)
            if done.returncode:  # evaluate may do with less than all: it replaces one file after another
                check_the_error(done, stage, "expected room on the disk for ")
                full += 1
            assert half_written(small, expected) == []
            assert "?" not in small.run("git", "status", "--porcelain").stdout
    assert full >= 0.75 * tally.cases
    small.run(*NEXT_RUN)
    assert small.files(*RESULTS) == expected


@pytest.mark.timeout(1800)
def test_a_disk_that_is_full_for_dvc(small: Project, tally: Tally) -> None:
    expected = small.files(*RESULTS)
    for number in range(tally.number(1, 4)):
        stage = tally.random.choice(list(OUTPUTS)) if not tally.many else list(OUTPUTS)[number % 4]
        size = tally.random.randrange(0, 250_000)
        with tally.case(f"{stage} with {size} bytes of room"):
            shutil.rmtree(small.folder / ".dvc/cache")
            with room(small, size):
                done = run(small, "dvc", "repro", "--force", "--single-item", f"{stage}@{TWIN}")
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
            with read_only(small):
                done = small.run("python", "-m", "stages", stage, TWIN, expect=2)
                by_dvc = run(small, "dvc", "repro", "--force", "--single-item", f"{stage}@{TWIN}")
            check_the_error(done, stage, "found: Read-only file system")
            assert by_dvc.returncode == 255
            assert "Read-only file system" in by_dvc.stderr
            assert small.files(*RESULTS) == expected
    small.run(*NEXT_RUN)
    assert small.files(*RESULTS) == expected
