"""Times of training for networks of many shapes: prints [shape, operations, seconds] of each in JSON."""

import itertools
import json
from pathlib import Path

import keras
import numpy as np

from stages import parameters
from stages.splits import arrays
from stages.splits.arrays import Split
from stages.train import train
from tools.benchmarks.scripts.job import JOB, Stopwatch
from tools.benchmarks.training import operations

WIDTHS = (256, 512, 1024)
DEPTHS = (1, 2, 3)
KINDS = {"plain": (0.0, False), "dropout": (0.3, False), "dropout and batch normalisation": (0.3, True)}
STEPS = 24
EPOCHS = 4

dataset = parameters.load().dataset(JOB.dataset)
given = arrays.read(Path(JOB.folder, "train"))
training = Split(given.images[: STEPS * JOB.batch_size], given.labels[: STEPS * JOB.batch_size])
validation = Split(given.images[:1000], given.labels[:1000])
settings = dataset.training.model_copy(update={"batch_size": JOB.batch_size, "epochs": EPOCHS})
found = []
for depth, width, kind in itertools.product(DEPTHS, WIDTHS, KINDS):
    stopwatch = Stopwatch()
    timed = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda *_, watch=stopwatch: watch.start(),
        on_epoch_end=lambda *_, watch=stopwatch: watch.stop(),
    )
    dropout, batch_normalization = KINDS[kind]
    shape = {"hidden": [width] * depth, "dropout": dropout, "batch_normalization": batch_normalization}
    network = dataset.network.model_copy(update=shape)
    changed = dataset.model_copy(update={"network": network, "training": settings})
    train(changed, training, validation, [timed], quiet=True)
    work = operations(changed, len(training.labels), training.images[0].size)
    found.append([f"{depth} x {width}, {kind}", work, float(np.median(stopwatch.epochs[1:]))])
print(json.dumps(found))
