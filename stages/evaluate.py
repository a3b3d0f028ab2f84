"""The stage evaluate: scores of the trained network on the test split, which no other stage reads."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import softmax

from stages.common import layout
from stages.common.backend import keras
from stages.common.files import write_text
from stages.common.params_file import read_dataset, read_shared
from stages.network import layers, model_file
from stages.scoring import gallery, scores
from stages.scoring.schema import EvaluateParameters, Evaluation
from stages.splits import arrays, batches
from stages.splits.arrays import Split

BATCH = 1000  # fixed: the cut of a sum into batches can change its last bit
FLOAT_FORMAT = "%.4g"  # of tables, which git keeps: drawing and comparing need no more


def predict(model: keras.Model, split: Split) -> NDArray[np.float32]:
    """Compute the probability of each class for each image.

    Args:
        model: a network with a softmax as its last layer.
        split: images as the model takes them, shape (n, height, width) or (n, height, width, channels).

    Returns:
        Probabilities, shape (n, classes), each row summing to 1.

    Raises:
        UserError: if the model has another last layer.
    """
    images = batches.ordered_batches(split, model.output_shape[-1], BATCH)
    logits = layers.build_logits_model(model).predict(images, verbose=0)
    # NumPy's float64 exp, too, has a last bit that depends on the processor; rounding to float32 removes it.
    probabilities: NDArray[np.float32] = softmax(logits.astype(np.float64), axis=1).astype(np.float32)
    return probabilities


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV."""
    write_text(path, table.to_csv(index=False, lineterminator="\n", float_format=FLOAT_FORMAT))


def main(dataset: str) -> None:
    """Read the model and the test arrays, and write the metrics, the predictions and the plots of them."""
    classes = read_dataset(EvaluateParameters, dataset).classes
    bins = read_shared(Evaluation, "evaluation").calibration_bins
    test = arrays.read(layout.processed(dataset, "test"))
    images, labels = test
    probabilities = predict(model_file.load(layout.model(dataset)), test)
    predictions, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)

    metrics = scores.round_metrics(scores.compute_metrics(labels, probabilities, bins))
    write_text(layout.metrics(dataset), json.dumps(metrics, indent=2) + "\n")
    table = scores.prediction_table(labels, probabilities, classes)
    write_table(layout.predictions(dataset), table)
    write_table(layout.confusion(dataset), scores.confusion_table(labels, predictions, classes))
    write_table(layout.classes(dataset), scores.class_table(labels, predictions, classes))
    write_table(
        layout.reliability(dataset), scores.reliability_table(predictions == labels, confidence, bins)
    )
    gallery.save_mistakes(layout.mistakes(dataset), images, table)
    print(f"{layout.metrics(dataset)}: {json.dumps(metrics)}")
