"""A Keras callback that holds the stopwatch."""

import keras

from tools.benchmarks.scripts.job import Stopwatch


class Timed(keras.callbacks.Callback):  # type: ignore[misc]
    """Time each epoch, and stop the training once it is good enough."""

    def __init__(self, stopwatch: Stopwatch) -> None:
        """Hold a stopwatch."""
        super().__init__()
        self.stopwatch = stopwatch

    def on_epoch_begin(self, *_: object, **__: object) -> None:
        """Start it."""
        self.stopwatch.start()

    def on_test_begin(self, *_: object, **__: object) -> None:
        """Stop it."""
        self.stopwatch.stop()

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:  # noqa: ARG002 - Keras gives it
        """Stop the training once it is good enough."""
        self.model.stop_training = self.stopwatch.validated(logs["val_accuracy"])
