"""Score the trained network of a data set on its test split, which nothing before has read."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import softmax

from stages import parameters
from stages.common import files, layout
from stages.network import layers, model_file
from stages.scoring import gallery, scores
from stages.splits import arrays, batches
from stages.splits.arrays import Split

BATCH = 1000  # fixed: how a sum is split can change its last bit
FLOAT_FORMAT = "%.4g"  # of tables: what is drawn or compared needs no more, and they are kept in git


def predict(model: keras.Model, split: Split) -> NDArray[np.float32]:
    """The probability of each class for each image.

    Args:
        model: whose last layer is a softmax.
        split: images as the model takes them, shape (n, height, width) or (n, height, width, channels).

    Returns:
        Probabilities, shape (n, classes), each row summing to 1.

    Raises:
        UserError: if the model has another last layer.
    """
    images = batches.in_order(split, model.output_shape[-1], BATCH)
    logits = layers.logits(model).predict(images, verbose=0)
    # NumPy's float64 exp, too, has a last bit that depends on the processor; rounding to float32 removes it.
    probabilities: NDArray[np.float32] = softmax(logits.astype(np.float64), axis=1).astype(np.float32)
    return probabilities


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV."""
    files.write_text(path, table.to_csv(index=False, lineterminator="\n", float_format=FLOAT_FORMAT))


def save_mistakes(path: Path, images: NDArray[Any], predictions: pd.DataFrame) -> None:
    """Draw the wrongly classified images with the highest confidence, the most confident first.

    Each has its number in the split, from 0, its class, and what it was taken for, with which probability.

    Args:
        path: of the PNG file.
        images: as `gallery.save` takes them.
        predictions: n rows, as `scores.prediction_table` gives them.
    """
    wrong = predictions[predictions["actual"] != predictions["predicted"]]
    chosen = wrong.sort_values("probability", ascending=False, kind="stable").head(gallery.LARGEST)
    captions = [
        f"#{row.Index} {row.actual}\ntaken for\n{row.predicted} {row.probability:.1%}"
        for row in chosen.itertuples()
    ]
    title = f"The most confident of {len(wrong):,} mistakes in {len(images):,} images"
    gallery.save(path, title, images[chosen.index], captions)


def main(dataset: str) -> None:
    """Read the model and the test arrays, and write the metrics, the predictions and the plots of them."""
    settings = parameters.load()
    classes, bins = settings.dataset(dataset).classes, settings.evaluation.calibration_bins
    test = arrays.read(layout.processed(dataset, "test"))
    images, labels = test
    probabilities = predict(model_file.load(layout.model(dataset)), test)
    predictions, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)

    metrics = scores.rounded(scores.score(labels, probabilities, bins))
    files.write_text(layout.metrics(dataset), json.dumps(metrics, indent=2) + "\n")
    table = scores.prediction_table(labels, probabilities, classes)
    write_table(layout.predictions(dataset), table)
    write_table(layout.confusion(dataset), scores.confusion_table(labels, predictions, classes))
    write_table(layout.classes(dataset), scores.class_table(labels, predictions, classes))
    write_table(
        layout.reliability(dataset), scores.reliability_table(predictions == labels, confidence, bins)
    )
    save_mistakes(layout.mistakes(dataset), images, table)
    print(f"{layout.metrics(dataset)}: {json.dumps(metrics)}")
