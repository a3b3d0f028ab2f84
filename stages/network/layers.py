"""The layers as they are computed: with the same bits on every x86-64 processor, in few passes over memory.

Two operations that Keras's layers use depend on the processor: `rsqrt`, in batch normalisation, and float32
`softmax` start from its approximation of 1 / sqrt(x) or 1 / x, whose last bits are its maker's choice. Others
are slower than need be: more than half of the pixels are zeros, and dropout draws 32 random bits for each
unit. So a network is trained, and predicts, as a copy with these layers, which ends with the logits. The file
has the layers of Keras.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from stages.common.errors import UserError

LARGEST_SHARE = 0.5  # of pixels that are not 0, up to which a sparse product is the faster one
SAMPLE = 1000  # images to estimate it by
BITS = 16  # a unit: a rate is met to 1 / 2^17


class SparseDense(keras.layers.Dense):  # type: ignore[misc]
    """`keras.layers.Dense` of inputs that are mostly 0, shape (n, width), and need no gradient."""

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:  # noqa: ARG002 - Keras gives it
        """The affine function of the inputs, shape (n, units)."""

        @tf.custom_gradient  # type: ignore[untyped-decorator]
        def product(kernel: tf.Tensor) -> tuple[tf.Tensor, object]:
            def gradient(upstream: tf.Tensor) -> tf.Tensor:
                return tf.raw_ops.SparseMatMul(a=inputs, b=upstream, transpose_a=True, a_is_sparse=True)

            return tf.raw_ops.SparseMatMul(a=inputs, b=kernel, a_is_sparse=True), gradient

        outputs = product(tf.convert_to_tensor(self.kernel))
        return tf.nn.bias_add(outputs, self.bias) if self.use_bias else outputs


@tf.custom_gradient  # type: ignore[untyped-decorator]
def normalized(
    inputs: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, epsilon: tf.Tensor
) -> tuple[object, object]:
    """Normalise each column by its mean and variance.

    Source of the formulas: Ioffe and Szegedy, "Batch Normalization", 2015, section 3. TensorFlow's own
    derivative takes twice as many passes over the batch.

    Args:
        inputs: shape (n, width), or (n, height, images' width, width) of convolutions.
        gamma: the standard deviation of the outputs, shape (width,).
        beta: their mean, shape (width,).
        epsilon: added to the variance, a scalar.

    Returns:
        The outputs, and the mean and the variance of the inputs, to which no gradient flows; the derivative.
    """
    columns = list(range(inputs.shape.rank - 1))
    mean = tf.reduce_mean(inputs, axis=columns)
    centered = inputs - mean
    variance = tf.reduce_mean(tf.square(centered), axis=columns)
    deviation = tf.sqrt(variance + epsilon)
    # TensorFlow would rewrite an ordinary division by a square root as a product with rsqrt.
    scale = tf.math.divide_no_nan(gamma, deviation)

    def gradient(upstream: tf.Tensor, *_: tf.Tensor) -> tuple[tf.Tensor | None, ...]:
        count = tf.cast(tf.size(inputs) / tf.size(gamma), inputs.dtype)
        of_beta = tf.reduce_sum(upstream, axis=columns)
        along = tf.reduce_sum(upstream * centered, axis=columns)
        slope = tf.math.divide_no_nan(scale * along, count * (variance + epsilon))
        of_inputs = (upstream - of_beta / count) * scale - centered * slope
        return of_inputs, tf.math.divide_no_nan(along, deviation), of_beta, None

    return (centered * scale + beta, mean, variance), gradient


class BatchNormalization(keras.layers.BatchNormalization):  # type: ignore[misc]
    """`keras.layers.BatchNormalization` of the last axis, by a square root and a division."""

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Normalise by the batch's mean and variance in training, by their moving averages otherwise."""
        gamma, beta = tf.convert_to_tensor(self.gamma), tf.convert_to_tensor(self.beta)
        if training:
            outputs, mean, variance = normalized(inputs, gamma, beta, tf.constant(self.epsilon, inputs.dtype))
            for average, now in ((self.moving_mean, mean), (self.moving_variance, variance)):
                average.assign(average * self.momentum + now * (1 - self.momentum))
            return outputs
        scale = tf.math.divide_no_nan(gamma, tf.sqrt(self.moving_variance + self.epsilon))
        return inputs * scale + (beta - self.moving_mean * scale)


class Dropout(keras.layers.Dropout):  # type: ignore[misc]
    """`keras.layers.Dropout` of shape (n, width), from half as many random bits."""

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Set a random share of the inputs to 0 in training, and scale up the others."""
        if not training:
            return inputs
        rows, width = tf.shape(inputs)[0], inputs.shape[1]
        words = tf.random.stateless_uniform(
            (rows, -(-width * BITS // 32)), self.seed_generator.next(), None, None, tf.uint32, alg="philox"
        )
        drawn = tf.reshape(tf.bitcast(words, tf.uint16), (rows, -1))[:, :width]
        dropped = min(round(self.rate * 2**BITS), 2**BITS - 1)
        kept = tf.cast(drawn >= tf.constant(dropped, tf.uint16), inputs.dtype)
        return inputs * (kept * (2**BITS / (2**BITS - dropped)))


INSTEAD = {keras.layers.BatchNormalization: BatchNormalization, keras.layers.Dropout: Dropout}


def mostly_zero(images: NDArray[Any]) -> bool:
    """Whether so few pixels are not 0 that a sparse product is the faster one.

    Args:
        images: shape (n, ...), of which the first `SAMPLE` are looked at.
    """
    sample = images[:SAMPLE]
    return bool(np.count_nonzero(sample) <= LARGEST_SHARE * sample.size)


def logits(model: keras.Sequential, *, sparse: bool = False) -> keras.Sequential:
    """A copy of a network, with its weights, that ends before the softmax.

    Args:
        model: from images to probabilities, its last layer a `keras.layers.Softmax`.
        sparse: whether most pixels are 0.

    Returns:
        A model from the same images to float32 logits, shape (n, classes).

    Raises:
        UserError: if it has another last layer.
    """
    *layers, last = model.layers
    if not isinstance(last, keras.layers.Softmax):
        raise UserError(f"the model: expected a last layer Softmax, found {last!r}; run dvc repro train")
    copy = keras.Sequential([keras.Input(model.input_shape[1:], dtype=model.inputs[0].dtype)])
    for layer in layers:
        kind: Any = INSTEAD.get(type(layer), type(layer))
        if sparse and kind in (keras.layers.Dense, keras.layers.Conv2D):
            # The first one alone: what comes out of it is not sparse.
            kind, sparse = SparseDense if kind is keras.layers.Dense else kind, False
        copy.add(kind.from_config(layer.get_config()))
    copy.set_weights(model.get_weights())
    return copy
