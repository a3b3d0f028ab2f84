"""Predict the classes of images: python -m tools.predict DATASET FILE...

A FILE is a picture (PNG, JPEG and others) of any size, or an IDX or .npy file with one image or many. A
picture is inverted if its background is light and the background of the training images is dark, or the other
way round; the output says so. So numbers may be written in ink on paper. Crop pictures as the images of the
data set are cropped.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from stages import parameters
from stages.common import command, layout
from stages.common.errors import UserError
from tools.common import settings
from tools.predict import images
from tools.predict.images import ImageFormat


def predict(dataset: str, paths: list[Path], background: str | None) -> Iterator[dict[str, Any]]:
    """Yield a prediction for each image of each file.

    Args:
        dataset: the key of the data set whose network predicts.
        paths: the files.
        background: the background of all files, `dark` or `light`; None to judge each picture by its edges.

    Yields:
        A mapping with `file`, `image` (the number of the image in the file; None for a single image),
        `class`, `probability` (of that class), `background` and `inverted`.

    Raises:
        UserError: if there is no network, or a file has no images.
    """
    # TensorFlow takes seconds to import; mistakes in the arguments are reported before.
    from stages import evaluate  # noqa: PLC0415
    from stages.network import model_file  # noqa: PLC0415
    from stages.splits.arrays import Split  # noqa: PLC0415

    section = parameters.load().dataset(dataset)
    model = model_file.load(layout.model(dataset))
    if (outputs := model.output_shape[-1]) != len(section.classes):
        raise UserError(
            f"{layout.model(dataset)}: expected {len(section.classes)} classes, as in params.yaml, found "
            f"{outputs}; run: dvc repro train@{dataset}"
        )
    image_format = ImageFormat(
        model.input_shape[1:],
        np.dtype(model.inputs[0].dtype),
        section.largest_pixel,
        settings.load().dataset(dataset).about.background,
    )
    files = [images.read(path, image_format, background) for path in paths]
    pixels = np.concatenate([file.pixels for file in files])
    probabilities = evaluate.predict(model, Split(pixels, np.zeros(len(pixels), np.uint8)))
    rows = iter(probabilities)
    for file in files:
        for number in range(len(file.pixels)):
            row = next(rows)
            yield {
                "file": str(file.path),
                "image": number if len(file.pixels) > 1 else None,
                "class": section.classes[row.argmax()],
                "probability": round(float(row.max()), 6),
                "background": file.background,
                "inverted": file.inverted,
            }


def format_line(prediction: dict[str, Any]) -> str:
    """Return a prediction as a line of text."""
    number = "" if prediction["image"] is None else f" #{prediction['image']}"
    background = f", on {prediction['background']}" if prediction["background"] else ""
    inverted = ", inverted" if prediction["inverted"] else ""
    details = f"{prediction['probability']:.1%}{background}{inverted}"
    return f"{prediction['file']}{number}: {prediction['class']} ({details})"


def main(dataset: str, paths: list[Path], background: str | None, *, as_json: bool) -> None:
    """Print the predictions."""
    parameters.load().dataset(dataset)
    for path in paths:
        if not path.is_file():
            raise UserError(f"{path}: expected a file of images, found none; check its name")
    predictions = list(predict(dataset, paths, background))
    if as_json:
        print(json.dumps(predictions, indent=2, ensure_ascii=False))
    else:
        print("\n".join(map(format_line, predictions)))


if __name__ == "__main__":
    parser = command.Parser(prog="python -m tools.predict", description=__doc__)
    parser.add_argument(
        "dataset", help="a key under `datasets:` in params.yaml: the data set whose network predicts"
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a file with images")
    parser.add_argument(
        "--background",
        choices=("dark", "light"),
        help="the background of all files; by default, each picture is judged by its edges",
    )
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
    arguments = parser.parse_args()
    command.finish(
        lambda: main(arguments.dataset, arguments.files, arguments.background, as_json=arguments.json)
    )
