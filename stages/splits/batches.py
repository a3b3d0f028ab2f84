"""Splits as batches for Keras: images as they are kept, and one-hot labels."""

from math import ceil
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from stages.common.seeds import seed_of
from stages.network.schema import Augmentation
from stages.splits.arrays import Split, rows_at_once
from stages.splits.augmentation import augmented

# Nothing here is left for TensorFlow to tune, and the thread that would tune it sleeps for twice as long
# each time: taking the pipeline down waits for it, up to as long as the whole training took.
UNTUNED = tf.data.Options()
UNTUNED.autotune.enabled = False


def shuffled(
    split: Split, classes: int, batch_size: int, seed: int, augmentation: Augmentation
) -> tf.data.Dataset:
    """Epoch after epoch without end, each in an order of its own that only the seed decides.

    What is shuffled is indices, so that every order is equally likely, however large the split.

    Returns:
        A data set of (images, labels), shapes (b, *image) and (b, classes), where b is
        `batch_size`, or less for the last batch of an epoch.
    """
    seed_of_order = tf.constant(seed_of("order", seed), tf.int64)
    seed_of_distortions = tf.constant([seed_of("augmentation", seed), 0], tf.int64)

    def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        order = tf.random.experimental.stateless_shuffle(
            tf.range(len(split.labels)), seed=tf.stack([seed_of_order, epoch])
        )
        batches = _gather(tf.data.Dataset.from_tensor_slices(order), split, classes, batch_size)
        of_epoch = tf.random.fold_in(seed_of_distortions, epoch)

        def distort(step: tf.Tensor, batch: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
            images, labels = batch
            return augmented(images, augmentation, tf.random.fold_in(of_epoch, step)), labels

        return batches.enumerate().map(distort)

    return tf.data.Dataset.counter().flat_map(one_epoch).prefetch(2).with_options(UNTUNED)


def in_order(split: Split, classes: int, batch_size: int) -> tf.data.Dataset:
    """One pass over a split, as batches of the same form as those of `shuffled`."""
    count = len(split.labels)
    batches = _gather(tf.data.Dataset.range(count), split, classes, batch_size)
    # Keras asks how many there are, and `rebatch` does not say.
    return batches.apply(tf.data.experimental.assert_cardinality(ceil(count / batch_size))).with_options(
        UNTUNED
    )


def _gather(indices: tf.data.Dataset, split: Split, classes: int, batch_size: int) -> tf.data.Dataset:
    """Batches of the images and labels at some indices.

    Images are read from their file when their turn comes, so that a split may be larger than the memory,
    and stay as they are, mostly uint8, on their way to the network: a quarter of the bytes of float32.
    """

    def take(chosen: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[Any]]:
        return split.images[chosen], split.labels[chosen]

    def read(chosen: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        images, labels = tf.numpy_function(take, [chosen], (split.images.dtype, split.labels.dtype))
        images.set_shape((None, *split.images.shape[1:]))
        labels.set_shape((None,))
        return images, tf.one_hot(labels, classes)

    # Several batches at once: a call into Python for each would cost a tenth of an epoch.
    batches_at_once = max(1, rows_at_once(split.images) // batch_size)
    return indices.batch(batches_at_once * batch_size).map(read).rebatch(batch_size)
