"""Augmentation of training images: random colours, shifts, rotations, scalings, bends and rectangles."""

import math

import numpy as np

from stages.common.backend import tf
from stages.common.fields import Augmentation

COLOUR_STREAM, ERASING_STREAM, FLIP_STREAM = 2, 3, 4  # of random numbers, beside those of places
SMOOTHNESS = 4.0  # pixels over which a bend changes; Simard, Steinkraus and Platt, 2003, have the same
# Of a rectangle of noise: its share of the image, and the longer side as a multiple of the other. These are
# the defaults of torchvision's RandomErasing.
ERASED_SHARES = (0.02, 0.33)
LARGEST_RATIO = 3.3


def augment(images: tf.Tensor, augmentation: Augmentation, largest_pixel: int, seed: tf.Tensor) -> tf.Tensor:
    """Distort each image at random: its colours, its direction, its places in one interpolation, a rectangle.

    Args:
        images: shape (n, height, width) or (n, height, width, channels), of any type of number.
        augmentation: the largest distortions.
        largest_pixel: the largest value that a pixel may have.
        seed: shape (2,), whole numbers, which alone decide what is drawn.

    Returns:
        As many images of the same shape and type.
    """
    if augmentation.colour:
        images = _recolour(images, augmentation.colour, largest_pixel, tf.random.fold_in(seed, COLOUR_STREAM))
    if augmentation.flip:
        images = _flip(images, tf.random.fold_in(seed, FLIP_STREAM))
    if augmentation.interpolates:
        images = _move(images, augmentation, seed)
    if augmentation.erasing:
        images = _erase(images, augmentation.erasing, largest_pixel, tf.random.fold_in(seed, ERASING_STREAM))
    return images


def _flip(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Return images of which about half are mirrored."""
    shape = (tf.shape(images)[0], *[1] * (images.shape.rank - 1))
    return tf.where(tf.random.stateless_uniform(shape, seed, minval=-1) < 0, images[:, :, ::-1], images)


def _move(images: tf.Tensor, augmentation: Augmentation, seed: tf.Tensor) -> tf.Tensor:
    """Return images whose pixels come from other places.

    Source: Simard, Steinkraus and Platt, "Best Practices for Convolutional Neural Networks Applied to Visual
    Document Analysis", 2003, section 2, whose field of displacements is here scaled to a known deviation.
    """
    count, (height, width) = tf.shape(images)[0], images.shape[1:3]
    affine_seed, bend_seed = tf.unstack(tf.random.split(seed, 2))
    angle, scale, down, right = tf.unstack(
        tf.random.stateless_uniform((4, count, 1, 1), affine_seed, minval=-1), num=4
    )
    angle *= math.radians(augmentation.rotation)
    factor = tf.exp(scale * math.log1p(augmentation.scaling))
    # The place in the old image, from its middle, that each pixel of the new image comes from.
    y = tf.reshape(tf.range(height, dtype=tf.float32) - (height - 1) / 2, (1, height, 1))
    x = tf.reshape(tf.range(width, dtype=tf.float32) - (width - 1) / 2, (1, 1, width))
    from_y = factor * (tf.cos(angle) * y - tf.sin(angle) * x) + augmentation.shift * down
    from_x = factor * (tf.sin(angle) * y + tf.cos(angle) * x) + augmentation.shift * right
    if augmentation.elastic:
        bend = augmentation.elastic * _smooth_noise(count, height, width, bend_seed)
        from_y, from_x = from_y + bend[0], from_x + bend[1]
    from_y, from_x = from_y + (height - 1) / 2, from_x + (width - 1) / 2
    if augmentation.fill == "edge":
        from_y, from_x = tf.clip_by_value(from_y, 0, height - 1), tf.clip_by_value(from_x, 0, width - 1)
    return _interpolate(images, from_y, from_x)


def _recolour(images: tf.Tensor, strength: float, largest_pixel: int, seed: tf.Tensor) -> tf.Tensor:
    """Return images with another contrast and another mean of each channel, within what pixels may be."""
    values = tf.cast(images, tf.float32)
    mean = tf.reduce_mean(values, axis=(1, 2), keepdims=True)
    contrast, brightness = tf.unstack(
        tf.random.stateless_uniform(tf.concat([[2], tf.shape(mean)], axis=0), seed, minval=-1), num=2
    )
    new_mean = tf.clip_by_value(mean + brightness * (strength * largest_pixel / 2), 0, largest_pixel)
    values = (values - mean) * tf.exp(contrast * strength) + new_mean
    return _cast_pixels(tf.clip_by_value(values, 0, largest_pixel), images.dtype)


def _erase(images: tf.Tensor, share: float, largest_pixel: int, seed: tf.Tensor) -> tf.Tensor:
    """Return images of which some have a rectangle of noise, other in each pixel and channel.

    Source: Zhong et al., "Random Erasing Data Augmentation", 2020, algorithm 1. As in torchvision, the
    ratio of the sides is drawn on a logarithmic scale; a side that is too long is cut, where both draw again.
    """
    count, (height, width) = tf.shape(images)[0], images.shape[1:3]
    rectangle_seed, noise_seed = tf.unstack(tf.random.split(seed, 2))
    chosen, size, shape, down, right = tf.unstack(
        tf.random.stateless_uniform((5, count, 1, 1), rectangle_seed), num=5
    )
    smallest, largest = ERASED_SHARES
    area = (smallest + size * (largest - smallest)) * (height * width)
    ratio = tf.exp((2 * shape - 1) * math.log(LARGEST_RATIO))
    # Whole pixels, at least one, and no more than the image has.
    rows = tf.clip_by_value(tf.round(tf.sqrt(area * ratio)), 1, height)
    columns = tf.clip_by_value(tf.round(tf.sqrt(area / ratio)), 1, width)
    top, left = tf.floor(down * (height - rows + 1)), tf.floor(right * (width - columns + 1))
    y = tf.reshape(tf.range(height, dtype=tf.float32), (1, height, 1))
    x = tf.reshape(tf.range(width, dtype=tf.float32), (1, 1, width))
    is_inside = (y >= top) & (y < top + rows) & (x >= left) & (x < left + columns)
    is_erased = tf.reshape(is_inside & (chosen < share), (-1, height, width, *[1] * (images.shape.rank - 3)))
    noise = tf.random.stateless_uniform(tf.shape(images), noise_seed)
    if images.dtype.is_integer:  # every value is as likely, the largest among them
        noise = tf.minimum(tf.floor(noise * (largest_pixel + 1)), largest_pixel)
    else:
        noise *= largest_pixel
    return tf.where(is_erased, tf.cast(noise, images.dtype), images)


def _cast_pixels(values: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Return float32 values as pixels of a type, the nearest whole numbers if it has no others."""
    return tf.cast(tf.round(values) if dtype.is_integer else values, dtype)


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
    """Return the images at other places, bilinearly between pixels, and 0 beyond the edges.

    The places, y and x, have shape (n, height, width).
    """
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
    return _cast_pixels(upper * (1 - down) + lower * down, images.dtype)
