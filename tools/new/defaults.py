"""Default hyperparameters of a new data set, by the number, the size and the colours of its images.

The numbers come from trials on drawn shapes and crops of photographs, of 39 to 192 training
images, and, for many images in grey, from docs/accuracy.md.
"""

from collections.abc import Sequence
from math import ceil, log2
from typing import NamedTuple

from stages.common.fields import Augmentation
from stages.common.shapes import COLOUR_IMAGE_NDIM
from stages.network.schema import Network, Training

MANY_IMAGES = 20_000  # in grey: dense layers learn as much as most people need, in seconds an epoch
SMALLEST_CONVOLVED_SIDE = 12  # pixels; smaller images have nothing left after two halvings
FILTERS = (16, 32, 64, 64)  # of the two convolutions of each level
LAST_SIDE = 3  # pixels, about, of the images of the last level
STEPS_FROM_FEW_IMAGES = 1500  # of the optimiser; fewer leave the network unsure of its training images
FEWEST_EPOCHS = 20
STEPS_PER_EPOCH = 30  # about, where the batch is neither the smallest nor the largest
SMALLEST_BATCH, LARGEST_BATCH = 16, 256


class Choice(NamedTuple):
    """Hyperparameters, and why they were chosen, in one line each."""

    network: Network
    training: Training
    reasons: list[str]


def choose(images: int, shape: Sequence[int]) -> Choice:
    """Choose the hyperparameters of a data set.

    Args:
        images: the number of images to train on.
        shape: of an image: (height, width) or (height, width, channels).
    """
    in_colour = len(shape) == COLOUR_IMAGE_NDIM and shape[2] > 1
    images, side = max(1, images), min(shape[:2])
    batch_size = min(LARGEST_BATCH, max(SMALLEST_BATCH, 2 ** int(log2(max(1, images / STEPS_PER_EPOCH)))))
    epochs = max(FEWEST_EPOCHS, ceil(STEPS_FROM_FEW_IMAGES / ceil(images / batch_size)))
    large = images >= MANY_IMAGES
    if side < SMALLEST_CONVOLVED_SIDE or (large and not in_colour):
        small_images = side < SMALLEST_CONVOLVED_SIDE
        network = Network(
            hidden=[512, 256] if large else [128, 64],
            dropout=0.0 if large else 0.2,
            batch_normalization=large,
            temperature_scaling=large,
        )
        training = _build_training(
            batch_size,
            epochs,
            learning_rate=0.008 if large else 0.003,
            weight_decay=0.05 if large else 0.01,
            augmentation=Augmentation() if small_images else Augmentation(shift=1.0, fill="edge"),
        )
        kind = "small images" if small_images else "many images in grey, shifted by up to a pixel"
        return Choice(
            network, training, [f"{kind}: dense layers, which train fast", _explain_steps(images, training)]
        )
    levels = max(1, min(len(FILTERS), round(log2(side / LAST_SIDE))))
    network = Network(
        convolutions=[
            [filters] * (1 if level == len(FILTERS) - 1 else 2)
            for level, filters in enumerate(FILTERS[:levels])
        ],
        hidden=[64],
        dropout=0.2,
        batch_normalization=True,
        temperature_scaling=large,  # fewer validation images do not tell how sure the network may be
    )
    augmentation = Augmentation(
        shift=float(round(0.12 * side)),
        rotation=10.0,
        scaling=0.15,
        colour=0.8 if in_colour else 0.4,
        fill="edge",
    )
    training = _build_training(batch_size, epochs, 0.002, 0.05, augmentation)
    kind = "colour" if in_colour else f"fewer than {MANY_IMAGES:,} images"
    light = "colours" if in_colour else "brightness and contrast"
    reasons = [
        f"{kind}: convolutions, on images that are shifted, turned, scaled and given other {light}; not "
        "mirrored, since letters and signs must not be: training.augmentation.flip",
        _explain_steps(images, training),
    ]
    return Choice(network, training, reasons)


def _build_training(
    batch_size: int, epochs: int, learning_rate: float, weight_decay: float, augmentation: Augmentation
) -> Training:
    return Training(
        optimizer="AdamW",
        learning_rate=learning_rate,
        schedule="cosine",
        warmup_epochs=min(2, epochs - 1),
        weight_decay=weight_decay,
        label_smoothing=0.0,
        batch_size=batch_size,
        epochs=epochs,
        augmentation=augmentation,
    )


def _explain_steps(images: int, training: Training) -> str:
    steps = ceil(images / training.batch_size) * training.epochs
    return (
        f"{images:,} images to train on: batches of {training.batch_size} and {training.epochs} epochs, "
        f"{steps:,} steps of the optimiser"
    )
