"""Compare operations between this processor and emulated ones, one at a time on equal inputs.

    python -m tools.verify.operations                      # this processor against those of verify.processors
    python -m tools.verify.operations --cpu SandyBridge

A network must do without the operations that differ. Exit code: 0, or 2 after a mistake.
"""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np

from stages.common import command
from stages.common.backend import keras, tf
from stages.common.errors import UserError
from stages.common.fields import Augmentation
from stages.network import layers, optimizers
from stages.network.convolution import convolve
from stages.splits.augmentation import augment
from tools.verify.processors import EMULATED, MODELS, emulator

# Batches of training, small remainders of them, and those of scoring.
DENSE_BATCHES = (1, 8, 24, 64, 216, 256, 1000)
WIDTHS = ((784, 512), (512, 256), (256, 10), (512, 10), (1024, 10), (16, 10), (10, 512), (1024, 1024))

DISTORTIONS: list[dict[str, Any]] = [
    {"shift": 1},
    {"rotation": 12},
    {"scaling": 0.12},
    {"elastic": 0.7},
    {"flip": True},
    {"colour": 0.3},
    {"erasing": 0.5},
    {"shift": 2, "rotation": 12, "scaling": 0.12, "elastic": 0.7, "flip": True, "fill": "edge"},
]
# Sides of images, channels and filters, and the stride, of 3 x 3 convolutions.
CONVOLUTIONS = [
    (28, 1, 16, 2),
    (28, 1, 64, 1),
    (8, 1, 256, 2),
    (28, 3, 16, 2),
    (14, 16, 32, 1),
    (14, 32, 64, 2),
    (7, 64, 64, 1),
    (4, 128, 128, 1),
]


def compute_results() -> Iterator[tuple[str, tf.Tensor]]:
    """Yield the name and the result of each operation, on inputs that are the same everywhere."""
    random = np.random.default_rng(0)
    yield from compute_distortions(random)
    yield from compute_convolutions(random)
    yield from compute_dense_layers(random)

    def normal(*shape: int) -> tf.Tensor:
        return tf.constant(random.standard_normal(shape, dtype=np.float32))

    variable = keras.Variable(normal(784, 512))
    optimizer = optimizers.AdamW(0.001, weight_decay=0.05)
    for _ in range(3):
        optimizer.apply([normal(784, 512)], [variable])
    yield "three steps of AdamW", variable.value

    labels = tf.one_hot(np.arange(257) % 10, 10)
    logits, hidden, positive = normal(257, 10), normal(256, 512), tf.abs(normal(4099)) + 0.001
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = tf.nn.softmax_cross_entropy_with_logits(labels, logits)
    yield "cross-entropy", loss
    yield "gradient of cross-entropy", tape.gradient(loss, logits)
    yield "softmax", tf.nn.softmax(logits)
    yield "mean over the batch", tf.reduce_mean(hidden, 0)
    yield "moments over the batch", tf.stack(tf.nn.moments(hidden, [0]))
    yield "sum", tf.reduce_sum(hidden)
    for name in ("sqrt", "rsqrt", "reciprocal", "exp", "log", "tanh", "sigmoid", "cos"):
        yield name, getattr(tf.math, name)(positive)
    yield "division", positive / (positive + 1)
    yield "stateless uniform", tf.random.stateless_uniform((784, 512), [0, 1])
    yield "stateless normal", tf.random.stateless_normal((784, 512), [0, 1])
    yield "stateless shuffle", tf.random.experimental.stateless_shuffle(tf.range(60_000), [0, 1])


def compute_distortions(random: np.random.Generator) -> Iterator[tuple[str, tf.Tensor]]:
    """Yield the results of each kind of distortion, of grey images and of images in colour."""
    for shape in ((64, 28, 28), (64, 16, 16, 3)):
        images = tf.constant(random.integers(0, 256, shape).astype(np.uint8))
        for distortion in DISTORTIONS:
            result = augment(images, Augmentation(**distortion), 255, tf.constant([0, 1], tf.int64))
            yield f"{distortion} of {' x '.join(map(str, shape))}", result


def compute_convolutions(random: np.random.Generator) -> Iterator[tuple[str, tf.Tensor]]:
    """Yield the results of convolutions, and their derivatives."""
    for batch in (1, 24, 216, 256):
        places = tf.constant(random.standard_normal((batch, 7, 7, 128), dtype=np.float32))
        yield f"mean over places {batch} x 7 x 7 x 128", tf.reduce_mean(places, axis=(1, 2))
        for side, channels, filters, stride in CONVOLUTIONS:
            images = tf.constant(random.standard_normal((batch, side, side, channels), dtype=np.float32))
            kernel = tf.constant(random.standard_normal((3, 3, channels, filters), dtype=np.float32))
            with tf.GradientTape() as tape:
                tape.watch((images, kernel))
                result = convolve(images, kernel, (stride, stride), "SAME")
            upstream = tf.constant(random.standard_normal(result.shape, dtype=np.float32))
            by_images, by_kernel = tape.gradient(result, (images, kernel), upstream)
            shape = f"{batch} x {side} x {side} x {channels} to {filters}, stride {stride}"
            yield f"convolution {shape}", result
            yield f"gradient by the images, convolution {shape}", by_images
            yield f"gradient by the filters, convolution {shape}", by_kernel
            with tf.GradientTape() as tape:
                tape.watch(images)
                result = tf.nn.conv2d(images, kernel, stride, "SAME")
            yield (
                f"TensorFlow's gradient by the images, convolution {shape}",
                tape.gradient(result, images, upstream),
            )


def compute_dense_layers(random: np.random.Generator) -> Iterator[tuple[str, tf.Tensor]]:
    """Yield the results of dense layers, and their derivatives."""
    for batch, (width, units) in product(DENSE_BATCHES, WIDTHS):
        inputs = tf.nn.relu(tf.constant(random.standard_normal((batch, width), dtype=np.float32)))
        kernel = tf.constant(random.standard_normal((width, units), dtype=np.float32))
        upstream = tf.constant(random.standard_normal((batch, units), dtype=np.float32))
        for layer_class in (layers.Dense, layers.SparseDense):
            layer = layer_class(units, use_bias=False)
            layer.build(inputs.shape)
            layer.kernel.assign(kernel)
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                result = layer(inputs)
            by_inputs, by_weights = tape.gradient(result, (inputs, layer.kernel.value), upstream)
            shape = f"{layer_class.__name__} {batch} x {width} x {units}"
            yield shape, result
            yield f"gradient by the weights, {shape}", by_weights
            if by_inputs is not None:  # those of the sparse product are pixels
                yield f"gradient by the inputs, {shape}", by_inputs
        yield f"TensorFlow's product {batch} x {width} x {units}", tf.matmul(inputs, kernel)


def print_hashes() -> None:
    """Print each operation and the hash of its result, with a tab between them."""
    for name, result in compute_results():
        print(f"{name}\t{hashlib.sha256(result.numpy().tobytes()).hexdigest()}")


def compute_hashes(emulated: Sequence[str]) -> dict[str, str]:
    """Return the hash of each operation's result, from a process of its own, emulated or not."""
    completed = subprocess.run(
        [*emulated, sys.executable, "-m", "tools.verify.operations", "--print"],
        env={**os.environ, **EMULATED},
        capture_output=True,
        text=True,
        check=False,
    )
    if completed.returncode != 0:
        raise UserError(
            f"{' '.join(emulated)}: exit code {completed.returncode}: {completed.stderr.strip()[-200:]}"
        )
    return dict(line.split("\t") for line in completed.stdout.splitlines())


def main(models: Sequence[str]) -> None:
    """Print the operations that give other bits on each emulated processor."""
    here = compute_hashes(())
    for model in models:
        there = compute_hashes(emulator(model))
        differing = [name for name in here if there[name] != here[name]]
        print(
            f"{model}: {len(differing)} of {len(here)} operations differ: {', '.join(differing)}", flush=True
        )


if __name__ == "__main__":
    parser = command.Parser(prog="python -m tools.verify.operations", description=__doc__)
    parser.add_argument(
        "--cpu", action="append", metavar="MODEL", help="a model of qemu's, one or more times"
    )
    parser.add_argument("--print", action="store_true", help="print this processor's hashes instead")
    arguments = parser.parse_args()
    command.finish(print_hashes if arguments.print else lambda: main(arguments.cpu or MODELS))
