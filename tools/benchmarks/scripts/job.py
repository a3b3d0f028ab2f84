"""What the scripts of this folder share: what to train, on what, and how to tell how long it took.

The job is one argument in JSON: folder, largest_pixel, hidden, dropout, batch_normalization, batch_size,
epochs, and `reach`, a validation accuracy to stop at, or null.
"""

import json
import sys
import time
from types import SimpleNamespace

import numpy as np
import psutil
from numpy.typing import NDArray

STARTED = psutil.Process().create_time()
JOB = SimpleNamespace(**json.loads(sys.argv[1]))


def images_and_labels(split: str) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """A split as people usually have it: float32 images from 0 to 1, shape (n, pixels), and labels."""
    images = np.load(f"{JOB.folder}/{split}/images.npy")
    labels = np.load(f"{JOB.folder}/{split}/labels.npy").astype(np.int64)
    return images.reshape(len(images), -1).astype(np.float32) / JOB.largest_pixel, labels


class Stopwatch:
    """The seconds of each epoch, without its validation, and those from the program's start to a goal."""

    def __init__(self) -> None:
        """Start with none."""
        self.epochs: list[float] = []
        self.reached: float | None = None
        self._start = 0.0

    def start(self) -> None:
        """An epoch begins."""
        self._start = time.perf_counter()

    def stop(self) -> None:
        """The epoch ends, and its validation begins."""
        self.epochs.append(time.perf_counter() - self._start)

    def validated(self, accuracy: float) -> bool:
        """Whether the goal is reached, with this accuracy on the validation images."""
        if self.reached is None and JOB.reach is not None and accuracy >= JOB.reach:
            self.reached = time.time() - STARTED
        return self.reached is not None

    def print(self) -> None:
        """Print the result in JSON, as the last line."""
        print(json.dumps({"epochs": self.epochs, "reached": self.reached}))
