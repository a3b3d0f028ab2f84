"""The stage evaluate: scores of the trained network on the validation split and on the test split.

No other stage chooses or learns from the test split.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import softmax
from scipy.stats import binomtest

from stages.common import layout
from stages.common.backend import keras
from stages.common.files import write_text
from stages.common.params_file import read_dataset, read_shared
from stages.network import layers, model_file
from stages.scoring import gallery, scores
from stages.scoring.schema import EvaluateParameters, Evaluation
from stages.splits import arrays, batches
from stages.splits.arrays import Split

LARGEST_P_VALUE = 0.05  # of a network that is told from guessing
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
    images = batches.ordered_batches(split, model.output_shape[-1], batches.SCORING_BATCH_SIZE)
    logits = layers.build_logits_model(model, portable=True).predict(images, verbose=0)
    # The last bit of NumPy's float64 exp depends on the processor; rounding to float32 removes it.
    probabilities: NDArray[np.float32] = softmax(logits.astype(np.float64), axis=1).astype(np.float32)
    return probabilities


def format_table(table: pd.DataFrame) -> str:
    """Return a table as CSV."""
    return table.to_csv(index=False, lineterminator="\n", float_format=FLOAT_FORMAT)


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV."""
    write_text(path, format_table(table))


def write_plots(name: str, split: Split, table: pd.DataFrame, classes: Sequence[str], bins: int) -> None:
    """Write the plots of a split's predictions.

    Args:
        name: the key of the data set.
        split: images and labels.
        table: the predictions of the split, as `scores.prediction_table` returns them.
        classes: the names of the classes, in the order of the labels.
        bins: the number of bins of the reliability diagram.
    """
    predictions = pd.Index(classes).get_indexer(pd.Index(table["predicted"]))
    correct, confidence = predictions == split.labels, table["probability"].to_numpy()
    write_table(layout.confusion(name), scores.confusion_table(split.labels, predictions, classes))
    write_table(layout.classes(name), scores.class_table(split.labels, predictions, classes))
    write_table(layout.reliability(name), scores.reliability_table(correct, confidence, bins))
    gallery.draw_mistakes(layout.mistakes(name), split.images, table)


def warn_of_guesses(name: str, labels: NDArray[Any], predictions: NDArray[np.int64]) -> None:
    """Print a warning unless a network is right more often than whoever always names the commonest class.

    Args:
        name: the key of the data set.
        labels: of the validation images, shape (n,).
        predictions: shape (n,).
    """
    right, images = int((predictions == labels).sum()), len(labels)
    share = float(np.bincount(labels).max() / images)
    if binomtest(right, images, share, alternative="greater").pvalue > LARGEST_P_VALUE:
        print(
            f"warning: {name}: {right:,} of {images:,} validation images are right, which cannot be told "
            f"from guessing (always the commonest class: {share:.1%}); look at the learning curves, "
            "training.learning_rate and the labels",
            file=sys.stderr,
        )


def main(name: str) -> None:
    """Write the metrics and predictions of both splits, and the plots of the test split."""
    classes = read_dataset(EvaluateParameters, name).classes
    bins = read_shared(Evaluation, "evaluation").calibration_bins
    model = model_file.load(layout.model(name))
    metrics = {}
    for split_name in layout.SCORED_SPLITS:
        split = arrays.read(layout.processed(name, split_name))
        probabilities = predict(model, split)
        metrics[split_name] = scores.round_metrics(scores.compute_metrics(split.labels, probabilities, bins))
        table = scores.prediction_table(split.labels, probabilities, classes)
        write_table(layout.predictions(name, split_name), table)
        if split_name == "validation":
            warn_of_guesses(name, split.labels, probabilities.argmax(axis=1))
        if split_name == "test":
            write_plots(name, split, table, classes, bins)
    write_text(layout.metrics(name), json.dumps(metrics, indent=2) + "\n")
    for split_name, values in metrics.items():
        print(f"{layout.metrics(name)}: {split_name}: {json.dumps(values)}")
