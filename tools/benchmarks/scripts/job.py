"""Job of the scripts in this folder: its parameters, its data, and a stopwatch.

The job is one argument in JSON: dataset, folder, largest_pixel, hidden, dropout, batch_normalization,
batch_size, epochs, and `reach`, a validation accuracy to stop at, or null. Each script reads some of these
keys.
"""

import json
import sys
import time
from types import SimpleNamespace

import numpy as np
import psutil
from numpy.typing import NDArray

START_TIME = psutil.Process().create_time()
JOB = SimpleNamespace(**json.loads(sys.argv[1]))


def read_split(split: str) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Read a split in the usual form: images from 0 to 1, float32, shape (n, pixels); labels, shape (n,)."""
    images = np.load(f"{JOB.folder}/{split}/images.npy")
    labels = np.load(f"{JOB.folder}/{split}/labels.npy").astype(np.int64)
    return images.reshape(len(images), -1).astype(np.float32) / JOB.largest_pixel, labels


class Stopwatch:
    """The seconds of each epoch, without its validation, and the seconds to the goal of the job.

    Attributes:
        epochs: the seconds of each epoch so far.
        seconds_to_goal: the seconds from the start of the program to the goal; None before.
    """

    def __init__(self) -> None:
        """Begin without epochs."""
        self.epochs: list[float] = []
        self.seconds_to_goal: float | None = None
        self._start = 0.0

    def start(self) -> None:
        """Note that an epoch begins."""
        self._start = time.perf_counter()

    def stop(self) -> None:
        """Note that the epoch ends, and its validation begins."""
        self.epochs.append(time.perf_counter() - self._start)

    def is_goal_reached(self, accuracy: float) -> bool:
        """Return whether this validation accuracy, or an earlier one, reaches the goal."""
        if self.seconds_to_goal is None and JOB.reach is not None and accuracy >= JOB.reach:
            self.seconds_to_goal = time.time() - START_TIME
        return self.seconds_to_goal is not None

    def print(self) -> None:
        """Print the result in JSON, as the last line."""
        print(json.dumps({"epochs": self.epochs, "seconds_to_goal": self.seconds_to_goal}))
