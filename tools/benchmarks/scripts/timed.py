"""Keras callback that operates the stopwatch.

Keras is imported as it is, since a competitor uses the callback, too.
"""

import keras

from tools.benchmarks.scripts.job import Stopwatch


class StopwatchCallback(keras.callbacks.Callback):  # type: ignore[misc]
    """A callback that times each epoch, and stops the training at the goal of the job."""

    def __init__(self, stopwatch: Stopwatch) -> None:
        """Keep the stopwatch."""
        super().__init__()
        self.stopwatch = stopwatch

    def on_epoch_begin(self, *_: object, **__: object) -> None:
        """Start the stopwatch."""
        self.stopwatch.start()

    def on_test_begin(self, *_: object, **__: object) -> None:
        """Stop the stopwatch."""
        self.stopwatch.stop()

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:  # noqa: ARG002 - Keras gives it
        """Stop the training if the goal is reached."""
        self.model.stop_training = self.stopwatch.is_goal_reached(logs["val_accuracy"])
