"""Layers that give the same bits on every x86-64 processor, in few passes over memory.

Two operations in Keras's layers depend on the processor: `rsqrt`, in batch normalisation, and float32
`softmax`. Both start from an approximate instruction for 1 / sqrt(x) or 1 / x, and each maker chooses its
last bits. Other layers are slower than need be: more than half of the pixels are zeros, and dropout draws 32
random bits for each unit. So training and prediction use a copy of the network with these layers, which ends
with the logits. The model file has the layers of Keras. (Others are in `convolution` and `padding`.)
"""

from itertools import dropwhile, islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.common.backend import keras, tf
from stages.common.errors import UserError
from stages.network.convolution import Conv2D
from stages.network.padding import count_least_rows, pad_batch

LARGEST_NONZERO_SHARE = 0.5  # of pixels; above it, a dense product is faster than a sparse one
SAMPLE_IMAGES = 1000  # enough to estimate that share
BITS = 16  # random bits a unit: a dropout rate is met to 1 / 2^17


class Dense(keras.layers.Dense):  # type: ignore[misc]
    """`keras.layers.Dense` with the same bits on every x86-64 processor, for inputs of shape (n, width)."""

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Return the activation of the affine function of the inputs, shape (n, units)."""
        if inputs.shape.rank != 2:  # noqa: PLR2004 - not in a network of dense layers
            return super().call(inputs, training)
        inputs = tf.cast(inputs, self.compute_dtype)  # of pixels as they are stored
        width, units = self.kernel.shape
        # The width is the number of rows of the derivative by the weights.
        zeros = max(count_least_rows(units) - width, 0)
        kernel = tf.pad(tf.convert_to_tensor(self.kernel), [[0, zeros], [0, 0]])
        rows = pad_batch(inputs, (width + zeros) * units, max(width, units))
        outputs = tf.matmul(tf.pad(rows, [[0, 0], [0, zeros]]), kernel)[: tf.shape(inputs)[0]]
        return self.activation(tf.nn.bias_add(outputs, self.bias) if self.use_bias else outputs)


class SparseDense(keras.layers.Dense):  # type: ignore[misc]
    """`keras.layers.Dense` of inputs that are mostly 0, shape (n, width), and need no gradient."""

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:  # noqa: ARG002 - Keras gives it
        """Return the affine function of the inputs, shape (n, units)."""

        @tf.custom_gradient  # type: ignore[untyped-decorator]
        def product(kernel: tf.Tensor) -> tuple[tf.Tensor, object]:
            def gradient(upstream: tf.Tensor) -> tf.Tensor:
                return tf.raw_ops.SparseMatMul(a=inputs, b=upstream, transpose_a=True, a_is_sparse=True)

            return tf.raw_ops.SparseMatMul(a=inputs, b=kernel, a_is_sparse=True), gradient

        outputs = product(tf.convert_to_tensor(self.kernel))
        return tf.nn.bias_add(outputs, self.bias) if self.use_bias else outputs


@tf.custom_gradient  # type: ignore[untyped-decorator]
def normalize(
    inputs: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, epsilon: tf.Tensor
) -> tuple[object, object]:
    """Normalise each column by its mean and variance.

    Source of the formulas: Ioffe and Szegedy, "Batch Normalization", 2015, section 3. TensorFlow's own
    derivative takes twice as many passes over the batch.

    Args:
        inputs: shape (n, units), or (n, height, width, units) of convolutions.
        gamma: the standard deviation of the outputs, shape (units,).
        beta: the mean of the outputs, shape (units,).
        epsilon: added to the variance, a scalar.

    Returns:
        Outputs, mean and variance of the inputs (no gradient flows to the last two); and the derivative.
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
        beta_gradient = tf.reduce_sum(upstream, axis=columns)
        projection = tf.reduce_sum(upstream * centered, axis=columns)
        slope = tf.math.divide_no_nan(scale * projection, count * (variance + epsilon))
        inputs_gradient = (upstream - beta_gradient / count) * scale - centered * slope
        return inputs_gradient, tf.math.divide_no_nan(projection, deviation), beta_gradient, None

    return (centered * scale + beta, mean, variance), gradient


class BatchNormalization(keras.layers.BatchNormalization):  # type: ignore[misc]
    """`keras.layers.BatchNormalization` of the last axis, by a square root and a division."""

    def call(self, inputs: tf.Tensor, training: bool = False, mask: tf.Tensor | None = None) -> tf.Tensor:
        """Normalise by the batch's mean and variance in training, by their moving averages otherwise."""
        if mask is not None:  # of inputs that are to be left out, which images do not have
            return super().call(inputs, training, mask)
        gamma = tf.ones_like(self.moving_variance) if self.gamma is None else tf.convert_to_tensor(self.gamma)
        beta = tf.zeros_like(self.moving_mean) if self.beta is None else tf.convert_to_tensor(self.beta)
        if training:
            outputs, mean, variance = normalize(inputs, gamma, beta, tf.constant(self.epsilon, inputs.dtype))
            for average, batch_value in ((self.moving_mean, mean), (self.moving_variance, variance)):
                average.assign(average * self.momentum + batch_value * (1 - self.momentum))
            return outputs
        scale = tf.math.divide_no_nan(gamma, tf.sqrt(self.moving_variance + self.epsilon))
        return inputs * scale + (beta - self.moving_mean * scale)


class Dropout(keras.layers.Dropout):  # type: ignore[misc]
    """`keras.layers.Dropout` of shape (n, units), from 16 random bits a unit, where Keras draws 32."""

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Set a random share of the inputs to 0 in training, and scale up the others."""
        if not training or self.rate == 0:  # Keras gives the latter no random numbers
            return inputs
        rows, units = tf.shape(inputs)[0], inputs.shape[1]
        words = tf.random.stateless_uniform(
            (rows, -(-units * BITS // 32)), self.seed_generator.next(), None, None, tf.uint32, alg="philox"
        )
        bits = tf.reshape(tf.bitcast(words, tf.uint16), (rows, -1))[:, :units]
        dropped_values = min(round(self.rate * 2**BITS), 2**BITS - 1)
        mask = tf.cast(bits >= tf.constant(dropped_values, tf.uint16), inputs.dtype)
        return inputs * (mask * (2**BITS / (2**BITS - dropped_values)))


# Layers that leave pixels of 0 as they are, and have no weights.
PIXEL_LAYERS = (
    keras.layers.InputLayer,
    keras.layers.Rescaling,
    keras.layers.Reshape,
    keras.layers.Flatten,
)
REPLACEMENTS = {keras.layers.BatchNormalization: BatchNormalization, keras.layers.Dropout: Dropout}
PORTABLE = {keras.layers.Dense: Dense, keras.layers.Conv2D: Conv2D}


def is_mostly_zero(images: NDArray[Any]) -> bool:
    """Return whether so many pixels are 0 that a sparse product is faster than a dense one.

    Args:
        images: shape (n, ...); the first `SAMPLE_IMAGES` decide.
    """
    sample = images[:SAMPLE_IMAGES]
    return bool(np.count_nonzero(sample) <= LARGEST_NONZERO_SHARE * sample.size)


def build_logits_model(model: keras.Model, *, sparse: bool = False, portable: bool = False) -> keras.Model:
    """Copy a network, with its weights, up to its logits: all but the softmax.

    Layers of other classes, branches and connections around layers are copied as they are.

    Args:
        model: from images to probabilities, sequential or functional, its last layer a
            `keras.layers.Softmax`.
        sparse: whether most pixels are 0.
        portable: whether products and convolutions must have the same bits on every processor.

    Returns:
        A model from the same images to float32 logits, shape (n, classes).

    Raises:
        UserError: if the last layer is no softmax.
    """
    last = model.layers[-1]
    if not isinstance(last, keras.layers.Softmax):
        raise UserError(f"the model: expected a last layer Softmax, found {last!r}; run dvc repro")
    first = _find_dense_of_pixels(model) if sparse else None

    def copy_layer(layer: keras.layers.Layer) -> keras.layers.Layer:
        replacements = {**REPLACEMENTS, **PORTABLE} if portable else REPLACEMENTS
        layer_class: Any = SparseDense if layer is first else replacements.get(type(layer), type(layer))
        if layer_class is Conv2D and not Conv2D.suits(layer):
            layer_class = type(layer)
        return layer_class.from_config(layer.get_config())

    copy = keras.models.clone_model(model, clone_function=copy_layer, recursive=True)
    copy.set_weights(model.get_weights())
    return keras.Model(copy.inputs, copy.layers[-1].input)


def _find_dense_of_pixels(model: keras.Model) -> keras.layers.Layer | None:
    """Return a dense layer that gets the pixels themselves, of which it needs no gradient, if any does."""
    if isinstance(model, keras.Sequential):  # whose layers do not have its input
        behind = dropwhile(lambda layer: type(layer) in PIXEL_LAYERS, model.layers)
        return next((layer for layer in islice(behind, 1) if type(layer) is keras.layers.Dense), None)
    pixels = {id(tensor) for tensor in model.inputs}
    for layer in model.layers:  # each behind those whose outputs it gets
        if id(getattr(layer, "input", None)) in pixels:
            if type(layer) is keras.layers.Dense:
                return layer
            if type(layer) in PIXEL_LAYERS:
                pixels.add(id(layer.output))
    return None
