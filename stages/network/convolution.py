"""A convolution whose derivative has the same bits on every x86-64 processor.

TensorFlow's derivative of a convolution by its images calls oneDNN's product, whatever the switches in
`stages.common.runtime`, and that one differs between generations of processors. The convolution itself does
not, nor does its derivative by the filters. So here the derivative by the images is made of convolutions.
"""

from collections.abc import Sequence

from stages.common.backend import keras, tf


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
    """Convolve images, with a portable derivative.

    Args:
        images: shape (n, height, width, channels).
        kernel: shape (rows, columns, channels, filters).
        strides: down and to the right.
        padding: `SAME` or `VALID`, as in TensorFlow.

    Returns:
        Shape (n, rows, columns, filters).
    """
    steps = [1, *strides, 1]

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def convolve_here(images: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, object]:
        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            by_kernel = tf.raw_ops.Conv2DBackpropFilter(
                input=images,
                filter_sizes=kernel.shape,
                out_backprop=upstream,
                strides=steps,
                padding=padding,
            )
            return differentiate_by_images(upstream, kernel, images.shape[1:3], strides, padding), by_kernel

        return tf.nn.conv2d(images, kernel, steps, padding), gradient

    return convolve_here(images, kernel)


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
    return tf.nn.conv2d(tf.pad(outputs, positive), reverse, 1, "VALID")
