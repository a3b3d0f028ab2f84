"""How close an epoch of training comes to the speed of this machine's matrix products.

A dense network multiplies matrices; all else is overhead. So the floor of an epoch is the time that its
products alone would take at the rate that a large float32 product in NumPy reaches in the same run, on as
many threads: 2 operations for each weight and image on the way forward and 4 on the way back. That usual
count is a little generous, since the first layer needs only 2 of the 4.

    dvc repro preprocess && python -m benchmarks.epoch
"""

import contextlib
import io
import multiprocessing
import os
import resource
import sys
import time

import keras
import numpy as np
from threadpoolctl import threadpool_limits

import stages
from stages import arrays, environment, layout, network, parameters, train
from stages.parameters import Dataset

SIZE = 2048  # large enough for the full rate, small enough for ten products a second
REPEATS = 10


class Stopwatch(keras.callbacks.Callback):  # type: ignore[misc]
    """The seconds of each epoch, without its validation."""

    def __init__(self) -> None:
        """Start with none."""
        super().__init__()
        self.seconds: list[float] = []
        self._start = 0.0

    def on_epoch_begin(self, *_: object, **__: object) -> None:
        """Take the time."""
        self._start = time.perf_counter()

    def on_test_begin(self, *_: object, **__: object) -> None:
        """Take the time: validation begins."""
        self.seconds.append(time.perf_counter() - self._start)


def product_rate() -> float:
    """Operations a second of a float32 matrix product: the median of several."""
    left, right = np.random.default_rng(0).random((2, SIZE, SIZE), np.float32)
    seconds = []
    with threadpool_limits(stages.THREADS):
        for _ in range(REPEATS):
            start = time.perf_counter()
            np.matmul(left, right)
            seconds.append(time.perf_counter() - start)
    return float(2 * SIZE**3 / np.median(seconds))


def weights_in_products(dataset: Dataset, image_shape: tuple[int, ...]) -> int:
    """The number of weights that multiply something, so without biases."""
    model = network.build(dataset.network, image_shape, dataset.largest_pixel, len(dataset.classes), 0)
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights if len(weight.shape) > 1)


def measure(name: str, dataset: Dataset) -> None:
    """Train a network as the pipeline does, and print a line of the table."""
    training, validation = (arrays.read(layout.processed(name, split)) for split in ("train", "validation"))
    stopwatch = Stopwatch()
    rate_before = product_rate()
    start = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        train.train(dataset, training, validation, [stopwatch])
    whole = time.perf_counter() - start
    rate = (rate_before + product_rate()) / 2
    epoch = np.median(stopwatch.seconds[1:])  # the first one compiles
    weights = weights_in_products(dataset, training.images.shape[1:])
    floor = 6 * len(training.images) * weights / rate
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)
    print(
        f"| {name:13} | {whole:6.1f} s | {epoch:7.3f} s | {floor:7.3f} s | {epoch / floor:5.2f} "
        f"| {rate / 1e9:4.0f} GFLOP/s | {memory:7.2f} GiB |",
        flush=True,
    )


def main() -> None:
    """Print the table, each data set measured in a process of its own."""
    print(f"{environment.cpu()}; {os.cpu_count()} processors, {stages.THREADS} threads\n")
    print("| data set      | training |   epoch   |   floor   | ratio | products     | peak memory |")
    print(
        "|---------------|---------:|----------:|----------:|------:|-------------:|------------:|",
        flush=True,
    )
    for name, dataset in parameters.load().datasets.items():
        process = multiprocessing.get_context("spawn").Process(target=measure, args=(name, dataset))
        process.start()
        process.join()
        if process.exitcode:
            sys.exit(process.exitcode)


if __name__ == "__main__":
    main()
