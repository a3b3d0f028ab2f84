"""Hyperparameters of a new data set, by rule: what a person would have chosen, and enough steps to learn."""

from math import ceil

import pytest

from stages.parameters import load
from tools.new import defaults


@pytest.mark.parametrize("images", [1, 12, 39, 192, 1_000, 5_000, 60_000, 2_000_000])
@pytest.mark.parametrize(
    "shape", [(8, 8), (28, 28), (40, 40, 3), (64, 48, 3), (64, 64, 1), (3, 64), (1000, 1000, 3)]
)
def test_few_images_get_enough_steps_and_many_get_large_batches(images: int, shape: tuple[int, ...]) -> None:
    network, training, reasons = defaults.choose(images, shape)
    steps = ceil(images / training.batch_size) * training.epochs
    assert steps >= 1_500
    assert training.epochs >= 20
    assert 16 <= training.batch_size <= 256
    assert len(network.convolutions) <= min(shape[:2]).bit_length() - 1
    assert bool(network.convolutions) == (min(shape[:2]) >= 12 and (images < 20_000 or shape[2:] == (3,)))
    assert training.augmentation.interpolates == (min(shape[:2]) >= 12)
    assert network.temperature_scaling == (images >= 20_000)
    assert f"{images:,} images to train on" in " ".join(reasons)


def test_images_like_those_of_the_project_get_its_hyperparameters() -> None:
    network, training, _ = defaults.choose(55_000, (28, 28))
    dataset = load().dataset("mnist")
    assert network == dataset.network
    # The rule trains for longer, and fills up images of any background, not dark ones alone.
    other = {"epochs": ..., "warmup_epochs": ..., "augmentation": {"fill"}}
    assert training.model_dump(exclude=other) == dataset.training.model_dump(exclude=other)
