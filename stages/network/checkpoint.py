"""The state of a training in progress, on disk, for a training that is interrupted and started again."""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.common import checksums, packages
from stages.common.backend import keras
from stages.common.errors import UserError
from stages.common.files import atomic_file
from stages.common.pace import limit_share
from stages.network.architecture import describe_architecture
from stages.network.schema import TrainParameters

SHARE_OF_TIME = 0.02  # of a training that may go into writing checkpoints, and its history as often
FINGERPRINT, EPOCHS, VARIABLE = "fingerprint", "epochs", "variable_{}"


def compute_fingerprint(parameters: TrainParameters, data: str) -> str:
    """Return the SHA-256 of everything that the bits of a training depend on.

    Args:
        parameters: the parameters of the training.
        data: the fingerprint of its arrays.
    """
    modules = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "stages"}
    code = {
        name: checksums.sha256(Path(file)) for name, module in modules.items() if (file := module.__file__)
    }
    program = [sorted(code.items()), packages.FILE.read_text(encoding="utf-8"), describe_architecture()]
    return hashlib.sha256(json.dumps([parameters.model_dump(), data, program]).encode()).hexdigest()


class Checkpoint(keras.callbacks.Callback):  # type: ignore[misc]
    """A callback that writes the state of a training after an epoch, for `restore` to go on from.

    `keras.callbacks.BackupAndRestore` would not give the same bits: it leaves out the state of the random
    numbers of dropout and the learning curves, and a kill between its two files mixes two epochs.

    Attributes:
        epochs: the logs of each epoch so far, those before an interruption among them.
    """

    def __init__(self, path: Path, fingerprint: str) -> None:
        """Take the file to write, and the fingerprint of the training."""
        super().__init__()
        self.path = path
        self.fingerprint = fingerprint
        self.epochs: list[dict[str, float]] = []
        self._write_sparingly = limit_share(self._write, SHARE_OF_TIME)

    def restore(self, model: keras.Model) -> None:
        """Bring a compiled model to the state in the file, or remove a file of another training."""
        variables = self._variables(model)
        try:
            state = self._read(variables)
        except FileNotFoundError:
            return
        except Exception as error:  # noqa: BLE001 - a damaged file makes NumPy raise anything
            print(f"{self.path}: expected the state of a training, found: {error}; the training begins anew")
            state = None
        if state is None:
            self.remove()
            return
        self.epochs, values = state
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)

    def _read(
        self, variables: list[keras.Variable]
    ) -> tuple[list[dict[str, float]], list[NDArray[Any]]] | None:
        """Return the logs of the epochs and the values of the variables; None from another training.

        Raises:
            Exception: of any kind, if the file is damaged; NumPy compares the CRC-32 of each array.
        """
        with self.path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            if file[FINGERPRINT].item() != self.fingerprint:
                return None
            epochs = json.loads(file[EPOCHS].item())
            values = [file[VARIABLE.format(number)] for number in range(len(variables))]
        for variable, value in zip(variables, values, strict=True):
            if (value.shape, value.dtype.name) != (tuple(variable.shape), variable.dtype):
                raise ValueError(f"{variable.path} of shape {value.shape} and type {value.dtype.name}")
        return epochs, values

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:  # noqa: ARG002 - Keras gives it
        """Write the state, unless that would take too much of the time."""
        self.epochs.append(logs)
        if np.isfinite(list(logs.values())).all():
            self._write_sparingly()

    def _write(self) -> None:
        try:
            arrays = {
                VARIABLE.format(number): variable.numpy()
                for number, variable in enumerate(self._variables(self.model))
            }
            state: dict[str, Any] = {FINGERPRINT: self.fingerprint, EPOCHS: json.dumps(self.epochs), **arrays}
            with atomic_file(self.path, sum(array.nbytes for array in arrays.values())) as unfinished:
                np.savez(unfinished, **state)
        except (UserError, OSError, MemoryError) as error:  # the results may still find room
            print(f"The training goes on without a new checkpoint: {error}")

    def remove(self) -> None:
        """Remove the file, after the results of the training have been written."""
        self.path.unlink(missing_ok=True)

    @staticmethod
    def _variables(model: keras.Model) -> list[keras.Variable]:
        """Return all variables of a model: weights, means, random numbers, and the optimiser's."""
        model.optimizer.build(model.trainable_variables)
        return [*model.variables, *model.optimizer.variables]
