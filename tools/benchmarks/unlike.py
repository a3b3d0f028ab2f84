"""Measure how many images are told to be unlike those of training: python -m tools.benchmarks.unlike.

Of each data set, its own images, those of every other data set, noise, and pieces of photographs are judged.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_sample_images

from stages import parameters
from stages.checks import description, likeness
from stages.checks.description import Description
from stages.common import command, layout
from stages.sources import picture_files
from stages.splits import arrays
from tools.common import markdown
from tools.predict import images, prediction

IMAGES = 1000  # of each kind
PICTURES = 200  # that are framed, which takes longer
SEED = 0
UINT8_MAX = 255
SHARE_OF_INK = 0.15  # of the pixels of sparse noise
SMALLEST_PIECE = 60  # pixels of a photograph


def find_unlike(pixels: NDArray[Any], described: Description) -> NDArray[np.bool_]:
    """Return which images, in the format of the data set, are unlike its training images, shape (n,)."""
    features = likeness.extract_features(pixels, described.largest_pixel)
    return likeness.measure_distances(features, described.likeness) > described.likeness.largest_distance


def convert(pixels: NDArray[np.uint8], described: Description) -> NDArray[np.float64]:
    """Stretch images with pixels from 0 to 255 to the format of a data set."""
    shape = tuple(described.shape)
    resized = np.array([picture_files.resize(image, shape) for image in pixels])
    return np.rint(resized * (described.largest_pixel / UINT8_MAX))


def draw_noise(
    shape: tuple[int, ...], random: np.random.Generator
) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Yield kinds of images without any thing on them: the name, and images of the shape, from 0 to 255."""
    size = (IMAGES, *shape)
    yield "noise", random.integers(0, UINT8_MAX + 1, size, np.uint8)
    yield "sparse noise", (UINT8_MAX * (random.random(size) < SHARE_OF_INK)).astype(np.uint8)


def cut_photographs(random: np.random.Generator) -> list[NDArray[np.uint8]]:
    """Return square pieces of scikit-learn's two photographs, in colour."""
    pieces = []
    photographs = load_sample_images().images
    for number in range(IMAGES):
        photograph = photographs[number % len(photographs)]
        side = int(random.integers(SMALLEST_PIECE, min(photograph.shape[:2])))
        top, left = (int(random.integers(length - side)) for length in photograph.shape[:2])
        pieces.append(photograph[top : top + side, left : left + side])
    return pieces


def judge_framed(name: str, random: np.random.Generator) -> str:
    """Return how many pictures of things are told from ink where pictures are framed; else nothing."""
    network = prediction.load(name)
    if network.image_format.framing is None:
        return ""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"{number}.png") for number in range(PICTURES)]
        for path, piece in zip(paths, cut_photographs(random), strict=False):
            Image.fromarray(piece).save(path)
        files = [images.read(path, network.image_format) for path in paths]
    return f"{sum(found.is_unlike for found in network.predict(files)) / PICTURES:.1%}"


def main() -> None:
    """Print a table: a row for each kind of images, and a column for each data set."""
    names = list(parameters.load().datasets)
    described = {name: description.read(layout.description(name)) for name in names}
    tests = {name: arrays.read(layout.processed(name, "test")).images for name in names}
    rows: dict[str, list[str]] = {}

    def add(kind: str, pixels: NDArray[Any], name: str) -> None:
        rows.setdefault(kind, []).append(f"{find_unlike(pixels, described[name]).mean():.1%}")

    for name in names:
        random = np.random.default_rng(SEED)
        add("its own test images", tests[name], name)
        for other in names:
            scale = UINT8_MAX / described[other].largest_pixel
            pixels = np.rint(tests[other][:IMAGES] * scale).astype(np.uint8)
            if other == name:
                rows.setdefault(f"test images of {other}", []).append("")
            else:
                add(f"test images of {other}", convert(pixels, described[name]), name)
        add(
            "pieces of photographs", convert(np.array(cut_photographs(random), object), described[name]), name
        )
        rows.setdefault("pieces of photographs, framed", []).append(judge_framed(name, random))
        for kind, pixels in draw_noise(tuple(described[name].shape), random):
            add(kind, np.rint(pixels * (described[name].largest_pixel / UINT8_MAX)), name)
    print(markdown.number_table(["images", *names], [[kind, *cells] for kind, cells in rows.items()]))


if __name__ == "__main__":
    parser = command.Parser(prog="python -m tools.benchmarks.unlike", description=__doc__)
    parser.parse_args()
    command.finish(main)
