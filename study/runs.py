"""The trainings of a study: which there are, and what each is scored on."""

import contextlib
import gc
import io
import time
from dataclasses import dataclass, replace
from typing import Any

import stages  # noqa: F401 - before TensorFlow, whose kernels and threads it fixes

import keras  # isort: skip
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages import arrays, layout, scores
from stages.arrays import Split
from stages.errors import UserError
from stages.evaluate import predict
from stages.parameters import FILE, Dataset, Parameters
from stages.streams import seed_of
from stages.train import train
from stages.variations import DEFAULT
from study.records import Record, Scores

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Run:
    """One training.

    Attributes:
        name: of the data set.
        configuration: its name.
        variant: the title of what is changed in it, or None.
        images: to train with, drawn at random, or None for all.
        dataset: the parameters that follow, with a seed of its own.
        data: the fingerprint of the arrays.
        bins: of the calibration error.
        shift: pixels; the probabilities of test images are averaged over all shifts by up to so many.
    """

    name: str
    configuration: str
    variant: str | None
    images: int | None
    dataset: Dataset
    data: str
    bins: int
    shift: int

    @property
    def tested(self) -> bool:
        """Whether it is scored on the test images: what is compared to find something better is not."""
        return self.variant is None

    @property
    def averaged(self) -> bool:
        """Whether the means over shifts are scored, too."""
        return self.tested and self.images is None

    def identity(self) -> dict[str, Any]:
        """Everything that decides what comes out, but the code and the packages.

        What something is called is not part of it. After a change of code that changes results, the records
        are to be removed; a test compares those of `default` with the metrics of the pipeline, which tells of
        changes that concern undistorted images and dense layers. A new hyperparameter that changes no results
        is to be added to the records, too.
        """
        return {
            "data": self.data,
            "images": self.images,
            "calibration_bins": self.bins,
            "tested": self.tested,
            "shift": self.shift if self.averaged else None,
            **self.dataset.of_training(),
        }

    def __str__(self) -> str:
        """What it is called in messages."""
        changed = self.variant or (f"{self.images} images" if self.images else "as it is")
        return f"{self.name}, {self.configuration}, {changed}, seed {self.dataset.seed}"


def planned(name: str, content: Parameters) -> list[Run]:
    """The trainings of a data set, first those of `default`, which take the shortest.

    What would repeat another training is left out: a variant that changes nothing, and as many images as all.

    Raises:
        UserError: if params.yaml plans none, or some that cannot be, or if the arrays are not there.
    """
    plan, dataset = content.study, content.dataset(name)
    if plan is None:
        raise UserError(f"{FILE}: study: expected a plan, found none; docs/accuracy.md has what it is for")
    everywhere = {DEFAULT, *(key for one in content.datasets.values() for key in one.configurations)}
    for key in plan.variants:
        if key not in everywhere:
            raise UserError(
                f"{FILE}: study.variants: expected names of configurations, {', '.join(sorted(everywhere))}, "
                f"found {key!r}"
            )
    fewest = min(plan.training_images, default=len(dataset.classes))
    if fewest < len(dataset.classes):
        raise UserError(
            f"{FILE}: study.training_images: expected at least {len(dataset.classes)}, one for each class of "
            f"{name}, found {fewest}"
        )
    known = {
        key: dataset.varied(values, f"{FILE}: datasets.{name}.configurations.{key}")
        for key, values in {DEFAULT: {}, **dataset.configurations}.items()
    }
    data = fingerprint(name)

    def run(
        configuration: str, changed: Dataset, variant: str | None = None, images: int | None = None
    ) -> Run:
        bins = content.evaluation.calibration_bins
        return Run(name, configuration, variant, images, changed, data, bins, plan.shift)

    variants = [
        run(key, changed, variant=title)
        for key, several in plan.variants.items()
        if key in known
        for title, values in several.items()
        if (changed := known[key].varied(values, f"{FILE}: study.variants.{key}.{title}")) != known[key]
    ]
    configurations = {key: _seeded([run(key, one)], plan.seeds) for key, one in known.items()}
    every = len(arrays.read(layout.processed(name, "train")).labels)
    fewer = [run(DEFAULT, known[DEFAULT], images=images) for images in plan.training_images if images < every]
    return [
        *configurations[DEFAULT],
        *_seeded([*fewer, *(one for one in variants if one.configuration == DEFAULT)], plan.variant_seeds),
        *(one for key in known if key != DEFAULT for one in configurations[key]),
        *_seeded([one for one in variants if one.configuration != DEFAULT], plan.variant_seeds),
    ]


def fingerprint(name: str) -> str:
    """That of all arrays of a data set."""
    return arrays.fingerprint(layout.processed(name, split) for split in SPLITS)


def _seeded(several: list[Run], seeds: int) -> list[Run]:
    """The same with every seed, from that of the data set upwards, one seed after the other."""
    return [
        replace(run, dataset=run.dataset.model_copy(update={"seed": run.dataset.seed + number}))
        for number in range(seeds)
        for run in several
    ]


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
    places = [(down, right) for down in range(2 * shift + 1) for right in range(2 * shift + 1)]
    total = np.zeros((len(split.labels), model.output_shape[-1]))
    for down, right in places:
        moved = padded[:, down : down + height, right : right + width]
        total += predict(model, Split(moved, split.labels))
    return (total / len(places)).astype(np.float32)


def perform(run: Run) -> Record:
    """Train once, and score.

    Raises:
        UserError: if the arrays are not those of the plan, or if the loss was not finite.
    """
    if fingerprint(run.name) != run.data:
        raise UserError(f"{run}: expected the arrays of when the study began, found others; start it again")
    training, validation, test = (arrays.read(layout.processed(run.name, split)) for split in SPLITS)
    if run.images is not None:
        training = drawn(training, run.images, run.dataset.seed)
    keras.backend.clear_session()
    gc.collect()  # the network before this one, whose parts know each other
    start = time.perf_counter()
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # a line an epoch
            model, _ = train(run.dataset, training, validation)
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
