"""A convolution that has, with its derivatives, the same bits on every x86-64 processor.

TensorFlow's derivative of a convolution by its images calls oneDNN's product, whatever the switches in
`stages.common.runtime`, and that one differs between generations of processors. The convolution itself does
not, nor does its derivative by the filters, if the batch is large enough. So here the derivative by the
images is made of convolutions, and small batches get zeros.
"""

from collections.abc import Sequence
from math import ceil, prod

from stages.common.backend import keras, tf
from stages.network.padding import MOST_WHOLE_COLUMNS, count_least_rows, pad_batch


class Conv2D(keras.layers.Conv2D):  # type: ignore[misc]
    """`keras.layers.Conv2D` of images with the channels last, in one group and without dilation."""

    @staticmethod
    def suits(layer: keras.layers.Conv2D) -> bool:
        """Return whether this class can take the place of a layer."""
        others = (layer.data_format, layer.groups, layer.dilation_rate)
        return others == ("channels_last", 1, (1, 1))

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """Return the convolution, shape (n, rows, columns, filters)."""
        return convolve(inputs, tf.convert_to_tensor(kernel), self.strides, self.padding.upper())


def convolve(images: tf.Tensor, kernel: tf.Tensor, strides: Sequence[int], padding: str) -> tf.Tensor:
    """Convolve images, portably.

    Args:
        images: shape (n, height, width, channels).
        kernel: shape (rows, columns, channels, filters).
        strides: down and to the right.
        padding: `SAME` or `VALID`, as in TensorFlow.

    Returns:
        Shape (n, rows, columns, filters).
    """
    steps = [1, *strides, 1]
    *taps, channels, filters = kernel.shape
    zeros = ceil(count_least_rows(filters) / prod(taps)) - channels
    if (
        zeros > 0 and filters > MOST_WHOLE_COLUMNS
    ):  # a wide first layer: its derivative by the filters has few rows
        images = tf.pad(images, [[0, 0], [0, 0], [0, 0], [0, zeros]])
        kernel = tf.pad(kernel, [[0, 0], [0, 0], [0, zeros], [0, 0]])

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def convolve_here(images: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, object]:
        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            by_kernel = tf.raw_ops.Conv2DBackpropFilter(
                input=padded,
                filter_sizes=kernel.shape,
                out_backprop=_pad(upstream, kernel, places),
                strides=steps,
                padding=padding,
            )
            return differentiate_by_images(upstream, kernel, images.shape[1:3], strides, padding), by_kernel

        places = _count_places(images.shape[1:3], kernel.shape[:2], strides, padding)
        padded = _pad(images, kernel, places)
        return tf.nn.conv2d(padded, kernel, steps, padding)[: tf.shape(images)[0]], gradient

    return convolve_here(images, kernel)


def _count_places(
    image_sides: Sequence[int], kernel_sides: Sequence[int], strides: Sequence[int], padding: str
) -> int:
    """Return the number of places at which a convolution has outputs."""
    lost = [0, 0] if padding == "SAME" else [side - 1 for side in kernel_sides]
    return prod(
        -(-(side - less) // stride) for side, less, stride in zip(image_sides, lost, strides, strict=True)
    )


def _pad(batch: tf.Tensor, kernel: tf.Tensor, places: int) -> tf.Tensor:
    """Return a batch of images, or of outputs, with as many zeros as a convolution by a filter needs."""
    width = max(prod(kernel.shape[:3]), kernel.shape[3])
    return pad_batch(batch, places * prod(kernel.shape), width, places)


def differentiate_by_images(
    upstream: tf.Tensor, kernel: tf.Tensor, image_sides: Sequence[int], strides: Sequence[int], padding: str
) -> tf.Tensor:
    """Return the derivative of a convolution by its images, times the derivative by the convolution.

    An output at place o depends on a pixel at place p by the filter's element p - stride * o. So all pixels
    with one remainder of p by the stride get a convolution of `upstream` with the elements of this remainder,
    in reverse order.

    Args:
        upstream: the derivative by the convolution, shape (n, rows, columns, filters).
        kernel: shape (rows, columns, channels, filters).
        image_sides: height and width of the images.
        strides: down and to the right.
        padding: `SAME` or `VALID`.

    Returns:
        Shape (n, height, width, channels).
    """
    kernel_sides, output_sides = kernel.shape[:2], upstream.shape[1:3]
    edges = [
        _find_edge(*sides, padding)
        for sides in zip(image_sides, kernel_sides, output_sides, strides, strict=True)
    ]
    # The places of pixels, divided by the strides: the first, and the one behind the last.
    firsts = [edge // stride for edge, stride in zip(edges, strides, strict=True)]
    ends = [
        -(-(edge + side) // stride) for edge, side, stride in zip(edges, image_sides, strides, strict=True)
    ]
    rows = []
    for down in range(strides[0]):
        columns = []
        for right in range(strides[1]):
            part = kernel[down :: strides[0], right :: strides[1]]
            columns.append(_convolve_outputs(upstream, part, firsts, ends))
        rows.append(tf.stack(columns, axis=3))
    height, width = ((end - first) * stride for first, end, stride in zip(firsts, ends, strides, strict=True))
    whole = tf.reshape(tf.stack(rows, axis=2), (-1, height, width, kernel.shape[2]))
    top, left = (edge % stride for edge, stride in zip(edges, strides, strict=True))
    return whole[:, top : top + image_sides[0], left : left + image_sides[1]]


def _find_edge(side: int, kernel_side: int, output_side: int, stride: int, padding: str) -> int:
    """Return the number of zeros that a convolution adds before an image."""
    return max((output_side - 1) * stride + kernel_side - side, 0) // 2 if padding == "SAME" else 0


def _convolve_outputs(
    upstream: tf.Tensor, part: tf.Tensor, firsts: Sequence[int], ends: Sequence[int]
) -> tf.Tensor:
    """Return the convolution of `upstream` with a part of the filter in reverse order, at some places.

    Args:
        upstream: shape (n, rows, columns, filters); 0 beyond its edges.
        part: shape (rows, columns, channels, filters); it may be empty.
        firsts: the first place, down and to the right.
        ends: the place behind the last.
    """
    margins = [[0, 0]]
    for axis, (taps, first, end) in enumerate(zip(part.shape[:2], firsts, ends, strict=True), start=1):
        before = taps - 1 - first
        margins.append([before, end - upstream.shape[axis]])
    if 0 in part.shape[:2]:
        height, width = (end - first for first, end in zip(firsts, ends, strict=True))
        return tf.zeros((tf.shape(upstream)[0], height, width, part.shape[2]), upstream.dtype)
    (_, (above, below), (left, right)) = margins
    outputs = upstream[
        :,
        max(-above, 0) : upstream.shape[1] + min(below, 0),
        max(-left, 0) : upstream.shape[2] + min(right, 0),
    ]
    positive = [[max(size, 0) for size in margin] for margin in [*margins, [0, 0]]]
    reverse = tf.transpose(tf.reverse(part, [0, 1]), [0, 1, 3, 2])
    padded = tf.pad(outputs, positive)
    places = _count_places(padded.shape[1:3], reverse.shape[:2], (1, 1), "VALID")
    return tf.nn.conv2d(_pad(padded, reverse, places), reverse, 1, "VALID")[: tf.shape(upstream)[0]]
