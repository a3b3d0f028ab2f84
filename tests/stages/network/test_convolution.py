"""The convolution with a portable derivative is TensorFlow's."""

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest

from stages.common.backend import keras, tf
from stages.network.convolution import Conv2D, convolve

SIDES = (5, 6, 7, 8)


def differentiate(function: Callable[[], tf.Tensor], *variables: tf.Tensor) -> list[np.ndarray]:
    """Return the result of a function, and the derivatives of a weighted sum of it."""
    with tf.GradientTape() as tape:
        tape.watch(variables)
        result = function()
        weights = np.random.default_rng(1).standard_normal(result.shape)
        total = tf.reduce_sum(result * weights)
    return [result.numpy(), *(gradient.numpy() for gradient in tape.gradient(total, variables))]


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel_side", [1, 2, 3, 4, 5])
def test_results_and_derivatives_are_those_of_tensorflow(kernel_side: int, stride: int, padding: str) -> None:
    random = np.random.default_rng(0)
    for height, width in product(SIDES, SIDES):
        images = tf.constant(random.standard_normal((2, height, width, 3)))
        kernel = tf.constant(random.standard_normal((kernel_side, kernel_side, 3, 4)))
        expected = differentiate(
            lambda images=images, kernel=kernel: tf.nn.conv2d(images, kernel, stride, padding), images, kernel
        )
        ours = differentiate(
            lambda images=images, kernel=kernel: convolve(images, kernel, (stride, stride), padding),
            images,
            kernel,
        )
        for own, of_tensorflow in zip(ours, expected, strict=True):
            np.testing.assert_allclose(own, of_tensorflow, atol=1e-12)


def test_strides_and_sides_may_differ() -> None:
    random = np.random.default_rng(0)
    images = tf.constant(random.standard_normal((2, 9, 6, 3)))
    kernel = tf.constant(random.standard_normal((2, 5, 3, 4)))
    expected = differentiate(lambda: tf.nn.conv2d(images, kernel, [1, 3, 1, 1], "SAME"), images, kernel)
    ours = differentiate(lambda: convolve(images, kernel, (3, 1), "SAME"), images, kernel)
    for own, of_tensorflow in zip(ours, expected, strict=True):
        np.testing.assert_allclose(own, of_tensorflow, atol=1e-12)


@pytest.mark.parametrize(("channels", "filters"), [(1, 200), (3, 130), (40, 200), (1, 8)])
def test_a_wide_first_layer_is_that_of_tensorflow(channels: int, filters: int) -> None:
    random = np.random.default_rng(0)
    images = tf.constant(random.standard_normal((3, 6, 5, channels)))
    kernel = tf.constant(random.standard_normal((3, 3, channels, filters)))
    expected = differentiate(lambda: tf.nn.conv2d(images, kernel, 2, "SAME"), images, kernel)
    ours = differentiate(lambda: convolve(images, kernel, (2, 2), "SAME"), images, kernel)
    for own, of_tensorflow in zip(ours, expected, strict=True):
        assert own.shape == of_tensorflow.shape
        np.testing.assert_allclose(own, of_tensorflow, atol=1e-11)


@pytest.mark.parametrize("change", [{"groups": 2}, {"dilation_rate": 2}])
def test_other_kinds_of_convolution_stay_those_of_keras(change: dict[str, int]) -> None:
    assert Conv2D.suits(keras.layers.Conv2D(4, 3))
    assert not Conv2D.suits(keras.layers.Conv2D(4, 3, **change))
