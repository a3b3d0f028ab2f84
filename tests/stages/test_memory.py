"""A data set larger than the memory goes through every stage."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers import ENVIRONMENT, ROOT, dump
from ruamel.yaml import YAML

from stages.common import layout
from stages.common.fields import Augmentation
from stages.splits import arrays
from stages.splits.arrays import Split
from stages.splits.batches import shuffled_batches

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits what is not a mapped file")

SIDE = 112  # pixels: larger images than those of other tests, so that fewer are more than is allowed
IMAGES = 60_000  # for training and validation, and as many for the test: 0.75 GB each
ALLOWED = 650 << 20  # bytes beyond the imports; training takes some 400 MB, whatever the number of images

# The kernel counts towards RLIMIT_DATA what a process can write to and shares with no file: all of its memory
# that cannot be read again from disk. The limit is what the imports take, and `ALLOWED`.
LIMITED = """
import importlib, re, resource, sys
imports, code, *sys.argv[1:] = sys.argv[1:]
importlib.import_module(imports)
status = open("/proc/self/status").read()
used = int(re.search(r"VmData:\\s+(\\d+) kB", status)[1]) << 10
resource.setrlimit(resource.RLIMIT_DATA, (used + ALLOWED, used + ALLOWED))
exec(code)
""".replace("ALLOWED", str(ALLOWED))

RUN = """
from stages.__main__ import main
main(*sys.argv[1:])
"""
# Under the same limit, what the stages do not do.
READ_WHOLE = """
import numpy as np
print(np.array(np.load(sys.argv[1], mmap_mode="r")).nbytes)
"""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in ENVIRONMENT.items() if value is not None}
    return subprocess.run(
        [sys.executable, "-c", LIMITED, *arguments],
        cwd=folder,
        env={**environment, "PYTHONPATH": f"{ROOT}:{folder}"},
        capture_output=True,
        text=True,
        check=False,
    )


def write_idx(path: Path, shape: tuple[int, ...], values: np.ndarray | None = None) -> dict[str, object]:
    """An IDX file of values, or of zeros that take no place on the disk; return its size and hash."""
    header = bytes([0, 0, 8, len(shape)]) + b"".join(size.to_bytes(4, "big") for size in shape)
    with path.open("wb") as file:
        file.write(header)
        if values is not None:
            file.write(values.tobytes())
        file.truncate(len(header) + int(np.prod(shape)))
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A folder with the parameters of a large data set, and its raw files."""
    parameters = YAML(typ="safe").load(ROOT / "params.yaml")
    dataset = parameters["datasets"]["digits"]
    raw = tmp_path / "data/raw/large"
    raw.mkdir(parents=True)
    classes = (np.arange(IMAGES) % 10).astype(np.uint8)
    for images, labels in (
        (layout.TRAIN_IMAGES, layout.TRAIN_LABELS),
        (layout.TEST_IMAGES, layout.TEST_LABELS),
    ):
        dataset["files"][images] = write_idx(raw / images, (IMAGES, SIDE, SIDE))
        dataset["files"][labels] = write_idx(raw / labels, (IMAGES,), classes)
    dataset["validation_images"] = 1000
    dataset["network"] = {"hidden": [8], "dropout": 0.2, "batch_normalization": True}
    dataset["training"] |= {"epochs": 1, "warmup_epochs": 0, "batch_size": 256}
    parameters["datasets"] = {"large": dataset}
    (tmp_path / "params.yaml").write_text(dump(parameters))
    (tmp_path / "versions.yaml").write_bytes((ROOT / "versions.yaml").read_bytes())
    return tmp_path


@pytest.mark.slow
def test_every_stage_needs_less_memory_than_the_data(large: Path) -> None:
    for stage in ("preprocess", "train", "evaluate"):
        done = run(large, f"stages.{stage}", RUN, stage, "large")
        others = [line for line in done.stderr.splitlines() if not line.startswith("warning: large: ")]
        assert (stage, done.returncode, others) == (stage, 0, [])
    assert (large / "metrics/large.json").exists()

    # The limit is one.
    done = run(large, "stages.preprocess", READ_WHOLE, "data/processed/large/train/images.npy")
    assert done.returncode == 1
    assert "MemoryError" in done.stderr


def test_the_order_of_images_in_chunks_is_that_of_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.arange(1000, dtype=">u2").view(np.uint8).reshape(1000, 2, 1)
    split = Split(images, (np.arange(1000) % 3).astype(np.uint8))

    def order() -> list[list[int]]:
        taken = (
            shuffled_batches(split, 3, 32, 0, augmentation=Augmentation(), largest_pixel=255)
            .take(64)
            .as_numpy_iterator()
        )  # two epochs
        return [batch.reshape(-1, 2).view(">u2").ravel().tolist() for batch, _ in taken]

    at_once = order()
    monkeypatch.setattr(arrays, "CHUNK_BYTES", 2 * 70)
    assert order() == at_once
    assert [len(batch) for batch in at_once] == ([32] * 31 + [8]) * 2


def test_every_order_is_equally_likely() -> None:
    split = Split(np.arange(4, dtype=np.uint8).reshape(4, 1, 1), np.zeros(4, np.uint8))
    epochs = 2400
    taken = (
        shuffled_batches(split, 1, 4, 1, augmentation=Augmentation(), largest_pixel=255)
        .take(epochs)
        .as_numpy_iterator()
    )
    counts: dict[tuple[int, ...], int] = {}
    for images, _ in taken:
        order = tuple(images.ravel().tolist())
        counts[order] = counts.get(order, 0) + 1
    assert len(counts) == 24
    expected = epochs / 24
    chi_squared = sum((count - expected) ** 2 / expected for count in counts.values())
    assert chi_squared < 49.7  # the 99.9th percentile with 23 degrees of freedom
