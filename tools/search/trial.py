"""One trial: a training with some hyperparameters, which nothing but its arguments and the data decide.

So a trial may run on any machine, and again on another one if the first is lost.
"""

import hashlib
import json
import time
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

import stages  # noqa: F401 - before TensorFlow, whose kernels and threads it fixes

import keras  # isort: skip
import optuna

from stages.common import checksums, layout
from stages.common.errors import UserError
from stages.common.validation import checked
from stages.parameters import Dataset
from stages.splits import arrays
from stages.train import train

FEWEST_TRIALS = 4  # before any is stopped early
SPLITS = ("train", "validation")


@dataclass(frozen=True)
class Outcome:
    """What became of a trial.

    Attributes:
        accuracies: on the validation images, after each epoch.
        pruned: whether it was stopped early.
        error: why it failed, such as that its loss was not finite.
        seconds: of training.
    """

    accuracies: list[float] = field(default_factory=list)
    pruned: bool = False
    error: str | None = None
    seconds: float = 0.0


def _program() -> str:
    code = [path for package in ("stages", "search") for path in sorted(Path(package).glob("*.py"))]
    packages = ("h5py", "keras", "numpy", "optuna", "pandas", "tensorflow-cpu", "tensorflow")
    installed = {one.name: one.version for one in metadata.distributions() if one.name in packages}
    return json.dumps([[(path.name, checksums.sha256(path)) for path in code], sorted(installed.items())])


PROGRAM = _program()  # when it was imported: that is what runs, whatever is in the folder later


def fingerprint(name: str) -> str:
    """The SHA-256 of all that trials depend on beside their arguments: code, versions, data.

    Raises:
        UserError: if the data are not there.
    """
    data = arrays.fingerprint(layout.processed(name, split) for split in SPLITS)
    return hashlib.sha256(f"{PROGRAM} {data}".encode()).hexdigest()


class Prune(keras.callbacks.Callback):  # type: ignore[misc]
    """Stops a training that is below the median of earlier ones, as `optuna.pruners.MedianPruner` has it."""

    def __init__(self, earlier: list[optuna.trial.FrozenTrial], warmup_epochs: int) -> None:
        """Take the trials to compare with, and the epochs in which nothing is stopped."""
        super().__init__()
        study = optuna.create_study(
            direction="maximize", pruner=optuna.pruners.MedianPruner(FEWEST_TRIALS, warmup_epochs)
        )
        study.add_trials(earlier)
        self.trial = study.ask()
        self.accuracies: list[float] = []
        self.pruned = False

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Note the validation accuracy, and stop if it is poor."""
        self.accuracies.append(logs["val_accuracy"])
        self.trial.report(logs["val_accuracy"], epoch)
        self.pruned = epoch + 1 < self.params["epochs"] and self.trial.should_prune()
        self.model.stop_training = self.model.stop_training or self.pruned


def run(
    name: str, content: dict[str, object], expected: str, earlier: list[optuna.trial.FrozenTrial]
) -> Outcome:
    """Train once.

    Args:
        name: of the data set, whose arrays are in the current folder.
        content: the data set's section of params.yaml.
        expected: the `fingerprint` of the folder that the search runs in.
        earlier: the trials that this one is compared with, while it runs.

    Raises:
        UserError: if this folder has other code or data, or rotten ones.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    found = fingerprint(name)
    if found != expected:
        raise UserError(
            f"{Path.cwd()}: expected the code and data of the search, fingerprint {expected:.12}, found "
            f"{found:.12}; git pull, dvc pull and start the worker again"
        )
    dataset: Dataset = checked(Dataset, content, "the trial")
    training, validation = (arrays.read(layout.processed(name, split)) for split in SPLITS)
    prune = Prune(earlier, max(dataset.training.warmup_epochs, dataset.training.epochs // 4))
    keras.backend.clear_session()
    start = time.perf_counter()
    try:
        train(dataset, training, validation, [prune], quiet=True)
    except UserError as error:
        return Outcome(prune.accuracies, error=str(error), seconds=time.perf_counter() - start)
    return Outcome(prune.accuracies, prune.pruned, None, time.perf_counter() - start)
