"""One trial of a search: a training that depends on nothing but its arguments, the code and the data.

A trial may therefore run on any machine, and again on another machine if the first is lost.
"""

import hashlib
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna

from stages.common import layout
from stages.common.backend import keras
from stages.common.errors import UserError
from stages.common.validation import validate
from stages.network.schema import TrainParameters
from stages.splits import arrays
from stages.train import train
from tools.common.program import describe_program

TRIALS_BEFORE_PRUNING = 4  # fewer give no reliable median
SPLITS_READ = ("train", "validation")  # a search must not see the test split
CODE = (
    *("stages/common/**/*.py", "stages/network/**/*.py", "stages/splits/**/*.py"),
    *("stages/train.py", "tools/common/program.py", "tools/search/**/*.py"),
)
PROGRAM = describe_program(CODE)  # at import: this code runs, even if the files change later


@dataclass(frozen=True)
class TrialOutcome:
    """The outcome of a trial.

    Attributes:
        accuracies: the accuracy on the validation images after each epoch.
        is_pruned: whether the training was stopped early.
        error: the reason of a failure, such as a loss that is not finite.
        seconds: the time of training.
    """

    accuracies: list[float] = field(default_factory=list)
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
    """A callback that stops a training below the median of earlier trials, by `optuna.pruners.MedianPruner`.

    Attributes:
        accuracies: the accuracy on the validation images after each epoch.
        is_pruned: whether the training was stopped.
    """

    def __init__(self, earlier_trials: list[optuna.trial.FrozenTrial], warmup_epochs: int) -> None:
        """Take the trials to compare with, and the number of first epochs in which nothing is stopped."""
        super().__init__()
        study = optuna.create_study(
            direction="maximize", pruner=optuna.pruners.MedianPruner(TRIALS_BEFORE_PRUNING, warmup_epochs)
        )
        study.add_trials(earlier_trials)
        self.trial = study.ask()
        self.accuracies: list[float] = []
        self.is_pruned = False

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Report the validation accuracy, and stop the training if the accuracy is below the median."""
        self.accuracies.append(logs["val_accuracy"])
        self.trial.report(logs["val_accuracy"], epoch)
        self.is_pruned = epoch + 1 < self.params["epochs"] and self.trial.should_prune()
        self.model.stop_training = self.model.stop_training or self.is_pruned


def run_trial(
    name: str,
    content: dict[str, Any],
    fingerprint: str,
    earlier_trials: list[optuna.trial.FrozenTrial],
) -> TrialOutcome:
    """Train a network, in a folder with the code and data of the search.

    Args:
        name: of the data set; its arrays are read from the current folder.
        content: the parameters of the training, as a mapping.
        fingerprint: of code, packages and data in the folder of the search.
        earlier_trials: the trials to compare with during the training.

    Raises:
        UserError: if the current folder has other code or data, or damaged data.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    fingerprint_here = compute_fingerprint(name)
    if fingerprint_here != fingerprint:
        raise UserError(
            f"{Path.cwd()}: expected the code and data of the search, fingerprint {fingerprint:.12}, found "
            f"{fingerprint_here:.12}; git pull, dvc pull and start the worker again"
        )
    parameters: TrainParameters = validate(TrainParameters, content, "the trial")
    training, validation = (arrays.read(layout.processed(name, split)) for split in SPLITS_READ)
    settings = parameters.training
    pruning = PruningCallback(earlier_trials, max(settings.warmup_epochs, settings.epochs // 4))
    keras.backend.clear_session()
    start = time.perf_counter()
    try:
        train(parameters, training, validation, [pruning], quiet=True)
    except UserError as error:
        return TrialOutcome(pruning.accuracies, error=str(error), seconds=time.perf_counter() - start)
    return TrialOutcome(pruning.accuracies, pruning.is_pruned, None, time.perf_counter() - start)
