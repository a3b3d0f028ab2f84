"""Job of the scripts in this folder: its parameters, its data, and a stopwatch.

The job is one argument in JSON: dataset, its key; folder, of its arrays; images, how many of the training
images, or null for all; classes, their number; parameters, as `stages.network.schema.TrainParameters` reads
them; and `reach`, a test accuracy to stop at, or null.
"""

import json
import os
import sys
import time
from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray

START_TIME = float(os.environ["BENCHMARK_START"])  # as `measurement.measure` notes it, in s since 1970
JOB = SimpleNamespace(**json.loads(sys.argv[1]))
NETWORK = SimpleNamespace(**JOB.parameters["network"])
BATCH_SIZE: int = JOB.parameters["training"]["batch_size"]
EPOCHS: int = JOB.parameters["training"]["epochs"]


def read_split(split: str) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Read a split in the usual form: images from 0 to 1, float32, shape (n, height, width, ...); labels."""
    images = np.load(f"{JOB.folder}/{split}/images.npy")
    labels = np.load(f"{JOB.folder}/{split}/labels.npy").astype(np.int64)
    rows = slice(JOB.images if split == "train" else None)
    return images[rows].astype(np.float32) / JOB.parameters["largest_pixel"], labels[rows]


def read_scored_split() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Read the split that the accuracy is measured on: test in a race to a test accuracy, else validation."""
    return read_split("validation" if JOB.reach is None else "test")


class Stopwatch:
    """The seconds of each epoch, without its validation, and the seconds to the goal of the job.

    Attributes:
        epochs: the seconds of each epoch so far.
        accuracy: after the last epoch so far, on the images of `read_scored_split`.
        seconds_to_goal: the seconds from the start of the program to the goal; None before.
    """

    def __init__(self) -> None:
        """Begin without epochs."""
        self.epochs: list[float] = []
        self.accuracy = 0.0
        self.seconds_to_goal: float | None = None
        self._start = 0.0

    def start(self) -> None:
        """Note that an epoch begins."""
        self._start = time.perf_counter()

    def stop(self) -> None:
        """Note that the epoch ends, and its validation begins."""
        self.epochs.append(time.perf_counter() - self._start)

    def is_goal_reached(self, accuracy: float) -> bool:
        """Note the accuracy after an epoch, and return whether it, or an earlier one, reaches the goal."""
        self.accuracy = accuracy
        if self.seconds_to_goal is None and JOB.reach is not None and accuracy >= JOB.reach:
            self.seconds_to_goal = time.time() - START_TIME
        return self.seconds_to_goal is not None

    def print(self, weights: int) -> None:
        """Print the result in JSON, as the last line.

        Args:
            weights: of the network, without biases; programs that train the same layers have as many.
        """
        print(
            json.dumps(
                {
                    "epochs": self.epochs,
                    "accuracy": self.accuracy,
                    "seconds_to_goal": self.seconds_to_goal,
                    "weights": weights,
                }
            )
        )
