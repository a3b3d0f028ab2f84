"""A byte that a disk has changed: whoever reads it says so, and what it says to run makes it good."""

import hashlib
import os
import shutil
from pathlib import Path

import pytest
from faults.conftest import Tally
from faults.test_kills import RESULTS
from helpers import TWIN, Project

# What each stage reads.
READ = {
    "preprocess": [
        f"data/raw/{TWIN}/{name}"
        for name in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte")
    ],
    "train": [
        f"data/processed/{TWIN}/{split}/{array}.npy"
        for split in ("train", "validation")
        for array in ("images", "labels")
    ],
    "evaluate": [f"models/{TWIN}.keras", f"data/processed/{TWIN}/test/images.npy"],
}


def rot(path: Path, position: int) -> None:
    """Change a byte of a file, and nothing that DVC looks at."""
    before = path.stat()
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[position % len(content)] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    path.chmod(before.st_mode)


def cached(project: Project, content: bytes) -> Path:
    name = hashlib.md5(content).hexdigest()
    return project.folder / ".dvc/cache/files/md5" / name[:2] / name[2:]


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("place", ["results", "cache"])
def test_a_byte_that_has_changed(project: Project, tally: Tally, place: str) -> None:
    tally.fault = f"a byte that has changed in {place}"
    expected = project.files(*RESULTS)
    stages = list(READ)
    tally.random.shuffle(stages)
    for number in range(tally.number(1, 6)):
        stage = stages[number % 3]
        name = tally.random.choice(READ[stage])
        path = project.folder / name
        with tally.case(f"{name}"):
            assert path.read_bytes() == expected[name]
            position = tally.random.randrange(1 << 30)
            if place == "results":
                rot(path, position)
            else:  # whose file then is copied from it, the way a checkout of another branch does
                rot(cached(project, expected[name]), position)
                path.unlink()
                project.run("dvc", "checkout", "--force")
            found = path.read_bytes()
            assert found != expected[name]
            before = project.files(*RESULTS)
            done = project.here("stages", stage, TWIN, expect=2)
            assert done.stderr == (
                f"error: {name}: expected SHA-256 {hashlib.sha256(expected[name]).hexdigest()}, "
                f"found {hashlib.sha256(found).hexdigest()}; run python -m tools.repair, then dvc repro\n"
            )
            assert project.files(*RESULTS) == before
            repaired = project.here("tools.repair").stdout
            assert f"repaired: {name if name in repaired else Path(name).parent}: " in repaired
            project.run("dvc", "repro")
            assert project.files(*RESULTS) == expected
            assert project.here("tools.repair").stdout == "Nothing to repair.\n"
    for folder in ("data", "models"):
        shutil.rmtree(project.folder / folder)
    project.run("dvc", "checkout")
    assert project.files(*RESULTS) == expected
