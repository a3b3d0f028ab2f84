"""The stage train: a network fitted to the training split, with learning curves of the validation split."""

from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
from numpy.typing import NDArray

from stages.common import layout, runtime
from stages.common.backend import keras
from stages.common.errors import UserError
from stages.common.files import write_text
from stages.common.pace import limit_share
from stages.common.params_file import read_dataset
from stages.common.seeds import derive_seed
from stages.network import build, calibration, layers, model_file, optimizers
from stages.network.architecture import describe_architecture
from stages.network.checkpoint import SHARE_OF_TIME, Checkpoint, compute_fingerprint
from stages.network.schema import TrainParameters
from stages.splits import arrays, batches
from stages.splits.arrays import Split

GIGABYTE = 10**9
BYTES_PER_WEIGHT = 16  # float32: the weight, its gradient, and two means that the optimiser keeps
HISTORY_COLUMNS = ["loss", "accuracy", "val_loss", "val_accuracy"]


def train(
    parameters: TrainParameters,
    training_split: Split,
    validation_split: Split,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    *,
    checkpoint: Checkpoint | None = None,
    quiet: bool = False,
) -> tuple[keras.Model, pd.DataFrame]:
    """Train a network.

    Args:
        parameters: the parameters of the data set.
        training_split: the images that the weights are fitted to.
        validation_split: the images of the learning curves; of the network, only the temperature depends on
            them.
        callbacks: further callbacks, as for `keras.Model.fit`; a checkpoint has no state of theirs.
        checkpoint: of this training, to go on from, and to write on the way; None for neither.
        quiet: whether to print nothing.

    Returns:
        The network after the last epoch, and the history: a row for each epoch: epoch (from 1), loss (of
        the smoothed labels, weighted by `balance`), accuracy, val_loss (the cross-entropy in nats) and
        val_accuracy.

    Raises:
        UserError: if the network cannot be saved, if the training diverged, or if TensorFlow computes
            otherwise than the parameters say.
    """
    runtime.choose(parameters.computation)
    # Keras's global seed is for what a copy of the project may add: everything here has a seed of its own.
    keras.utils.set_random_seed(derive_seed(parameters.seed, "all else"))
    hyperparameters = parameters.training
    class_count = int(training_split.labels.max()) + 1  # preprocess has made sure that every class occurs
    steps_per_epoch = ceil(len(training_split.labels) / hyperparameters.batch_size)
    _expect_to_fit_memory(parameters, training_split.images.shape[1:], class_count)
    model = build.build_network(
        parameters.network,
        training_split.images.shape[1:],
        parameters.largest_pixel,
        class_count,
        parameters.seed,
        training_split.images.dtype.name,
    )
    model_file.expect_savable(model)
    # oneDNN's dense product is faster than a sparse one, and a graphics card has no sparse one.
    is_portable = parameters.computation == "portable"
    is_sparse = is_portable and layers.is_mostly_zero(training_split.images)
    logits_model = layers.build_logits_model(model, sparse=is_sparse, portable=is_portable)
    logits_model.compile(
        optimizer=optimizers.build_optimizer(hyperparameters, steps_per_epoch),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True),  # the batches have smoothed labels
        metrics=["accuracy"],
        steps_per_execution=steps_per_epoch,  # one call into TensorFlow an epoch, not one a batch
        jit_compile=False,  # XLA makes some of these networks faster and others six times slower
    )
    validation_batches = batches.ordered_batches(validation_split, class_count, batches.SCORING_BATCH_SIZE)
    earlier_epochs: list[dict[str, float]] = []
    if checkpoint is not None:
        checkpoint.restore(logits_model)
        earlier_epochs = list(checkpoint.epochs)
        callbacks = [checkpoint, *callbacks]
    if earlier_epochs and not quiet:
        print(
            f"The training goes on after epoch {len(earlier_epochs)}, where it was interrupted.", flush=True
        )
    history = logits_model.fit(
        batches.shuffled_batches(
            training_split,
            class_count,
            hyperparameters.batch_size,
            parameters.seed,
            augmentation=hyperparameters.augmentation,
            largest_pixel=parameters.largest_pixel,
            label_smoothing=hyperparameters.label_smoothing,
            first_epoch=len(earlier_epochs),
        ),
        epochs=hyperparameters.epochs,
        initial_epoch=len(earlier_epochs),
        steps_per_epoch=steps_per_epoch,
        validation_data=validation_batches,
        class_weight=weigh_classes(training_split.labels, hyperparameters.balance),
        callbacks=[keras.callbacks.TerminateOnNaN(), *callbacks],
        shuffle=False,  # the batches are shuffled already
        verbose=0 if quiet else 2,  # a line an epoch, which a log file can hold, too
    )
    later_epochs = pd.DataFrame(history.history).to_dict("records")
    table = tabulate([*earlier_epochs, *later_epochs])
    if not np.isfinite(table).all(axis=None):
        if checkpoint is not None:
            checkpoint.remove()
        raise UserError(
            f"params.yaml: training: expected a loss that stays finite, found {table['loss'].iloc[-1]} after "
            f"epoch {len(table)}; lower learning_rate ({hyperparameters.learning_rate:g}) or weight_decay"
        )
    model.set_weights(logits_model.get_weights())
    if parameters.network.temperature_scaling:
        logits = logits_model.predict(validation_batches, verbose=0)
        temperature = calibration.calibrate(model, logits, validation_split.labels)
        if not quiet:
            print(f"The temperature that fits the validation images: {temperature:g}")
    return model, table


def weigh_classes(labels: NDArray[Any], balance: float) -> dict[int, float] | None:
    """Return how much an image of each class counts in the loss, 1 on the mean; None if all count alike.

    Args:
        labels: shape (n,); every class occurs.
        balance: from 0, for images that count alike, to 1, for classes that do.
    """
    if balance == 0:
        return None
    counts = np.bincount(labels)
    weights = counts.astype(np.float64) ** -balance
    weights /= (weights * counts).sum() / counts.sum()
    return dict(enumerate(weights.tolist()))


def _expect_to_fit_memory(parameters: TrainParameters, shape: tuple[int, ...], class_count: int) -> None:
    """Raise a UserError if the machine has less memory than the weights take while they are fitted."""
    weights = build.count_weights(parameters.network, shape, class_count)
    needed, memory = BYTES_PER_WEIGHT * weights, psutil.virtual_memory().total
    if needed > memory:
        raise UserError(
            f"params.yaml: network: expected weights that fit into {memory / GIGABYTE:.0f} GB of memory, "
            f"found {weights:,}, which take {needed / GIGABYTE:.0f} GB; lower network.hidden or "
            "network.convolutions"
        )


def tabulate(epochs: Sequence[Mapping[Any, float]]) -> pd.DataFrame:
    """Return the history of a training from the logs of its epochs."""
    table = pd.DataFrame(epochs, columns=HISTORY_COLUMNS)
    table.insert(0, "epoch", range(1, len(table) + 1))
    return table


def report_epochs(path: Path, checkpoint: Checkpoint) -> keras.callbacks.Callback:
    """Return a callback that rewrites the history after epochs, for whoever watches the training."""
    write = limit_share(lambda: write_history(path, tabulate(checkpoint.epochs)), SHARE_OF_TIME)
    return keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: write())


def write_history(path: Path, history: pd.DataFrame) -> None:
    """Write a history, as `train` returns it, as CSV."""
    write_text(path, history.round(layout.DECIMALS).to_csv(index=False, lineterminator="\n"))


def main(name: str) -> None:
    """Read the processed arrays, and write the network, its architecture and its history."""
    parameters = read_dataset(TrainParameters, name)
    training, validation = (layout.processed(name, split) for split in ("train", "validation"))
    fingerprint = compute_fingerprint(parameters, arrays.compute_fingerprint([training, validation]))
    checkpoint = Checkpoint(layout.checkpoint(name), fingerprint)
    model, history = train(
        parameters,
        arrays.read(training),
        arrays.read(validation),
        [report_epochs(layout.history(name), checkpoint)],
        checkpoint=checkpoint,
    )
    model_file.save(model, layout.model(name))
    write_text(layout.architecture(name), f"{describe_architecture()}\n")
    write_history(layout.history(name), history)
    checkpoint.remove()
    print(f"{layout.model(name)}, after the last epoch:\n{history.tail(1).to_string(index=False)}")
