"""Predict the classes of images: python -m tools.predict DATASET FILE...

A FILE is a picture (PNG, JPEG and others) of any size, or an IDX or .npy file with one image or many. If
tools.yaml has the framing of the data set, as of handwriting, the ink on a picture is found and framed
like theirs. Otherwise crop pictures as the images of the data set are cropped. A picture is inverted if its
background is light and that of the training images is dark, or the other way round. The output says so.
"""

import json
import re
import shlex
import sys
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from stages import parameters
from stages.common import command
from stages.common.errors import UserError
from stages.common.wording import join_names
from tools.common.text import make_printable
from tools.predict import images, prediction, show
from tools.predict.ink import Background
from tools.predict.prediction import Prediction

ADDRESS = re.compile(r"[a-z0-9+]{2,}:/", re.IGNORECASE)  # of https://host/file, as a path has it


def describe(found: Prediction) -> dict[str, Any]:
    """Return a prediction as JSON has it; the class is null for a picture on which there is nothing."""
    file, likeliest = found.file, found.likeliest
    name, probability = likeliest[0] if likeliest else (None, None)
    return {
        "file": str(file.path),
        "image": found.number,
        "class": name,
        "probability": probability,
        "likeliest": [{"class": name, "probability": probability} for name, probability in likeliest],
        "background": file.background,
        "inverted": file.inverted,
        "framed": file.framed,
        "unlike_training_images": found.is_unlike,
        "warning": file.warning,
    }


def format_line(found: Prediction) -> str:
    """Return a prediction as a line of text."""
    file = found.file
    name = make_printable(f"{file.path}")
    place = name if found.number is None else f"{name} #{found.number}"
    if not found.likeliest:
        return f"{place}: nothing, since there is no ink on it"
    classes = ", ".join(f"{name} ({probability:.1%})" for name, probability in found.likeliest)
    notes = {
        f"on {file.background}": file.background is not None,
        "inverted": file.inverted,
        "framed": file.framed,
        "unlike the training images": found.is_unlike,
    }
    shown = ", ".join(note for note, holds in notes.items() if holds)
    return f"{place}: {classes}" + (f"; {shown}" if shown else "")


def list_warnings(predictions: Sequence[Prediction]) -> list[str]:
    """Return what the user has to know of each file before trusting its classes."""
    warnings = []
    for _, of_file in groupby(predictions, key=lambda found: id(found.file)):
        found = list(of_file)
        file = found[0].file
        if file.warning is not None:
            warnings.append(file.warning)
            continue  # which says why the images may be unlike those of training
        unlike = [image for image in found if image.is_unlike]
        if len(found) == 1 and unlike and unlike[0].likeliest:
            warnings.append(f"{file.path}: unlike the training images, so its class says little")
        elif len(found) > 1 and unlike:
            warnings.append(
                f"{file.path}: {len(unlike):,} of {len(found):,} images are unlike the training images, the "
                f"first #{unlike[0].number}, so their classes say little"
            )
    return warnings


def main(
    dataset: str, paths: list[Path], background: Background | None, *, as_json: bool, shown: Path | None
) -> None:
    """Print the predictions of all files that can be read.

    Args:
        dataset: the key of the data set whose network predicts.
        paths: the files.
        background: the background of all files; None to judge each picture.
        as_json: whether to print JSON.
        shown: gets a picture of what the network saw; None for no picture.

    Raises:
        UserError: naming the files that cannot be read, after the predictions of the others.
    """
    parameters.load().dataset(dataset)
    if shown is not None and (shown.suffix.lower() != ".png" or shown.is_dir()):
        raise UserError(
            f"--show: expected the name of a PNG file, such as seen.png, found {shown}; rename it"
        )
    network = prediction.load(dataset)
    files, problems = [], []
    for path in paths:
        try:
            _expect_file(path)
            files.append(images.read(path, network.image_format, background))
        except UserError as error:
            problems.append(str(error))
    if not files:
        raise UserError(join_names(problems, separator="; "))
    predictions = list(network.predict(files))
    for warning in list_warnings(predictions):
        print(f"warning: {make_printable(warning)}", file=sys.stderr)
    if as_json:
        is_utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
        print(json.dumps([*map(describe, predictions)], indent=2, ensure_ascii=not is_utf8))
    else:
        print("\n".join(map(format_line, predictions)))
    if shown is not None:
        show.draw(shown, predictions, network.image_format.largest_pixel)
    if problems:
        raise UserError(join_names(problems, separator="; "))


def _expect_file(path: Path) -> None:
    if ADDRESS.match(str(path)):
        raise UserError(f"{path}: expected a file of images, found an address; download what it leads to")
    if path.is_dir():
        files = f"{shlex.quote(str(path))}/*"
        raise UserError(f"{path}: expected a file of images, found a folder; name its files, {files}")
    if not path.is_file():
        raise UserError(f"{path}: expected a file of images, found none; check its name")


if __name__ == "__main__":
    parser = command.Parser(prog="python -m tools.predict", description=__doc__)
    parser.add_argument(
        "dataset", help="a key under `datasets:` in params.yaml: the data set whose network predicts"
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a file with images")
    parser.add_argument(
        "--background",
        choices=("dark", "light"),
        help="the background of all files; by default, each picture is judged by itself",
    )
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
    parser.add_argument(
        "--show", type=Path, metavar="PNG", help="draw each picture beside what the network saw of it"
    )
    arguments = parser.parse_args()
    command.finish(
        lambda: main(
            arguments.dataset,
            arguments.files,
            arguments.background,
            as_json=arguments.json,
            shown=arguments.show,
        )
    )
