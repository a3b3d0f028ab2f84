"""Splits as batches for Keras: uint8 images and one-hot labels."""

import tensorflow as tf

from stages.arrays import Split
from stages.streams import seed_of

# Nothing here is left for TensorFlow to tune, and the thread that would tune it sleeps for twice as long
# each time: taking the pipeline down waits for it, up to as long as the whole training took.
UNTUNED = tf.data.Options()
UNTUNED.autotune.enabled = False


def shuffled(split: Split, classes: int, batch_size: int, seed: int) -> tf.data.Dataset:
    """Epoch after epoch without end, each in an order of its own that only the seed decides.

    What is shuffled is indices. Each batch then gathers its images from memory, still as uint8:
    a quarter of the bytes that float32 images would move.

    Returns:
        A data set of (images, labels), shapes (b, height, width) and (b, classes), where b is
        `batch_size`, or less for the last batch of an epoch.
    """
    images, labels = tf.constant(split.images), tf.constant(split.labels)
    seed_of_order = tf.constant(seed_of("order", seed), tf.int64)

    def epoch_of_indices(epoch: tf.Tensor) -> tf.data.Dataset:
        order = tf.random.experimental.stateless_shuffle(
            tf.range(len(split.labels)), seed=tf.stack([seed_of_order, epoch])
        )
        return tf.data.Dataset.from_tensor_slices(order).batch(batch_size)

    def gather(indices: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.gather(images, indices), tf.one_hot(tf.gather(labels, indices), classes)

    return tf.data.Dataset.counter().flat_map(epoch_of_indices).map(gather).prefetch(2).with_options(UNTUNED)


def in_order(split: Split, classes: int, batch_size: int) -> tf.data.Dataset:
    """One pass over a split, as batches of the same form as those of `shuffled`."""
    return (
        tf.data.Dataset.from_tensor_slices((split.images, split.labels))
        .batch(batch_size)
        .map(lambda images, labels: (images, tf.one_hot(labels, classes)))
        .with_options(UNTUNED)
    )
