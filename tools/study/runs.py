"""One training of a study: what it is trained with, and what it is scored on."""

import gc
import time
from typing import Any

import stages  # noqa: F401 - before TensorFlow, whose kernels and threads it fixes

import keras  # isort: skip
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.common import layout
from stages.common.errors import UserError
from stages.common.seeds import seed_of
from stages.evaluate import predict
from stages.scoring import scores
from stages.splits import arrays
from stages.splits.arrays import Split
from stages.train import train
from tools.study import plan
from tools.study.plan import Run
from tools.study.records import Record, Scores


def drawn(split: Split, images: int, seed: int) -> Split:
    """Some images of a split, drawn at random, of each class its share.

    For the same seed, the more have the fewer among them.

    Args:
        split: to draw from.
        images: their number, from one a class.
        seed: of what is drawn.
    """
    order = np.random.default_rng(seed_of("fewer images", seed)).permutation(len(split.labels))
    labels = split.labels[order]
    place = pd.Series(labels).groupby(labels).cumcount().to_numpy()  # among those of its class
    # What is drawn of its class by then: in this order, all classes are drawn from alike, one of each first.
    share = np.where(place == 0, 0, (place + 0.5) / np.bincount(labels)[labels])
    rows = np.sort(order[np.argsort(share, kind="stable")[:images]])
    return Split(split.images[rows], split.labels[rows])


def averaged(model: keras.Model, split: Split, shift: int) -> NDArray[np.float32]:
    """The mean of the probabilities of each image at every shift of up to some pixels, shape (n, classes)."""
    height, width = split.images.shape[1:3]
    around = [(0, 0), (shift, shift), (shift, shift), *[(0, 0)] * (split.images.ndim - 3)]
    padded = np.pad(split.images, around)
    places = range(2 * shift + 1)
    moved = [padded[:, down : down + height, right : right + width] for down in places for right in places]
    # All at once: `predict` makes a copy of the network each time.
    probabilities = predict(model, Split(np.concatenate(moved), np.tile(split.labels, len(moved))))
    of_place = probabilities.reshape(len(moved), len(split.labels), -1)
    means: NDArray[np.float32] = of_place.mean(axis=0, dtype=np.float64).astype(np.float32)
    return means


def perform(run: Run) -> Record:
    """Train once, and score.

    Raises:
        UserError: if the arrays are not those of the plan, or if the loss was not finite.
    """
    if plan.fingerprint(run.name) != run.data:
        raise UserError(f"{run}: expected the arrays of when the study began, found others; start it again")
    training, validation, test = (arrays.read(layout.processed(run.name, split)) for split in layout.SPLITS)
    if run.images is not None:
        training = drawn(training, run.images, run.dataset.seed)
    keras.backend.clear_session()
    gc.collect()  # the network before this one, whose parts know each other
    start = time.perf_counter()
    try:
        model, _ = train(run.dataset, training, validation, quiet=True)
    except UserError as error:
        raise UserError(f"{run}: {error}") from None
    seconds = time.perf_counter() - start

    def scored(split: Split, probabilities: NDArray[np.float32]) -> Scores:
        return scores.rounded(scores.score(split.labels, probabilities, run.bins))

    on_test: dict[str, Any] = {}
    if run.tested:
        probabilities = predict(model, test)
        on_test["test"] = scored(test, probabilities)
    if run.averaged:
        on_test["averaged"] = scored(test, averaged(model, test, run.shift))
        predicted = probabilities.argmax(axis=1)
        on_test["mistakes"] = {
            str(row): int(predicted[row]) for row in np.flatnonzero(predicted != test.labels)
        }
    return Record(
        run=run.identity(),
        weights=model.count_params(),
        seconds=round(seconds, 1),
        validation=scored(validation, predict(model, validation)),
        **on_test,
    )
