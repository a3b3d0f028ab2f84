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

import numpy as np

from stages.common import command
from stages.common.backend import keras, tf
from stages.common.errors import UserError
from stages.network import optimizers
from tools.verify.processors import EMULATED, MODELS, emulator

# Batches of training, their remainder, and those of scoring; widths in use, and larger ones.
PRODUCTS = [
    (batch, inputs, outputs)
    for batch in (64, 216, 256, 1000)
    for inputs, outputs in ((784, 512), (512, 256), (256, 10), (512, 10), (1024, 1024))
]


def compute_results() -> Iterator[tuple[str, tf.Tensor]]:
    """Yield the name and the result of each operation, on inputs that are the same everywhere."""
    random = np.random.default_rng(0)

    def normal(*shape: int) -> tf.Tensor:
        return tf.constant(random.standard_normal(shape, dtype=np.float32))

    for batch, inputs, outputs in PRODUCTS:
        images, weights, gradient = normal(batch, inputs), normal(inputs, outputs), normal(batch, outputs)
        shape = f"{batch} x {inputs} x {outputs}"
        yield f"product {shape}", tf.matmul(images, weights)
        yield f"gradient by the weights {shape}", tf.matmul(images, gradient, transpose_a=True)
        yield f"gradient by the inputs {shape}", tf.matmul(gradient, weights, transpose_b=True)

    pixels, weights, gradient = tf.nn.relu(normal(256, 784)), normal(784, 512), normal(256, 512)
    yield "sparse product", tf.raw_ops.SparseMatMul(a=pixels, b=weights, a_is_sparse=True)
    yield (
        "gradient of the sparse product by the weights",
        tf.raw_ops.SparseMatMul(a=pixels, b=gradient, transpose_a=True, a_is_sparse=True),
    )
    variable = keras.Variable(weights)
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
