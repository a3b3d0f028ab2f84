"""Augmentation: random shifts, rotations, scalings, bends and mirror images of training images."""

import math

import numpy as np

from stages.common.backend import tf
from stages.common.fields import Augmentation

SMOOTHNESS = 4.0  # pixels over which a bend changes; Simard, Steinkraus and Platt, 2003, have the same


def augment(images: tf.Tensor, augmentation: Augmentation, seed: tf.Tensor) -> tf.Tensor:
    """Distort each image at random, in one interpolation.

    Source: Simard, Steinkraus and Platt, "Best Practices for Convolutional Neural Networks Applied to Visual
    Document Analysis", 2003, section 2, whose field of displacements is here scaled to a known deviation.

    Args:
        images: shape (n, height, width) or (n, height, width, channels), of any type of number.
        augmentation: the largest distortions.
        seed: shape (2,), whole numbers, which alone decide what is drawn.

    Returns:
        As many images of the same shape and type; what comes in from beyond the edges is 0.
    """
    if not any(augmentation.model_dump().values()):
        return images
    count, (height, width) = tf.shape(images)[0], images.shape[1:3]
    affine_seed, bend_seed = tf.unstack(tf.random.split(seed, 2))
    angle, scale, down, right, mirror_draw = tf.unstack(
        tf.random.stateless_uniform((5, count, 1, 1), affine_seed, minval=-1), num=5
    )
    angle *= math.radians(augmentation.rotation)
    factor = tf.exp(scale * math.log1p(augmentation.scaling))
    mirror = tf.where(mirror_draw < 0, -1.0, 1.0) if augmentation.flip else 1.0
    # The place in the old image, from its middle, that each pixel of the new image comes from.
    y = tf.reshape(tf.range(height, dtype=tf.float32) - (height - 1) / 2, (1, height, 1))
    x = tf.reshape(tf.range(width, dtype=tf.float32) - (width - 1) / 2, (1, 1, width))
    from_y = factor * (tf.cos(angle) * y - tf.sin(angle) * x) + augmentation.shift * down
    from_x = factor * (tf.sin(angle) * y + tf.cos(angle) * x) * mirror + augmentation.shift * right
    if augmentation.elastic:
        bend = augmentation.elastic * _smooth_noise(count, height, width, bend_seed)
        from_y, from_x = from_y + bend[0], from_x + bend[1]
    return _interpolate(images, from_y + (height - 1) / 2, from_x + (width - 1) / 2)


def _smooth_noise(count: tf.Tensor, height: int, width: int, seed: tf.Tensor) -> tf.Tensor:
    """Return two fields for each image, shape (2, n, height, width), of mean 0 and deviation 1 everywhere."""
    rows, columns = _gaussian_rows(height), _gaussian_rows(width)
    noise = tf.random.stateless_uniform(
        (2, count, rows.shape[1], columns.shape[1]), seed, minval=-math.sqrt(3), maxval=math.sqrt(3)
    )
    return tf.matmul(tf.matmul(rows, noise), columns, transpose_b=True)


def _gaussian_rows(length: int) -> tf.Tensor:
    """Return a matrix that smooths a column of noise: row i is a Gaussian around i, with Euclidean norm 1.

    Noise at every `SMOOTHNESS` pixels is as smooth as noise at each, and is drawn in a tenth of the time.
    """
    nodes = np.arange(0, length + SMOOTHNESS, SMOOTHNESS)
    rows = np.exp(-(((nodes - np.arange(length)[:, None]) / SMOOTHNESS) ** 2) / 2)
    return tf.constant(rows / np.linalg.norm(rows, axis=1, keepdims=True), tf.float32)


def _interpolate(images: tf.Tensor, y: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """Return the images at other places, bilinearly between pixels; y and x have shape (n, height, width)."""
    height, width = images.shape[1:3]
    channels = images.shape[3:].as_list()
    # A border of one pixel of 0, and a second one below and to the right, where the neighbours of the last
    # pixels are read.
    padded = tf.pad(images, [[0, 0], [1, 2], [1, 2], *[[0, 0]] * len(channels)])
    y = tf.clip_by_value(y, -1, height) + 1
    x = tf.clip_by_value(x, -1, width) + 1
    top, left = tf.floor(y), tf.floor(x)
    row_length = width + 3
    start = tf.reshape(tf.range(tf.shape(images)[0]) * ((height + 3) * row_length), (-1, 1, 1))
    corner = start + tf.cast(top, tf.int32) * row_length + tf.cast(left, tf.int32)
    pixels = tf.cast(tf.reshape(padded, (-1, *channels)), tf.float32)
    down, right = y - top, x - left
    if channels:
        down, right = down[..., None], right[..., None]
    upper = tf.gather(pixels, corner) * (1 - right) + tf.gather(pixels, corner + 1) * right
    lower = (
        tf.gather(pixels, corner + row_length) * (1 - right)
        + tf.gather(pixels, corner + row_length + 1) * right
    )
    values = upper * (1 - down) + lower * down
    return tf.cast(tf.round(values) if images.dtype.is_integer else values, images.dtype)
