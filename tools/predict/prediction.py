"""Predictions of a trained network for the images of files."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stages import parameters
from stages.checks import description, likeness
from stages.checks.likeness import Likeness
from stages.common import layout
from stages.common.errors import UserError
from stages.splits.arrays import Split, count_rows_per_chunk
from tools.common import settings
from tools.predict.images import ImageFormat, Images

MOST_LIKELY = 3  # classes of an image that are named


class Prediction(NamedTuple):
    """The classes that a network finds likeliest for an image.

    Attributes:
        file: the file of the image.
        number: of the image in the file; None if it is the only one.
        image: as the network took it; None for a picture on which there is nothing.
        likeliest: names of classes with their probabilities, the likeliest first.
        is_unlike: whether the image is unlike those of training, so that its class says little.
    """

    file: Images
    number: int | None
    image: NDArray[Any] | None
    likeliest: list[tuple[str, float]]
    is_unlike: bool


class Network(NamedTuple):
    """A trained network with what belongs to it.

    Attributes:
        model: from images to probabilities.
        classes: the names of the classes.
        image_format: of the images that it takes.
        likeness: what the images of training have in common.
    """

    model: Any
    classes: Sequence[str]
    image_format: ImageFormat
    likeness: Likeness

    def predict(self, files: Sequence[Images]) -> Iterator[Prediction]:
        """Yield a prediction for each image of each file, and one for a picture on which there is nothing."""
        from stages import evaluate  # noqa: PLC0415 - TensorFlow takes seconds to import

        pixels = np.concatenate([file.pixels for file in files])
        labels = np.zeros(len(pixels), np.uint8)  # of no use here
        probabilities = evaluate.predict(self.model, Split(pixels, labels)) if len(pixels) else pixels
        rows = zip(probabilities, self._find_unlike(pixels), strict=True)
        for file in files:
            if not len(file.pixels):
                yield Prediction(file, None, None, [], is_unlike=True)
            for number, image in enumerate(file.pixels):
                row, is_unlike = next(rows)
                likeliest = [
                    (self.classes[label], round(float(row[label]), 6))
                    for label in np.argsort(-row, kind="stable")[:MOST_LIKELY]
                ]
                place = number if len(file.pixels) > 1 else None
                yield Prediction(file, place, image, likeliest, file.is_cluttered or bool(is_unlike))

    def _find_unlike(self, pixels: NDArray[Any]) -> NDArray[np.bool_]:
        """Return which images are of one colour or too far from the training images, shape (n,)."""
        unlike = [np.zeros(0, bool)]
        step = count_rows_per_chunk(pixels)
        for start in range(0, len(pixels), step):
            images = pixels[start : start + step]
            features = likeness.extract_features(images, self.image_format.largest_pixel)
            distances = likeness.measure_distances(features, self.likeness)
            rows = images.reshape(len(images), images.shape[1] * images.shape[2], -1)
            is_flat = (rows.max(axis=1) == rows.min(axis=1)).all(axis=1)
            unlike.append(is_flat | (distances > self.likeness.largest_distance))
        return np.concatenate(unlike)


def load(dataset: str) -> Network:
    """Load the trained network of a data set.

    Raises:
        UserError: if there is no network, or not one of these classes.
    """
    from stages.network import model_file  # noqa: PLC0415 - TensorFlow takes seconds to import

    section = parameters.load().dataset(dataset)
    about = settings.load().dataset(dataset).about
    model = model_file.load(layout.model(dataset))
    described = description.read(layout.description(dataset))
    if (outputs := model.output_shape[-1]) != len(section.classes):
        raise UserError(
            f"{layout.model(dataset)}: expected {len(section.classes)} classes, as in params.yaml, found "
            f"{outputs}; run: dvc repro train@{dataset}"
        )
    dtype = np.dtype(model.inputs[0].dtype)
    _expect_same(dataset, "classes", section.classes, described.classes)
    _expect_same(dataset, "largest_pixel", section.largest_pixel, described.largest_pixel)
    _expect_same(dataset, "shape", [*model.input_shape[1:]], described.shape)
    _expect_same(dataset, "dtype", dtype.name, described.dtype)
    image_format = ImageFormat(
        model.input_shape[1:],
        dtype,
        section.largest_pixel,
        about.background,
        about.framing,
    )
    return Network(model, section.classes, image_format, described.likeness)


def _expect_same(dataset: str, key: str, expected: object, found: object) -> None:
    """Raise a UserError unless the description of a data set is of these parameters and this network."""
    if found != expected:
        raise UserError(
            f"{layout.description(dataset)}: {key}: expected {expected}, as of params.yaml and the network, "
            f"found {found}; run: dvc repro evaluate@{dataset}"
        )
