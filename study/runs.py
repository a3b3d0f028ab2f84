"""The trainings of a study: which there are, and what each is scored on."""

import contextlib
import hashlib
import io
import json
import time
from dataclasses import dataclass, replace
from typing import Any

import stages  # noqa: F401 - before TensorFlow, whose kernels and threads it fixes

import keras  # isort: skip
import numpy as np
from numpy.typing import NDArray

from stages import arrays, layout, scores
from stages.arrays import Split
from stages.errors import UserError
from stages.evaluate import predict
from stages.parameters import FILE, Dataset, Parameters
from stages.streams import seed_of
from stages.train import train

DEFAULT = "default"  # the configuration that a data set has without a name
DECIMALS = 6
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Run:
    """One training.

    Attributes:
        configuration: its name.
        variant: the title of what is changed in it, or None.
        images: to train with, drawn at random, or None for all.
        dataset: the parameters that follow, with a seed of its own.
    """

    configuration: str
    variant: str | None
    images: int | None
    dataset: Dataset

    @property
    def tested(self) -> bool:
        """Whether it is scored on the test images: what is compared to find something better is not."""
        return self.variant is None


def planned(name: str, content: Parameters) -> list[Run]:
    """The trainings of a data set, first those of `default`, which take the shortest.

    What would repeat another training is left out: a variant that changes nothing, and as many images as all.

    Raises:
        UserError: if params.yaml plans none, or variants of them that cannot be.
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
    known = {
        key: dataset.varied(values, f"{FILE}: datasets.{name}.configurations.{key}")
        for key, values in {DEFAULT: {}, **dataset.configurations}.items()
    }
    variants = [
        Run(key, title, None, changed)
        for key, several in plan.variants.items()
        if key in known
        for title, values in several.items()
        if (changed := known[key].varied(values, f"{FILE}: study.variants.{key}.{title}")) != known[key]
    ]
    configurations = {key: _seeded([Run(key, None, None, one)], plan.seeds) for key, one in known.items()}
    every = len(arrays.read(layout.processed(name, "train")).labels)
    fewer = [Run(DEFAULT, None, images, known[DEFAULT]) for images in plan.training_images if images < every]
    return [
        *configurations[DEFAULT],
        *_seeded([*fewer, *(run for run in variants if run.configuration == DEFAULT)], plan.variant_seeds),
        *(run for key in known if key != DEFAULT for run in configurations[key]),
        *_seeded([run for run in variants if run.configuration != DEFAULT], plan.variant_seeds),
    ]


def _seeded(several: list[Run], seeds: int) -> list[Run]:
    """The same with every seed, from that of the data set upwards, one seed after the other."""
    return [
        replace(run, dataset=run.dataset.model_copy(update={"seed": run.dataset.seed + number}))
        for number in range(seeds)
        for run in several
    ]


def key_of(name: str, run: Run) -> str:
    """What a run is known by: a hash of its hyperparameters, its seed and the data.

    Neither its name nor the code is part of that. After a change of code that changes results, the records
    are to be removed; a test compares one of each data set with the results of the pipeline.

    Raises:
        UserError: if the data are not there.
    """
    content = run.dataset.model_dump(include={"network", "training", "seed", "largest_pixel"})
    found = hashlib.sha256(json.dumps([content, run.images, run.tested]).encode())
    for path in (layout.processed(name, split) / arrays.CHECKSUMS for split in SPLITS):
        if not path.exists():
            raise UserError(f"{path}: expected a file, found none; run dvc repro preprocess@{name}")
        found.update(path.read_bytes())
    return found.hexdigest()[:16]


def drawn(split: Split, images: int, seed: int) -> Split:
    """Some images of a split, drawn at random: for the same seed, the more have the fewer among them."""
    order = np.random.default_rng(seed_of("fewer images", seed)).permutation(len(split.labels))
    rows = np.sort(order[:images])
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


def perform(name: str, run: Run, content: Parameters) -> dict[str, Any]:
    """Train once, and score.

    Returns:
        The record of it: what was run, its training time in seconds, and its scores; of the test images
        those, too, that it takes for another class, by their number in the split.
    """
    training, validation, test = (arrays.read(layout.processed(name, split)) for split in SPLITS)
    if run.images is not None:
        training = drawn(training, run.images, run.dataset.seed)
    keras.backend.clear_session()
    start = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        model, _ = train(run.dataset, training, validation)
    seconds = time.perf_counter() - start

    def scored(split: Split, probabilities: NDArray[np.float32]) -> dict[str, float]:
        metrics = scores.score(split.labels, probabilities, content.evaluation.calibration_bins)
        return {metric: round(value, DECIMALS) for metric, value in metrics.items()}

    found = {
        "key": key_of(name, run),
        "configuration": run.configuration,
        "variant": run.variant,
        "images": len(training.labels),
        "seed": run.dataset.seed,
        "weights": model.count_params(),
        "epochs": run.dataset.training.epochs,
        "seconds": round(seconds, 1),
        "validation": scored(validation, predict(model, validation)),
    }
    if run.tested and content.study is not None:
        probabilities = predict(model, test)
        predicted = probabilities.argmax(axis=1)
        found["test"] = scored(test, probabilities)
        found["averaged"] = scored(test, averaged(model, test, content.study.shift))
        found["mistakes"] = {
            str(row): int(predicted[row]) for row in np.flatnonzero(predicted != test.labels)
        }
    return found
