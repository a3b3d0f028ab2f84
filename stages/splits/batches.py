"""Batches of a split for Keras: images in their type on disk, and one-hot labels."""

from collections.abc import Callable
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.common.backend import tf
from stages.common.fields import Augmentation
from stages.common.seeds import derive_seed
from stages.splits.arrays import Split, count_rows_per_chunk
from stages.splits.augmentation import augment

# For predictions and losses. The size is fixed, since the cut of a sum into batches can change its last bit.
SCORING_BATCH_SIZE = 1000
# The thread that tunes a pipeline sleeps for twice as long each time, and the end of the pipeline waits for
# it, up to as long as the whole training took. There is nothing here to tune.
NO_AUTOTUNE_OPTIONS = tf.data.Options()
NO_AUTOTUNE_OPTIONS.autotune.enabled = False


def shuffled_batches(  # noqa: PLR0913 - each is of another kind
    split: Split,
    class_count: int,
    batch_size: int,
    seed: int,
    *,
    augmentation: Augmentation,
    largest_pixel: int,
    label_smoothing: float = 0.0,
    first_epoch: int = 0,
) -> tf.data.Dataset:
    """Return the batches of an endless sequence of epochs, each in an order that only the seed decides.

    Indices are shuffled, not images, so that every order is equally likely, however large the split.

    Args:
        split: images and labels.
        class_count: the number of classes.
        batch_size: the number of images in a batch.
        seed: the seed of the order and of the augmentation.
        augmentation: the distortions of the images.
        largest_pixel: the largest value that a pixel may have.
        label_smoothing: the share of each label that is spread over all classes evenly (Szegedy et al.,
            "Rethinking the Inception Architecture for Computer Vision", 2016, section 7).
        first_epoch: the number of epochs that a training which goes on has behind it.

    Returns:
        A data set of (images, labels), shapes (b, *image) and (b, class_count), where b is
        `batch_size`, or fewer for the last batch of an epoch.
    """
    order_seed = tf.constant(derive_seed(seed, "order"), tf.int64)
    augmentation_seed = tf.constant([derive_seed(seed, "augmentation"), 0], tf.int64)

    def read_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        order = tf.random.experimental.stateless_shuffle(
            tf.range(len(split.labels)), seed=tf.stack([order_seed, epoch])
        )
        batches = _read_batches(lambda start, end: order[start:end], split, class_count, batch_size)
        epoch_seed = tf.random.fold_in(augmentation_seed, epoch)

        def distort(step: tf.Tensor, batch: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
            images, labels = batch
            smoothed = labels * (1 - label_smoothing) + label_smoothing / class_count
            step_seed = tf.random.fold_in(epoch_seed, step)
            return augment(images, augmentation, largest_pixel, step_seed), smoothed

        return batches.enumerate().map(distort)

    return (
        tf.data.Dataset.counter(first_epoch)
        .flat_map(read_epoch)
        .prefetch(2)
        .with_options(NO_AUTOTUNE_OPTIONS)
    )


def ordered_batches(split: Split, class_count: int, batch_size: int) -> tf.data.Dataset:
    """Return the batches of one pass over a split, in its order: images, and one-hot labels."""
    count = len(split.labels)
    batches = _read_batches(tf.range, split, class_count, batch_size)
    # Keras asks for the number of batches, and `rebatch` does not tell.
    with_count = tf.data.experimental.assert_cardinality(ceil(count / batch_size))
    return batches.apply(with_count).with_options(NO_AUTOTUNE_OPTIONS)


def _read_batches(
    find_rows: Callable[[tf.Tensor, tf.Tensor], tf.Tensor], split: Split, class_count: int, batch_size: int
) -> tf.data.Dataset:
    """Return batches of the images and labels of one pass over a split.

    Images are read from their file when their turn comes, so that a split may be larger than the memory. They
    keep their type, mostly uint8, on the way to the network: a quarter of the bytes of float32.

    Args:
        find_rows: returns the rows in the split of the images from one place in the pass to another.
        split: images and labels.
        class_count: the number of classes.
        batch_size: the number of images in a batch, or fewer in the last.
    """
    count = len(split.labels)
    # Several batches at once: a call into Python for each would cost a tenth of an epoch.
    rows_at_once = max(1, count_rows_per_chunk(split.images) // batch_size) * batch_size

    def take(rows: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[Any]]:
        return split.images[rows], split.labels[rows]

    def read(start: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        rows = tf.cast(find_rows(start, tf.minimum(start + rows_at_once, count)), tf.int64)
        images, labels = tf.numpy_function(take, [rows], (split.images.dtype, split.labels.dtype))
        images.set_shape((None, *split.images.shape[1:]))
        labels.set_shape((None,))
        return images, tf.one_hot(labels, class_count)

    return tf.data.Dataset.range(0, count, rows_at_once).map(read).rebatch(batch_size)
