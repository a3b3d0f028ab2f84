"""Sections of params.yaml and tools.yaml that a test has added, and what becomes of them."""

import contextlib
import shutil
from pathlib import Path

import numpy as np
from helpers import ROOT, Project
from PIL import Image
from ruamel.yaml import YAML

from stages import fetch, preprocess
from stages.common import layout

FILES = ("params.yaml", "tools.yaml")


def copy_both(folder: Path) -> Project:
    """A new folder with nothing but params.yaml and tools.yaml."""
    folder.mkdir()
    for name in FILES:
        shutil.copy(ROOT / name, folder)
    return Project(folder)


def read_both(project: Project) -> dict[str, str]:
    return {name: (project.folder / name).read_bytes().decode() for name in FILES}


def read_section(project: Project, name: str = "pets") -> dict:
    return YAML(typ="safe").load(project.folder / "params.yaml")["datasets"][name]


def count_images(project: Project, name: str = "pets") -> dict[str, int]:
    """Run fetch and preprocess, and return the number of images of each split."""
    with contextlib.chdir(project.folder):
        fetch.main(name)
        preprocess.main(name)
        return {split: len(np.load(layout.processed(name, split) / "labels.npy")) for split in layout.SPLITS}


def save_pictures(
    folder: Path, count: int = 6, size: tuple[int, int] = (16, 16), suffix: str = "png"
) -> None:
    """Save pictures of random colours, other ones in each folder."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(list(str(folder).encode()))
    for number in range(count):
        pixels = random.integers(0, 256, (*size, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:03}.{suffix}")
