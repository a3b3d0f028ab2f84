"""The trainings of a study that params.yaml plans."""

from dataclasses import dataclass, replace
from typing import Any

from stages.common import layout
from stages.common.errors import UserError
from stages.common.variations import DEFAULT
from stages.parameters import FILE, Dataset, Parameters
from stages.splits import arrays
from tools.study import records


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

    @property
    def key(self) -> str:
        """What its record is found by."""
        return records.key_of(self.identity())

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
    return arrays.fingerprint(layout.processed(name, split) for split in layout.SPLITS)


def _seeded(several: list[Run], seeds: int) -> list[Run]:
    """The same with every seed, from that of the data set upwards, one seed after the other."""
    return [
        replace(run, dataset=run.dataset.model_copy(update={"seed": run.dataset.seed + number}))
        for number in range(seeds)
        for run in several
    ]
