"""A network in operations that give the same bits on every x86-64 processor.

Two operations of TensorFlow do not: `rsqrt`, which Keras's batch normalisation uses, and float32 `softmax`.
They start from a processor's approximation of 1 / sqrt(x) or 1 / x, whose last bits are its maker's choice.
So the network is trained, and predicts, as a copy that divides instead and ends with the logits. The file
has the layers of Keras.
"""

import keras
import tensorflow as tf


class BatchNormalization(keras.layers.BatchNormalization):  # type: ignore[misc]
    """`keras.layers.BatchNormalization` of shape (n, width), by a square root and a division."""

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Normalise by the batch's mean and variance in training, by their moving averages otherwise."""
        mean, variance = self.moving_mean, self.moving_variance
        if training:
            mean, variance = tf.nn.moments(inputs, axes=[0])
            for average, now in ((self.moving_mean, mean), (self.moving_variance, variance)):
                average.assign(average * self.momentum + now * (1 - self.momentum))
        # TensorFlow would rewrite an ordinary division by a square root as a product with rsqrt.
        scale = tf.math.divide_no_nan(tf.convert_to_tensor(self.gamma), tf.sqrt(variance + self.epsilon))
        return inputs * scale + (self.beta - mean * scale)


def logits(model: keras.Sequential) -> keras.Sequential:
    """A copy of a network, with its weights, that ends before the softmax.

    Args:
        model: from images to probabilities, its last layer a `keras.layers.Softmax`.

    Returns:
        A model from the same images to float32 logits, shape (n, classes).
    """
    *layers, last = model.layers
    if not isinstance(last, keras.layers.Softmax):
        raise TypeError(f"expected a network whose last layer is a Softmax, found {last!r}")
    copy = keras.Sequential([keras.Input(model.input_shape[1:], dtype=model.inputs[0].dtype)])
    for layer in layers:
        kind = BatchNormalization if type(layer) is keras.layers.BatchNormalization else type(layer)
        copy.add(kind.from_config(layer.get_config()))
    copy.set_weights(model.get_weights())
    return copy
