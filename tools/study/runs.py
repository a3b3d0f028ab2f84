"""The execution of one run of a study: its training images, the training and the scores."""

import gc
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.common import layout
from stages.common.backend import keras
from stages.common.errors import UserError
from stages.common.seeds import derive_seed
from stages.evaluate import format_table, predict
from stages.scoring import scores
from stages.splits import arrays
from stages.splits.arrays import Split
from stages.train import train
from tools.study import plan
from tools.study.plan import Run
from tools.study.records import Outcome, Record, Scores


def draw_images(split: Split, images: int, seed: int) -> Split:
    """Draw images of a split at random, from each class in proportion to its size.

    For a given seed, a larger number of images contains every smaller one.

    Args:
        split: to draw from.
        images: their number, at least the number of classes.
        seed: of the random order.
    """
    order = np.random.default_rng(derive_seed(seed, "fewer images")).permutation(len(split.labels))
    labels = split.labels[order]
    rank = pd.Series(labels).groupby(labels).cumcount().to_numpy()  # of an image within its class
    # The share of its class that is drawn before an image. Sorted by this share, images come from all classes
    # evenly, and the first image of every class comes before any second one.
    share = np.where(rank == 0, 0, (rank + 0.5) / np.bincount(labels)[labels])
    rows = np.sort(order[np.argsort(share, kind="stable")[:images]])
    return Split(split.images[rows], split.labels[rows])


def average_over_shifts(model: keras.Model, split: Split, shift: int) -> NDArray[np.float32]:
    """Compute the mean probabilities of each image over all its shifts.

    Args:
        model: the network.
        split: images and labels.
        shift: pixels, the largest shift in each direction.

    Returns:
        Probabilities, shape (n, classes).
    """
    height, width = split.images.shape[1:3]
    margins = [(0, 0), (shift, shift), (shift, shift), *[(0, 0)] * (split.images.ndim - 3)]
    padded = np.pad(split.images, margins)
    offsets = range(2 * shift + 1)
    shifts = [padded[:, down : down + height, right : right + width] for down in offsets for right in offsets]
    # In a single call, since each call of `predict` copies the network.
    probabilities = predict(model, Split(np.concatenate(shifts), np.tile(split.labels, len(shifts))))
    by_shift = probabilities.reshape(len(shifts), len(split.labels), -1)
    means: NDArray[np.float32] = by_shift.mean(axis=0, dtype=np.float64).astype(np.float32)
    return means


def perform_run(run: Run, program: str = plan.PROGRAM) -> Outcome:
    """Train a network in a folder with the code and data of the study, and score it.

    Args:
        run: the run.
        program: of the study, as `plan.PROGRAM`.

    Raises:
        UserError: if the current folder has other code, packages or data, or if the training diverged.
    """
    if program != plan.PROGRAM:
        raise UserError(
            f"{Path.cwd()}: expected the code and packages of the study, found others; git pull, make "
            "install, and start the worker again; or, if you have edited them since, the study"
        )
    if plan.compute_fingerprint(run.name) != run.data:
        raise UserError(
            f"{run}: expected the arrays with which the study began, found others; start the study again"
        )
    training, validation, test = (arrays.read(layout.processed(run.name, split)) for split in layout.SPLITS)
    if run.images is not None:
        training = draw_images(training, run.images, run.dataset.seed)
    keras.backend.clear_session()
    gc.collect()  # the network of the previous run, whose objects refer to each other
    start = time.perf_counter()
    try:
        model, _ = train(run.dataset, training, validation, quiet=True)
    except UserError as error:
        raise UserError(f"{run}: {error}") from None
    seconds = time.perf_counter() - start

    def compute_scores(split: Split, probabilities: NDArray[np.float32]) -> Scores:
        return scores.round_metrics(scores.compute_metrics(split.labels, probabilities, run.bins))

    probabilities = {"validation": predict(model, validation)}
    test_scores: dict[str, Any] = {}
    predictions: dict[str, str] = {}
    if run.scores_test_images:
        probabilities["test"] = predict(model, test)
        test_scores["test"] = compute_scores(test, probabilities["test"])
    if run.scores_shifted_images:
        test_scores["averaged"] = compute_scores(test, average_over_shifts(model, test, run.shift))
        classes = probabilities["test"].argmax(axis=1)
        test_scores["mistakes"] = {
            str(row): int(classes[row]) for row in np.flatnonzero(classes != test.labels)
        }
        for name, split in (("validation", validation), ("test", test)):
            table = scores.prediction_table(split.labels, probabilities[name], run.dataset.classes)
            predictions[name] = format_table(table)
    record = Record(
        run=run.identity(),
        weights=model.count_params(),
        seconds=round(seconds, 1),
        validation=compute_scores(validation, probabilities["validation"]),
        **test_scores,
    )
    return Outcome(record, predictions)
