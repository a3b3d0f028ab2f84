"""MNIST and Fashion-MNIST themselves, where they are at hand: `data/raw` or DATASETS_MIRROR has them.

CI fetches them first. Elsewhere these tests are skipped until the data have been fetched once.
"""

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from helpers import ROOT

from stages import parameters
from stages.common import layout
from stages.fetch import fetch
from stages.sources import idx

DATASETS = ("mnist", "fashion_mnist")

# The first ten labels of each test set, as anybody can look them up.
FIRST_LABELS = {
    "mnist": [7, 2, 1, 0, 4, 1, 4, 9, 5, 9],
    "fashion_mnist": [9, 2, 1, 1, 6, 1, 4, 6, 5, 7],
}


def find_mirror() -> str | None:
    """The mirror to use: the one that is set, or the raw files of this folder, which serve as one."""
    if named := os.environ.get("DATASETS_MIRROR"):
        return str(Path(ROOT, named)) if "://" not in named else named
    here = ROOT / "data/raw"
    return str(here) if all((here / name / layout.TEST_LABELS).exists() for name in DATASETS) else None


MIRROR = find_mirror()

pytestmark = pytest.mark.skipif(
    MIRROR is None, reason="no real data: run `dvc repro fetch` once, or set DATASETS_MIRROR"
)


@pytest.fixture(scope="module", params=DATASETS)
def dataset(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def raw(dataset: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("raw") / dataset
    settings = parameters.load(ROOT / "params.yaml").dataset(dataset)
    fetch(settings.source, settings.files, folder, f"{MIRROR}/{dataset}")
    return folder


def test_the_files_have_the_pinned_hashes(dataset: str, raw: Path) -> None:
    files = parameters.load(ROOT / "params.yaml").dataset(dataset).files.items_by_file()
    found = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in raw.iterdir()}
    assert found == {name: file.sha256 for name, file in files.items()}


def test_the_images_have_the_published_shapes(raw: Path) -> None:
    assert idx.read(raw / layout.TRAIN_IMAGES).shape == (60_000, 28, 28)
    assert idx.read(raw / layout.TEST_IMAGES).shape == (10_000, 28, 28)
    assert idx.read(raw / layout.TRAIN_IMAGES).max() == 255


def test_the_labels_are_the_published_ones(dataset: str, raw: Path) -> None:
    labels = idx.read(raw / layout.TEST_LABELS)
    assert labels[:10].tolist() == FIRST_LABELS[dataset]
    balance = np.bincount(labels)
    if dataset == "mnist":
        assert balance.tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
        first, most = 5923, 6742
    else:
        assert balance.tolist() == [1000] * 10
        first, most = 6000, 6000
    balance = np.bincount(idx.read(raw / layout.TRAIN_LABELS))
    assert (balance[0], balance.max(), balance.sum()) == (first, most, 60_000)
