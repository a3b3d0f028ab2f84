"""Twins: images that are identical, or nearly so, as after another JPEG compression."""

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.splits.arrays import count_rows_per_chunk

# Images are compared by the means of so many blocks a side, which compression hardly changes.
BLOCKS = 14
FEWEST_BLOCKS = 36
# Features are whole numbers of this length as vectors, so that products of float32 are exact everywhere.
LENGTH = 1000
# The largest distance of near twins, as a share of the length. JPEG at quality 75 moves nine of ten
# photographs, drawings and pictures of clothing by less.
LARGEST_DISTANCE = 0.08
# Twins may be farther apart, as noise after a compression is, if every other image is much farther: the
# largest ratio of the distances of the nearest and of the second image (Lowe, "Distinctive Image Features
# from Scale-Invariant Keypoints", 2004, section 7.1), up to a distance.
LARGEST_RATIO, LARGEST_DISTANCE_BY_RATIO = 0.33, 0.3
MOST_COMPARED = 100_000  # images of each side
QUERIES_AT_ONCE = 256


def digest(images: NDArray[Any], rows: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return a hash of the pixels of each image.

    Args:
        images: shape (m, height, width, ...).
        rows: which of them, shape (n,).

    Returns:
        Shape (n,). Of a million different images, two have the same hash in one case of forty million.
    """
    digests = [
        hashlib.blake2b(np.ascontiguousarray(images[row]).data, digest_size=8).digest() for row in rows
    ]
    return np.frombuffer(b"".join(digests), np.uint64)


def extract_features(images: NDArray[Any], rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the means of blocks of each image, in each channel, at one contrast and brightness.

    Args:
        images: shape (m, height, width) or (m, height, width, channels).
        rows: which of them, shape (n,).

    Returns:
        Whole numbers, shape (n, blocks); all 0 for an image of one colour, and for images of fewer than
        `FEWEST_BLOCKS` blocks, which may be alike by chance.
    """
    height, width = images.shape[1:3]
    tops = np.unique(np.linspace(0, height, BLOCKS, endpoint=False).astype(int))
    lefts = np.unique(np.linspace(0, width, BLOCKS, endpoint=False).astype(int))
    areas = np.outer(np.diff([*tops, height]), np.diff([*lefts, width]))
    channels = images[:1].size // (height * width) if len(images) else 1
    features = np.zeros((len(rows), areas.size * channels), np.float32)
    if areas.size < FEWEST_BLOCKS:
        return features
    step = count_rows_per_chunk(images)
    for start in range(0, len(rows), step):
        chunk = images[rows[start : start + step]].astype(np.float64).reshape(-1, height, width, channels)
        sums = np.add.reduceat(np.add.reduceat(chunk, tops, axis=1), lefts, axis=2)
        means = (sums / areas[..., None]).reshape(len(chunk), -1)
        means -= means.mean(axis=1, keepdims=True)
        lengths = np.sqrt((means**2).sum(axis=1, keepdims=True))
        features[start : start + step] = np.rint(means * (LENGTH / np.where(lengths > 0, lengths, np.inf)))
    return features


def find_near_twins(
    queries: NDArray[np.float32], others: NDArray[np.float32]
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Find images that nearly equal one of others. Images of one colour have no twins here.

    Args:
        queries: features, shape (n, blocks).
        others: features, shape (m, blocks).

    Returns:
        Which images have a twin, and the row of the nearest other image; both of shape (n,).
    """
    nearest, second = np.empty(len(queries)), np.empty(len(queries))
    neighbours = np.zeros(len(queries), np.int64)
    for start in range(0, len(queries), QUERIES_AT_ONCE):
        rows = slice(start, start + QUERIES_AT_ONCE)
        products = queries[rows] @ others.T
        best = products.argmax(axis=1)[:, None]
        neighbours[rows] = best[:, 0]
        nearest[rows] = _measure_distances(np.take_along_axis(products, best, axis=1)[:, 0])
        np.put_along_axis(products, best, -(LENGTH**2), axis=1)
        second[rows] = _measure_distances(products.max(axis=1))
    by_ratio = (nearest <= LARGEST_DISTANCE_BY_RATIO) & (nearest <= LARGEST_RATIO * second)
    return ((nearest <= LARGEST_DISTANCE) | by_ratio) & queries.any(axis=1), neighbours


def _measure_distances(products: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return distances, from 0 to 2, of features with these inner products."""
    return np.sqrt(np.maximum(0, 2 - 2 * products.astype(np.float64) / LENGTH**2))


def take_evenly(count: int) -> NDArray[np.int64]:
    """Return the positions of so many images, or of `MOST_COMPARED` evenly spaced ones."""
    return np.linspace(0, count, min(count, MOST_COMPARED), endpoint=False).astype(np.int64)
