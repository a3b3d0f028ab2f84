"""The runs of a study: all trainings that follow from params.yaml and tools.yaml."""

from dataclasses import dataclass, replace
from typing import Any

from stages.common import layout
from stages.common.errors import UserError
from stages.parameters import Dataset, Parameters
from stages.splits import arrays
from tools.common.program import describe_program
from tools.common.settings import FILE, Settings
from tools.common.variations import DEFAULT, Study, training_identity, vary
from tools.study import records

# What a run depends on, as it was when the study began; a worker that starts later must find the same.
CODE = (
    *("stages/**/*.py", "tools/common/**/*.py"),
    *("tools/__init__.py", "tools/study/__init__.py"),
    *("tools/study/plan.py", "tools/study/records.py", "tools/study/runs.py"),
)
PROGRAM = describe_program(CODE)


@dataclass(frozen=True)
class Run:
    """A training, and the way in which it is scored.

    Attributes:
        name: of the data set.
        configuration: the name of the configuration.
        variant: the title of a variant of the configuration, or None for the configuration itself.
        images: the number of training images, drawn at random, or None for all.
        dataset: the parameters of the data set, with the hyperparameters and the seed of this run.
        data: the fingerprint of the arrays.
        bins: the number of bins of the calibration error.
        shift: pixels; for test-time augmentation, images are shifted by up to so many.
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
    def scores_test_images(self) -> bool:
        """Return whether the run is scored on the test images; a variant is not."""
        return self.variant is None

    @property
    def scores_shifted_images(self) -> bool:
        """Return whether the run is scored with test-time augmentation, too."""
        return self.scores_test_images and self.images is None

    def identity(self) -> dict[str, Any]:
        """Return everything that decides the results of the run, except code, packages and names.

        After a change of code or packages that changes results, remove the records. A test compares those
        of `default` with the metrics of the pipeline, and notices changes that concern this network. A new
        hyperparameter that changes nothing while it is not used stands in `tools.common.variations`.
        """
        return {
            "data": self.data,
            "images": self.images,
            "calibration_bins": self.bins,
            "tested": self.scores_test_images,
            "shift": self.shift if self.scores_shifted_images else None,
            **training_identity(self.dataset),
        }

    @property
    def key(self) -> str:
        """Return the key of the run's record."""
        return records.build_key(self.identity())

    def __str__(self) -> str:
        """Return a description for messages."""
        change = self.variant or (f"{self.images} images" if self.images else "unchanged")
        return f"{self.name}, {self.configuration}, {change}, seed {self.dataset.seed}"


def plan_runs(name: str, parameters: Parameters, settings: Settings) -> list[Run]:
    """Return the runs of a data set, first those of `default`, which are the shortest.

    Runs that would repeat others are left out: variants that change nothing, and numbers of training images
    that are not less than all.

    Raises:
        UserError: if tools.yaml has no plan, or an impossible one, or if the arrays are missing.
    """
    study, dataset = settings.study, parameters.dataset(name)
    if study is None:
        raise UserError(f"{FILE}: study: expected a plan, found none; see docs/accuracy.md")
    _check_configurations(study, settings)
    fewest_images = min(study.training_images, default=len(dataset.classes))
    if fewest_images < len(dataset.classes):
        raise UserError(
            f"{FILE}: study.training_images: expected at least {len(dataset.classes)}, one for each class of "
            f"{name}, found {fewest_images}"
        )
    datasets = {
        configuration: vary(dataset, values, f"{FILE}: datasets.{name}.configurations.{configuration}")
        for configuration, values in {DEFAULT: {}, **settings.dataset(name).configurations}.items()
    }
    fingerprint = compute_fingerprint(name)

    def plan_run(
        configuration: str, dataset: Dataset, variant: str | None = None, images: int | None = None
    ) -> Run:
        bins = parameters.evaluation.calibration_bins
        return Run(name, configuration, variant, images, dataset, fingerprint, bins, study.shift)

    training_images = len(arrays.read(layout.processed(name, "train")).labels)
    smaller_runs = [
        plan_run(DEFAULT, datasets[DEFAULT], images=images)
        for images in study.training_images
        if images < training_images
    ]
    variant_runs = [
        plan_run(
            configuration,
            vary(datasets[configuration], values, f"{FILE}: study.variants.{configuration}.{title}"),
            variant=title,
        )
        for configuration, titles in study.variants.items()
        if configuration in datasets
        for title, values in titles.items()
    ]
    variant_runs = [run for run in variant_runs if run.dataset != datasets[run.configuration]]
    configuration_runs = {
        configuration: _repeat([plan_run(configuration, dataset)], study.seeds)
        for configuration, dataset in datasets.items()
    }
    default_variants = [run for run in variant_runs if run.configuration == DEFAULT]
    other_variants = [run for run in variant_runs if run.configuration != DEFAULT]
    return [
        *configuration_runs[DEFAULT],
        *_repeat([*smaller_runs, *default_variants], study.variant_seeds),
        *(run for key, runs in configuration_runs.items() if key != DEFAULT for run in runs),
        *_repeat(other_variants, study.variant_seeds),
    ]


def compute_fingerprint(name: str) -> str:
    """Return the fingerprint of all arrays of a data set."""
    return arrays.compute_fingerprint(layout.processed(name, split) for split in layout.SPLITS)


def _check_configurations(study: Study, settings: Settings) -> None:
    """Raise a UserError if the study has variants of a configuration that no data set has."""
    names = {DEFAULT, *(name for dataset in settings.datasets.values() for name in dataset.configurations)}
    for name in study.variants:
        if name not in names:
            raise UserError(
                f"{FILE}: study.variants: expected names of configurations, {', '.join(sorted(names))}, "
                f"found {name!r}"
            )


def _repeat(runs: list[Run], seeds: int) -> list[Run]:
    """Return each run with several seeds, from the seed of the data set upwards.

    The seeds are in the outer loop: all runs with the first seed come first.
    """
    return [
        replace(run, dataset=run.dataset.model_copy(update={"seed": run.dataset.seed + number}))
        for number in range(seeds)
        for run in runs
    ]
