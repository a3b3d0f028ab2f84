"""Train the network of a data set on its training split, choosing by its validation split."""

from collections.abc import Sequence
from math import ceil
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from stages import parameters
from stages.common import environment, files, layout
from stages.common.errors import UserError
from stages.common.seeds import seed_of
from stages.network import build, layers, model_file, optimizers
from stages.network.schema import Training
from stages.parameters import Dataset
from stages.splits import arrays, batches
from stages.splits.arrays import Split

VALIDATION_BATCH = 1000  # fixed: how a sum is split can change its last bit
HISTORY_COLUMNS = ["loss", "accuracy", "val_loss", "val_accuracy"]
DECIMALS = 6


def optimizer(training: Training, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """The optimiser, with a learning rate that rises linearly and then follows the schedule."""
    warmup_steps = training.warmup_epochs * steps_per_epoch
    learning_rate = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0,
        warmup_target=training.learning_rate,
        warmup_steps=warmup_steps,
        decay_steps=training.epochs * steps_per_epoch - warmup_steps,
        alpha={"cosine": 0.0, "constant": 1.0}[training.schedule],  # the share left at the end
    )
    return optimizers.KINDS[training.optimizer](learning_rate, weight_decay=training.weight_decay)


def train(
    dataset: Dataset,
    training: Split,
    validation: Split,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    *,
    quiet: bool = False,
) -> tuple[keras.Model, pd.DataFrame]:
    """Train a network.

    Args:
        dataset: its parameters.
        training: what the weights are fitted to.
        validation: what the epoch is chosen by.
        callbacks: of the caller's own, as for `keras.Model.fit`.
        quiet: whether to print nothing.

    Returns:
        The network as it was after the epoch with the highest validation accuracy, and its
        history: a row an epoch of epoch (from 1), loss, accuracy, val_loss and val_accuracy.

    Raises:
        UserError: if the training diverged.
    """
    # All that is drawn here has a seed of its own; this is for what a copy of the project may add.
    keras.utils.set_random_seed(seed_of("all else", dataset.seed))
    settings = dataset.training
    classes = int(training.labels.max()) + 1  # preprocess has made sure that every class occurs
    steps_per_epoch = ceil(len(training.labels) / settings.batch_size)
    model = build.build(
        dataset.network,
        training.images.shape[1:],
        dataset.largest_pixel,
        classes,
        dataset.seed,
        training.images.dtype.name,
    )
    trained = layers.logits(model, sparse=layers.mostly_zero(training.images))
    trained.compile(
        optimizer=optimizer(settings, steps_per_epoch),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=settings.label_smoothing),
        metrics=["accuracy"],
        steps_per_execution=steps_per_epoch,  # one call into TensorFlow an epoch, not one a batch
        jit_compile=False,  # XLA makes some of these networks faster and others six times slower
    )
    # Its patience never ends: the learning rate falls to the last epoch, so none is in vain.
    keep_best = keras.callbacks.EarlyStopping(
        monitor="val_accuracy", mode="max", patience=settings.epochs, restore_best_weights=True
    )
    history = trained.fit(
        batches.shuffled(training, classes, settings.batch_size, dataset.seed, settings.augmentation),
        epochs=settings.epochs,
        steps_per_epoch=steps_per_epoch,
        validation_data=batches.in_order(validation, classes, VALIDATION_BATCH),
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
    model.set_weights(trained.get_weights())
    return model, table


def live(path: Path) -> keras.callbacks.Callback:
    """A callback that writes the history as far as it has come after each epoch, for whoever looks on."""
    rows: list[dict[str, float]] = []

    def write(epoch: int, logs: dict[str, float]) -> None:
        rows.append({"epoch": epoch + 1, **logs})
        write_history(path, pd.DataFrame(rows, columns=["epoch", *HISTORY_COLUMNS]))

    return keras.callbacks.LambdaCallback(on_epoch_end=write)


def write_history(path: Path, history: pd.DataFrame) -> None:
    """Write a history, as `train` returns it, as CSV."""
    files.write_text(path, history.round(DECIMALS).to_csv(index=False, lineterminator="\n"))


def main(dataset: str) -> None:
    """Read the processed arrays and write the model, its history and its environment."""
    model, history = train(
        parameters.load().dataset(dataset),
        arrays.read(layout.processed(dataset, "train")),
        arrays.read(layout.processed(dataset, "validation")),
        [live(layout.history(dataset))],
    )
    model_file.save(model, layout.model(dataset))
    write_history(layout.history(dataset), history)
    environment.record(layout.model(dataset), layout.environment(dataset))
    best = history.nlargest(1, "val_accuracy")
    print(f"{layout.model(dataset)}, after the best epoch:\n{best.to_string(index=False)}")
