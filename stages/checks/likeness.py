"""The likeness of images to those of training: a distance, by which pictures of something else are told.

The distance is Mahalanobis's, from the nearest class, with one covariance for all classes (Lee, Lee, Lee and
Shin, "A Simple Unified Framework for Detecting Out-of-Distribution Samples and Adversarial Attacks", 2018),
but of brightness and edges: these tell pictures apart better than the last hidden layer does, and need no
network.
"""

from math import ceil
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeFloat, model_validator
from sklearn.covariance import shrunk_covariance
from sklearn.metrics import pairwise_distances_argmin_min

from stages.common.validation import Section
from stages.splits.arrays import Split, count_rows_per_chunk

GRID, EDGE_GRID = 7, 4  # cells of an image, along each side, of which brightness and edges are averaged
STEPS = 64  # of a feature, which is whole, for each 1 of the root of a pixel's value
SHRINKAGE = 0.03  # of the covariance towards one without correlation, so that it can be inverted
MOST_IMAGES = 20_000  # of training that are learnt from; more make little difference
FALSE_ALARMS = 0.01  # the share of images like those of training that may be taken for unlike ones
UINT8_MAX = 255

Rows = NDArray[np.int64]
Features = NDArray[np.float64]


class Likeness(Section):
    """Features that the images of training have in common.

    Attributes:
        means: of the features of each class.
        covariance: of the features, about the mean of their class.
        largest_distance: of an image like those of training.
        false_alarms: the share of images like those of training that are expected beyond that distance.
    """

    means: Annotated[list[list[float]], Field(min_length=1)]
    covariance: Annotated[list[list[float]], Field(min_length=1)]
    largest_distance: NonNegativeFloat
    false_alarms: NonNegativeFloat

    @model_validator(mode="after")
    def _expect_a_covariance(self) -> Self:
        features = len(self.covariance)
        if any(len(row) != features for row in (*self.means, *self.covariance)):
            raise ValueError(f"expected {features} numbers in each row of means and covariance, found others")
        if np.linalg.eigvalsh(self.covariance).min() < -1:  # rounding leaves less
            raise ValueError("expected a covariance, found a matrix with negative variances")
        return self


def extract_features(images: NDArray[Any], largest_pixel: int) -> Features:
    """Return the features of images: the roots of mean brightness and of mean edges of parts of the image.

    Args:
        images: shape (n, height, width) or (n, height, width, channels).
        largest_pixel: the value of a white pixel.

    Returns:
        Whole numbers, shape (n, features), so that their sums are exact on every processor.
    """
    pixels = np.rint(images * (UINT8_MAX / largest_pixel)).astype(np.int32)
    pixels = pixels.reshape(*pixels.shape[:3], -1)
    grey = pixels.sum(axis=-1, keepdims=True)
    edges = (
        grey[:, :, 1:] - grey[:, :, :-1],
        grey[:, 1:] - grey[:, :-1],
        grey[:, 1:, 1:] - grey[:, :-1, :-1],
        grey[:, 1:, :-1] - grey[:, :-1, 1:],
    )
    means = [
        _average_cells(pixels, GRID),
        *(_average_cells(np.abs(edge), EDGE_GRID) / pixels.shape[-1] for edge in edges),
    ]
    features: Features = np.rint(STEPS * np.sqrt(np.concatenate(means, axis=1)))
    return features


def _average_cells(values: NDArray[np.int32], grid: int) -> NDArray[np.float64]:
    """Return the means over the cells of a grid, shape (n, features); nothing of an image without pixels."""
    count, *sides = values.shape[:3]
    cells = [min(grid, side) for side in sides]
    if 0 in cells:
        return np.empty((count, 0))
    sums, sizes = values, np.ones((1, 1), np.int64)
    for axis, (side, number) in enumerate(zip(sides, cells, strict=True), start=1):
        bounds = np.arange(number + 1) * side // number
        sums = np.add.reduceat(sums, bounds[:-1], axis=axis, dtype=np.int64)
        sizes = np.multiply.outer(sizes.ravel(), np.diff(bounds))
    return (sums / sizes.reshape(*cells, 1)).reshape(count, -1)


def learn(training: tuple[Split, Rows], validation: tuple[Split, Rows], largest_pixel: int) -> Likeness:
    """Learn the likeness of images from a training split; fix its largest distance by a validation split.

    Of so few validation images that `FALSE_ALARMS` of them is less than one, the farthest sets the largest
    distance; then more false alarms are expected.

    Args:
        training: a whole part of the data set, with indices of classes as labels, and the rows of the split.
        validation: likewise.
        largest_pixel: the value of a white pixel.
    """
    part, rows = training
    rows = rows[:: ceil(len(rows) / MOST_IMAGES)]
    labels = np.unique(part.labels[rows], return_inverse=True)[1]
    counts = np.bincount(labels)
    features = _read_features(part, rows, largest_pixel)
    # Exact on every processor: sums of whole numbers, far below 2^53.
    sums = np.zeros((len(counts), features.shape[1]))
    np.add.at(sums, labels, features)
    products = features.T @ features
    for total, count in zip(sums, counts, strict=True):
        products -= np.outer(total, total) / count
    likeness = Likeness(
        means=(sums / counts[:, None]).round(3).tolist(),
        covariance=(products / max(1, len(labels) - len(counts))).round(3).tolist(),
        largest_distance=0.0,
        false_alarms=0.0,
    )
    ordered = np.sort(measure_distances(_read_features(*validation, largest_pixel), likeness))
    # Of one more image like these, each place in their order is equally likely.
    place = min(ceil((1 - FALSE_ALARMS) * (len(ordered) + 1)), len(ordered))
    return likeness.model_copy(
        update={
            "largest_distance": ceil(100 * ordered[place - 1]) / 100,  # later decimals differ by processor
            "false_alarms": round(1 - place / (len(ordered) + 1), 4),
        }
    )


def _read_features(part: Split, rows: Rows, largest_pixel: int) -> Features:
    """Return the features of some images of a part, which is read piece by piece."""
    step = count_rows_per_chunk(part.images)
    starts = range(0, len(rows), step)
    return np.concatenate(
        [extract_features(part.images[rows[start : start + step]], largest_pixel) for start in starts]
    )


def measure_distances(features: Features, likeness: Likeness) -> NDArray[np.float64]:
    """Return the distance of each image from the nearest class, shape (n,); arguments as returned above."""
    covariance = shrunk_covariance(np.array(likeness.covariance), SHRINKAGE)
    # One square step more, for images that are all alike.
    factor = np.linalg.cholesky(covariance + np.eye(len(covariance)))
    whitened, means = (
        np.linalg.solve(factor, np.asarray(values).T).T for values in (features, likeness.means)
    )
    distances: NDArray[np.float64] = pairwise_distances_argmin_min(whitened, means)[1]
    return distances
