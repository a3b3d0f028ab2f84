"""What `make new` and `dvc repro` reach without an edit, on pictures as people bring them."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers import Project
from PIL import Image, ImageDraw
from sklearn.datasets import load_sample_images

SIDE = 40
SHAPES = ("circle", "square", "triangle")
Draw = Callable[[np.random.Generator, str], Image.Image]


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
@pytest.mark.parametrize(
    ("classes", "draw", "training", "test"),
    [(SHAPES, draw_shape, 20, 40), (("china", "flower"), cut_out, 120, 60)],
    ids=["shapes", "photographs"],
)
def test_pictures_reach_nine_in_ten_as_they_are_added(
    project: Project, tmp_path: Path, classes: tuple[str, ...], draw: Draw, training: int, test: int
) -> None:
    random = np.random.default_rng(0)
    for part, count in (("train", training), ("test", test)):
        for name in classes:
            folder = tmp_path / "pictures" / part / name
            folder.mkdir(parents=True)
            for number in range(count):
                draw(random, name).save(folder / f"{number:03}.png")
    make = ("make", "-o", ".venv/installed")
    project.run(*make, "new", "NAME=pictures", f"FROM={tmp_path / 'pictures'}")
    project.run("dvc", "repro", "evaluate@pictures")
    metrics = json.loads((project.folder / "metrics/pictures.json").read_text())
    print(f"{', '.join(classes)}: test accuracy {metrics['test']['accuracy']:.3f}")
    assert metrics["test"]["accuracy"] >= 0.9


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_photographs_of_a_phone_become_a_reviewed_result_by_three_commands(
    project: Project, tmp_path: Path
) -> None:
    """Several sizes, portrait and landscape, one turned by EXIF; no edit in between."""
    random = np.random.default_rng(0)
    for name in ("china", "flower"):
        folder = tmp_path / "phone" / name
        folder.mkdir(parents=True)
        for number in range(30):
            picture = cut_out(random, name).resize([(48, 36), (36, 48), (60, 45)][number % 3])
            exif = picture.getexif()
            exif[0x0112] = 6 if number % 5 == 0 else 1
            picture.save(folder / f"IMG_{number}.jpg", exif=exif)
    make = ("make", "-o", ".venv/installed")
    done = project.run(*make, "new", "NAME=phone", f"FROM={tmp_path / 'phone'}")
    assert "no test pictures there: 12 of 60 were drawn" in done.stdout
    project.run("dvc", "repro", "evaluate@phone")
    done = project.run(*make, "review", "BASE=HEAD")
    assert "phone" in done.stdout
    report = (project.folder / "review/report.md").read_text()
    assert "**phone**: no predictions for validation images at HEAD" in report
    assert (project.folder / "review/report.html").exists()
