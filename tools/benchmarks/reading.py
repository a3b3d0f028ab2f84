"""Measure how well a network reads drawings of numerals: python -m tools.benchmarks.reading DATASET.

The pictures are drawn by `drawings`, of the classes `0` to `9`; the framing of the data set is in tools.yaml.
"""

import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from stages import parameters
from stages.common import command, layout
from stages.common.errors import UserError
from tools.benchmarks import drawings, writing
from tools.common import markdown, settings
from tools.predict import images, prediction

PICTURES = 1000
SEED = 0
CHUNK = 20  # pictures that a process takes at a time
ROTATIONS = {"upright": 0.0, "turned by up to 15 degrees": 15.0}
KINDS: tuple[drawings.Kind, ...] = ("plain", "phone")


def _save(number: int, folder: Path, kind: drawings.Kind, rotation: float, fonts: dict[str, Path]) -> Path:
    """Draw the picture of a number, whose last digit it shows, and return its file."""
    random = np.random.default_rng([SEED, number, KINDS.index(kind), round(rotation)])
    path = folder / f"{number:05}.png"
    drawings.draw_picture(str(number % 10), kind, rotation, fonts, random).save(path)
    return path


def main(name: str, count: int) -> None:
    """Print a table: of each kind of picture, how many are read rightly, framed and only stretched.

    The last column has how many of the framed ones are told to be unlike the training images.
    """
    classes = parameters.load().dataset(name).classes
    framing = settings.load().dataset(name).about.framing
    if set(classes) != set(writing.WRITING) or framing is None:
        raise UserError(
            f"{name}: expected a data set of the classes 0 to 9 with about.framing in {settings.FILE}, found "
            "another; name one of numerals"
        )
    network = prediction.load(name)
    formats = (network.image_format._replace(framing=None), network.image_format)
    fonts, rows = drawings.find_fonts(), []
    for kind, (turned, rotation) in product(KINDS, ROTATIONS.items()):
        # Processes that share nothing with this one, in which TensorFlow has threads.
        with (
            tempfile.TemporaryDirectory() as folder,
            ProcessPoolExecutor(mp_context=get_context("spawn")) as pool,
        ):
            save = partial(_save, folder=Path(folder), kind=kind, rotation=rotation, fonts=fonts)
            paths = list(pool.map(save, range(count), chunksize=CHUNK))
            files = [
                file
                for image_format in formats
                for file in pool.map(partial(images.read, image_format=image_format), paths, chunksize=CHUNK)
            ]
        predictions = list(network.predict(files))
        named = [found.likeliest[0][0] if found.likeliest else None for found in predictions]
        right = [name == str(number % count % 10) for number, name in enumerate(named)]
        stretched, framed = (sum(right[start : start + count]) / count for start in (0, count))
        unlike = sum(found.is_unlike for found in predictions[count:]) / count
        rows.append([kind, turned, f"{stretched:.1%}", f"{framed:.1%}", f"{unlike:.1%}"])
    print(f"{layout.model(name)}: {count:,} pictures of each kind\n")
    print(markdown.table(["pictures", "numerals", "stretched", "framed", "unlike"], rows))


if __name__ == "__main__":
    parser = command.Parser(prog="python -m tools.benchmarks.reading", description=__doc__)
    parser.add_argument("dataset", help="a data set of numerals, by its key in params.yaml")
    parser.add_argument("--pictures", type=int, default=PICTURES, help="of each kind")
    arguments = parser.parse_args()
    command.finish(lambda: main(arguments.dataset, arguments.pictures))
