"""One training of a search, which depends on nothing but its arguments, the code and the data.

It may therefore run on any machine, and again on another machine if the first is lost.
"""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
from numpy.typing import NDArray
from scipy.special import softmax

from stages.common import layout
from stages.common.backend import keras, tf
from stages.common.errors import UserError
from stages.common.validation import validate
from stages.evaluate import predict
from stages.network import calibration
from stages.network.schema import TrainParameters
from stages.scoring import scores
from stages.splits import arrays, batches
from stages.splits.arrays import Split
from stages.train import train
from tools.common.program import describe_program

# TensorFlow would warn that the functions of each network are traced anew.
tf.get_logger().setLevel("ERROR")

TRIALS_BEFORE_PRUNING = 4  # fewer give no reliable median
SPLITS_READ = ("train", "validation")  # a search must not see the test split
CODE = (
    *(f"stages/{room}/**/*.py" for room in ("common", "network", "scoring", "splits")),
    *("stages/train.py", "stages/evaluate.py", "tools/common/program.py", "tools/search/**/*.py"),
)
PROGRAM = describe_program(CODE)  # at import: this code runs, even if the files change later


@dataclass(frozen=True)
class TrialOutcome:
    """The outcome of a trial.

    Attributes:
        scores: the objective on the validation images after each epoch.
        is_pruned: whether the training was stopped early.
        error: the reason of a failure, such as a loss that is not finite.
        seconds: the time of training.
    """

    scores: list[float] = field(default_factory=list)
    is_pruned: bool = False
    error: str | None = None
    seconds: float = 0.0


def compute_fingerprint(name: str) -> str:
    """Return the SHA-256 of everything that a trial depends on besides its arguments: code, packages, data.

    Raises:
        UserError: if the arrays of the data set are missing.
    """
    data = arrays.compute_fingerprint(layout.processed(name, split) for split in SPLITS_READ)
    return hashlib.sha256(f"{PROGRAM} {data}".encode()).hexdigest()


class PruningCallback(keras.callbacks.Callback):  # type: ignore[misc]
    """A callback that stops a training worse than the median of earlier ones: `optuna.pruners.MedianPruner`.

    Attributes:
        scores: the objective on the validation images after each epoch.
        is_pruned: whether the training was stopped.
    """

    def __init__(
        self,
        earlier_trials: list[optuna.trial.FrozenTrial],
        warmup_epochs: int,
        direction: str,
        score: Callable[[keras.Model], float],
    ) -> None:
        """Prepare the comparison.

        Args:
            earlier_trials: the trials to compare with.
            warmup_epochs: the number of first epochs in which nothing is stopped.
            direction: of better scores, `maximize` or `minimize`.
            score: returns the objective of a model from images to logits.
        """
        super().__init__()
        study = optuna.create_study(
            direction=direction, pruner=optuna.pruners.MedianPruner(TRIALS_BEFORE_PRUNING, warmup_epochs)
        )
        study.add_trials(earlier_trials)
        self.trial = study.ask()
        self.score = score
        self.scores: list[float] = []
        self.is_pruned = False

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:  # noqa: ARG002 - Keras gives it
        """Report the score, and stop the training if it is worse than the median."""
        self.scores.append(self.score(self.model))
        self.trial.report(self.scores[-1], epoch)
        self.is_pruned = epoch + 1 < self.params["epochs"] and self.trial.should_prune()
        self.model.stop_training = self.model.stop_training or self.is_pruned


def score_logits(objective: str, logits: NDArray[np.float32], labels: NDArray[Any], *, scaled: bool) -> float:
    """Return a metric of logits, as evaluate would report it.

    Args:
        objective: the name of the metric.
        logits: shape (n, classes), of the validation images.
        labels: shape (n,).
        scaled: whether the network has a temperature, which is fitted first.
    """
    if not np.isfinite(logits).all():
        return nan  # a training that has diverged, which `train` is about to report
    temperature = calibration.fit_temperature(logits, labels) if scaled else 1.0
    probabilities = softmax(logits.astype(np.float64) / temperature, axis=1).astype(np.float32)
    return scores.compute_metrics(labels, probabilities, bins=1)[objective]


def run_trial(
    name: str,
    content: dict[str, Any],
    fingerprint: str,
    objective: str,
    direction: str,
    earlier_trials: list[optuna.trial.FrozenTrial],
) -> TrialOutcome:
    """Train a network, in a folder with the code and data of the search.

    Args:
        name: of the data set; its arrays are read from the current folder.
        content: the parameters of the training, as a mapping.
        fingerprint: of code, packages and data in the folder of the search.
        objective: the metric on the validation images that is to become better.
        direction: of better values of the metric, `maximize` or `minimize`.
        earlier_trials: the trials to compare with during the training.

    Raises:
        UserError: if the current folder has other code or data, or damaged data.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    training, validation = _read_splits(name, fingerprint)
    parameters: TrainParameters = validate(TrainParameters, content, "the trial")
    settings, scaled = parameters.training, parameters.network.temperature_scaling
    images = batches.ordered_batches(validation, len(np.unique(training.labels)), batches.SCORING_BATCH_SIZE)

    def score(model: keras.Model) -> float:
        return score_logits(objective, model.predict(images, verbose=0), validation.labels, scaled=scaled)

    warmup_epochs = max(settings.warmup_epochs, settings.epochs // 4)
    pruning = PruningCallback(earlier_trials, warmup_epochs, direction, score)
    keras.backend.clear_session()
    start = time.perf_counter()
    try:
        train(parameters, training, validation, [pruning], quiet=True)
    except UserError as error:
        return TrialOutcome(pruning.scores, error=str(error), seconds=time.perf_counter() - start)
    return TrialOutcome(pruning.scores, pruning.is_pruned, None, time.perf_counter() - start)


def predict_validation(name: str, content: dict[str, Any], fingerprint: str) -> pd.DataFrame:
    """Train a network to the end, and return its predictions for the validation images.

    Args:
        name: of the data set; its arrays are read from the current folder.
        content: the parameters of the training, as a mapping.
        fingerprint: of code, packages and data in the folder of the search.

    Returns:
        A row for each image, as `stages.scoring.scores.prediction_table` returns them; classes are numbers.

    Raises:
        UserError: if the current folder has other code or data, or damaged data, or if the training diverged.
    """
    training, validation = _read_splits(name, fingerprint)
    keras.backend.clear_session()
    parameters: TrainParameters = validate(TrainParameters, content, "the training")
    model, _ = train(parameters, training, validation, quiet=True)
    probabilities = predict(model, validation)
    names = [str(label) for label in range(probabilities.shape[1])]
    return scores.prediction_table(validation.labels, probabilities, names)


def _read_splits(name: str, fingerprint: str) -> tuple[Split, ...]:
    """Return the arrays of `SPLITS_READ`, if code, packages and data here are those of the search."""
    fingerprint_here = compute_fingerprint(name)
    if fingerprint_here != fingerprint:
        raise UserError(
            f"{Path.cwd()}: expected the code and data of the search, fingerprint {fingerprint:.12}, found "
            f"{fingerprint_here:.12}; git pull, dvc pull and start the worker again"
        )
    return tuple(arrays.read(layout.processed(name, split)) for split in SPLITS_READ)
