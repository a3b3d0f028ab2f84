"""Accuracy from `make new` and `dvc repro` alone, without an edit, on pictures as people bring them."""

import json
from pathlib import Path

import numpy as np
import pytest
from helpers import Project
from PIL import Image, ImageDraw
from sklearn.datasets import load_sample_images

SIDE = 40
MAKE = ("make", "-o", ".venv/installed")
SHAPES = ("circle", "square", "triangle")


def draw_shape(random: np.random.Generator, name: str) -> Image.Image:
    """Draw a shape of any colour, size and place on a light ground of any colour."""
    ground = tuple(int(value) for value in random.integers(150, 256, 3))
    picture = Image.new("RGB", (SIDE, SIDE), ground)
    colour = ground
    while sum(abs(one - other) for one, other in zip(colour, ground, strict=True)) < 150:
        colour = tuple(int(value) for value in random.integers(0, 256, 3))
    half = int(random.integers(8, 15))
    x, y = (int(value) for value in random.integers(half, SIDE - half, 2))
    box = (x - half, y - half, x + half, y + half)
    drawing = ImageDraw.Draw(picture)
    if name == "circle":
        drawing.ellipse(box, fill=colour)
    elif name == "square":
        drawing.rectangle(box, fill=colour)
    else:
        drawing.polygon([(x, y - half), (x - half, y + half), (x + half, y + half)], fill=colour)
    return picture


def cut_out(random: np.random.Generator, name: str) -> Image.Image:
    """Cut a picture of 64 x 48 pixels out of one of scikit-learn's two photographs."""
    photograph = Image.fromarray(load_sample_images().images[("china", "flower").index(name)])
    x, y = (int(value) for value in random.integers(0, (photograph.width - 64, photograph.height - 48)))
    return photograph.crop((x, y, x + 64, y + 48))


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_drawn_shapes_reach_nine_in_ten_as_they_are_added(project: Project, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for part, count in (("train", 20), ("test", 40)):
        for name in SHAPES:
            folder = tmp_path / "shapes" / part / name
            folder.mkdir(parents=True)
            for number in range(count):
                draw_shape(random, name).save(folder / f"{number:03}.png")
    project.run(*MAKE, "new", "NAME=shapes", f"FROM={tmp_path / 'shapes'}")
    project.run("dvc", "repro", "evaluate@shapes")
    assert read_accuracy(project, "shapes") >= 0.9


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_photographs_of_a_phone_become_a_reviewed_result_by_three_commands(
    project: Project, tmp_path: Path
) -> None:
    """Two sizes, portrait and landscape, some turned by EXIF; no edit in between."""
    random = np.random.default_rng(0)
    for name in ("china", "flower"):
        folder = tmp_path / "phone" / name
        folder.mkdir(parents=True)
        for number in range(150):
            picture = cut_out(random, name)
            exif = picture.getexif()
            exif[0x0112] = 6 if number % 5 == 0 else 1
            picture.resize([(40, 30), (30, 40)][number % 2]).save(folder / f"IMG_{number}.jpg", exif=exif)
    done = project.run(*MAKE, "new", "NAME=phone", f"FROM={tmp_path / 'phone'}")
    assert "no test pictures there: 60 of 300 were drawn" in done.stdout
    project.run("dvc", "repro", "evaluate@phone")
    project.run(*MAKE, "review", "BASE=HEAD")
    report = (project.folder / "review/report.md").read_text()
    assert "**phone**: no predictions for validation images at HEAD" in report
    assert (project.folder / "review/report.html").exists()
    assert read_accuracy(project, "phone") >= 0.9


def read_accuracy(project: Project, name: str) -> float:
    metrics = json.loads((project.folder / f"metrics/{name}.json").read_text())
    accuracy: float = metrics["test"]["accuracy"]
    print(f"{name}: test accuracy {accuracy:.3f}")
    return accuracy
