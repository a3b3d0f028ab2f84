"""The stage train: a network fitted to the training split, of the epoch that the validation split chooses."""

import platform
from collections.abc import Sequence
from math import ceil
from pathlib import Path

import numpy as np
import pandas as pd

from stages.common import layout
from stages.common.backend import keras
from stages.common.errors import UserError
from stages.common.files import write_text
from stages.common.params_file import read_dataset
from stages.common.seeds import derive_seed
from stages.network import build, layers, model_file, optimizers
from stages.network.schema import TrainParameters
from stages.splits import arrays, batches
from stages.splits.arrays import Split

VALIDATION_BATCH = 1000  # fixed: the cut of a sum into batches can change its last bit
HISTORY_COLUMNS = ["loss", "accuracy", "val_loss", "val_accuracy"]
DECIMALS = 6
ARCHITECTURES = {"AMD64": "x86_64", "arm64": "aarch64"}  # the names of Windows and of Apple, and Linux's


def train(
    parameters: TrainParameters,
    training: Split,
    validation: Split,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    *,
    quiet: bool = False,
) -> tuple[keras.Model, pd.DataFrame]:
    """Train a network.

    Args:
        parameters: of the data set.
        training: the split that the weights are fitted to.
        validation: the split that chooses the epoch.
        callbacks: further ones, as for `keras.Model.fit`.
        quiet: whether to print nothing.

    Returns:
        The network after the epoch of the highest validation accuracy, and the history: a row an epoch of
        epoch (from 1), loss, accuracy, val_loss and val_accuracy.

    Raises:
        UserError: if the training diverged.
    """
    # Everything drawn here has a derived seed; this one is for what a copy of the project may add.
    keras.utils.set_random_seed(derive_seed(parameters.seed, "all else"))
    settings = parameters.training
    classes = int(training.labels.max()) + 1  # preprocess has made sure that every class occurs
    steps_per_epoch = ceil(len(training.labels) / settings.batch_size)
    model = build.build_network(
        parameters.network,
        training.images.shape[1:],
        parameters.largest_pixel,
        classes,
        parameters.seed,
        training.images.dtype.name,
    )
    logits_model = layers.build_logits_model(model, sparse=layers.is_mostly_zero(training.images))
    logits_model.compile(
        optimizer=optimizers.build_optimizer(settings, steps_per_epoch),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=settings.label_smoothing),
        metrics=["accuracy"],
        steps_per_execution=steps_per_epoch,  # one call into TensorFlow an epoch, not one a batch
        jit_compile=False,  # XLA makes some of these networks faster and others six times slower
    )
    # Its patience never ends: the learning rate falls to the last epoch, so no epoch is in vain.
    keep_best = keras.callbacks.EarlyStopping(
        monitor="val_accuracy", mode="max", patience=settings.epochs, restore_best_weights=True
    )
    history = logits_model.fit(
        batches.shuffled_batches(
            training, classes, settings.batch_size, parameters.seed, settings.augmentation
        ),
        epochs=settings.epochs,
        steps_per_epoch=steps_per_epoch,
        validation_data=batches.ordered_batches(validation, classes, VALIDATION_BATCH),
        callbacks=[keep_best, keras.callbacks.TerminateOnNaN(), *callbacks],
        shuffle=False,  # the batches are shuffled already
        verbose=0 if quiet else 2,  # a line an epoch, which a log file can hold, too
    )
    table = pd.DataFrame(history.history, columns=HISTORY_COLUMNS)
    table.insert(0, "epoch", range(1, len(table) + 1))
    if not np.isfinite(table).all(axis=None):
        raise UserError(
            f"params.yaml: training: expected a loss that stays finite, found {table['loss'].iloc[-1]} after "
            f"{len(table)} epochs; lower learning_rate ({settings.learning_rate:g}) or weight_decay"
        )
    model.set_weights(logits_model.get_weights())
    return model, table


def report_epochs(path: Path) -> keras.callbacks.Callback:
    """Return a callback that rewrites the history after each epoch, for whoever watches the training."""
    rows: list[dict[str, float]] = []

    def write(epoch: int, logs: dict[str, float]) -> None:
        rows.append({"epoch": epoch + 1, **logs})
        write_history(path, pd.DataFrame(rows, columns=["epoch", *HISTORY_COLUMNS]))

    return keras.callbacks.LambdaCallback(on_epoch_end=write)


def write_history(path: Path, history: pd.DataFrame) -> None:
    """Write a history, as `train` returns it, as CSV."""
    write_text(path, history.round(DECIMALS).to_csv(index=False, lineterminator="\n"))


def name_architecture() -> str:
    """Return the architecture of this machine, such as x86_64, which decides the bits of a network."""
    machine = platform.machine()
    return ARCHITECTURES.get(machine, machine)


def main(dataset: str) -> None:
    """Read the processed arrays, and write the network, its architecture and its history."""
    model, history = train(
        read_dataset(TrainParameters, dataset),
        arrays.read(layout.processed(dataset, "train")),
        arrays.read(layout.processed(dataset, "validation")),
        [report_epochs(layout.history(dataset))],
    )
    model_file.save(model, layout.model(dataset))
    write_text(layout.architecture(dataset), f"{name_architecture()}\n")
    write_history(layout.history(dataset), history)
    best = history.nlargest(1, "val_accuracy")
    print(f"{layout.model(dataset)}, after the best epoch:\n{best.to_string(index=False)}")
