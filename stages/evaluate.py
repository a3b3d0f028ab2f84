"""Score the trained network of a data set on its test split, which nothing before has read."""

import json
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from stages import arrays, command, files, layout, parameters, scores
from stages.errors import UserError

BATCH = 1000  # fixed: how a sum is split can change its last bit
DECIMALS = 6


def read_model(path: Path) -> keras.Model:
    """Load a trained network, or raise a UserError if there is none or it is damaged."""
    try:
        return keras.saving.load_model(path)
    except Exception as error:  # noqa: BLE001 - a damaged file makes Keras raise anything
        raise UserError(f"{path}: expected a Keras model, found: {error}; run dvc repro train") from None


def predict(model: keras.Model, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Class probabilities, shape (n, classes), of images, shape (n, height, width)."""
    probabilities: NDArray[np.float32] = model.predict(images, batch_size=BATCH, verbose=0)
    return probabilities


def main(dataset: str) -> None:
    """Read the model and the test arrays, and write the metrics and the confusion matrix."""
    settings = parameters.load()
    classes = settings.dataset(dataset).classes
    test = arrays.read(layout.processed(dataset, "test"))
    probabilities = predict(read_model(layout.model(dataset)), test.images)

    metrics = scores.score(test.labels, probabilities, settings.evaluation.calibration_bins)
    rounded = {name: round(value, DECIMALS) for name, value in metrics.items()}
    files.write_text(layout.metrics(dataset), json.dumps(rounded, indent=2) + "\n")

    confusion = scores.confusion_table(test.labels, probabilities.argmax(axis=1), classes)
    files.write_text(layout.confusion(dataset), confusion.to_csv(index=False, lineterminator="\n"))
    print(f"{layout.metrics(dataset)}: {json.dumps(rounded)}")


if __name__ == "__main__":
    command.run(main)
