"""Say what images show: python -m tools.predict DATASET FILE...

A FILE is a picture (PNG, JPEG and others) of any size, or an IDX or .npy file with many images. A picture
whose background is light where that of the training images is dark, or the other way round, is inverted, and
said to be; so a digit may be written in ink. Cut pictures out as those of the data set are.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from stages import parameters
from stages.common import command, layout
from stages.common.errors import UserError
from tools.predict import images
from tools.predict.images import Form, Images


def predictions(dataset: str, paths: list[Path], background: str | None) -> Iterator[dict[str, Any]]:
    """For each image of each file: the file, its number in that, its class, and how sure that is.

    Args:
        dataset: whose network is asked.
        paths: of the files.
        background: of all of them, where the caller knows; otherwise each picture is looked at.

    Raises:
        UserError: if there is no network, or a file has no images.
    """
    from stages import evaluate  # noqa: PLC0415 - TensorFlow takes seconds: mistakes come first
    from stages.network import model_file  # noqa: PLC0415 - TensorFlow takes seconds: mistakes come first
    from stages.splits.arrays import Split  # noqa: PLC0415

    settings = parameters.load().dataset(dataset)
    model = model_file.load(layout.model(dataset))
    if (outputs := model.output_shape[-1]) != len(settings.classes):
        raise UserError(
            f"{layout.model(dataset)}: expected {len(settings.classes)} classes, as in params.yaml, found "
            f"{outputs}; run: dvc repro train@{dataset}"
        )
    form = Form(
        model.input_shape[1:],
        np.dtype(model.inputs[0].dtype),
        settings.largest_pixel,
        settings.about.background,
    )
    files = [images.read(path, form, background) for path in paths]
    pixels = np.concatenate([file.pixels for file in files])
    probabilities = evaluate.predict(model, Split(pixels, np.zeros(len(pixels), np.uint8)))
    rows = iter(probabilities)
    for file in files:
        for number in range(len(file.pixels)):
            row = next(rows)
            yield {
                "file": str(file.path),
                "image": number if len(file.pixels) > 1 else None,
                "class": settings.classes[row.argmax()],
                "probability": round(float(row.max()), 6),
                **_said_of(file),
            }


def _said_of(file: Images) -> dict[str, Any]:
    return {"background": file.background, "inverted": file.inverted}


def line(found: dict[str, Any]) -> str:
    """One prediction for people."""
    number = "" if found["image"] is None else f" #{found['image']}"
    background = f", on {found['background']}" if found["background"] else ""
    inverted = ", inverted" if found["inverted"] else ""
    return f"{found['file']}{number}: {found['class']} ({found['probability']:.1%}{background}{inverted})"


def main(dataset: str, paths: list[Path], background: str | None, *, as_json: bool) -> None:
    """Print the predictions."""
    parameters.load().dataset(dataset)
    for path in paths:
        if not path.is_file():
            raise UserError(f"{path}: expected a file of images, found none; check its name")
    found = list(predictions(dataset, paths, background))
    print(json.dumps(found, indent=2, ensure_ascii=False) if as_json else "\n".join(map(line, found)))


if __name__ == "__main__":
    parser = command.Parser(prog="python -m tools.predict", description=__doc__)
    parser.add_argument("dataset", help="a key under `datasets:` in params.yaml, whose network is asked")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument(
        "--background",
        choices=("dark", "light"),
        help="of all the files, instead of looking at the edges of each picture",
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    given = parser.parse_args()
    command.finish(lambda: main(given.dataset, given.files, given.background, as_json=given.json))
