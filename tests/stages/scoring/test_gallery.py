"""Pictures of images: the same bytes wherever they are drawn, and the right images in them."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from helpers import ROOT
from PIL import Image

from stages.scoring import gallery

DRAW = """
import sys
from pathlib import Path
import numpy as np
from stages.scoring import gallery
images = np.arange(3 * 8 * 8, dtype=np.uint8).reshape(3, 8, 8)
gallery.draw_gallery(Path(sys.argv[1]), "Title $5", images, ["#1 Shirt", "#2 $x_1$", "#3 Größe\\ntwo lines"])
"""


def test_the_same_bytes_whatever_matplotlibrc_and_locale(tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_text("font.size: 30\nfigure.dpi: 33\nsavefig.facecolor: red\n")
    drawn = []
    for name, variables in (
        ("one", {"PYTHONHASHSEED": "1", "LC_ALL": "C"}),
        (
            "two",
            {"PYTHONHASHSEED": "2", "LC_ALL": "C.UTF-8", "TZ": "Asia/Tokyo", "MATPLOTLIBRC": str(tmp_path)},
        ),
    ):
        path = tmp_path / f"{name}.png"
        subprocess.run(
            [sys.executable, "-W", "error", "-c", DRAW, str(path)], cwd=ROOT, env=variables, check=True
        )
        drawn.append(path.read_bytes())
    assert drawn[0] == drawn[1]
    assert b"Matplotlib" not in drawn[0]


def test_the_most_confident_mistakes_come_first(tmp_path: Path) -> None:
    # Image n is n times 20 bright, so that its brightness tells which it is.
    images = np.stack([np.full((4, 4), 20 * number, np.uint8) for number in range(5)])
    images[:, 0, 0] = 255  # of each, so that they are drawn on the same scale
    images[:, 0, 1] = 0
    predictions = pd.DataFrame({
        "actual": ["a", "a", "b", "b", "a"],
        "predicted": ["a", "b", "a", "b", "b"],
        "probability": [0.9, 0.6, 0.8, 0.9, 0.7],
        "probability_of_actual": [0.9, 0.4, 0.2, 0.9, 0.3],
    })  # fmt: skip
    gallery.draw_mistakes(tmp_path / "mistakes.png", images, predictions)
    with Image.open(tmp_path / "mistakes.png") as opened:
        picture = np.asarray(opened)
    width = picture.shape[1] // gallery.COLUMNS
    shown = []
    for column in range(gallery.COLUMNS):
        panel = picture[picture.shape[0] // 2 :, column * width : (column + 1) * width]
        values, counts = np.unique(panel[(panel > 0) & (panel < 255)], return_counts=True)
        shown.append(round((255 - int(values[counts.argmax()])) / 20) if values.size else None)
    assert shown == [2, 4, 1, None, None, None, None, None]


def test_no_mistakes_are_a_picture_too(tmp_path: Path) -> None:
    columns = ["actual", "predicted", "probability", "probability_of_actual"]
    perfect = pd.DataFrame([["a", "a", 1.0, 1.0]], columns=columns)
    gallery.draw_mistakes(tmp_path / "mistakes.png", np.zeros((1, 4, 4), np.uint8), perfect)
    with Image.open(tmp_path / "mistakes.png") as picture:
        assert picture.getextrema() == (0, 255)  # the title, on white
