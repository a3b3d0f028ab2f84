"""Times of training for networks of many shapes: prints [title, operations, seconds] of each in JSON.

Beside what `job` describes, its job has shapes: by a title, the parameters of the network that differ.
"""

import json
from pathlib import Path

import numpy as np

from stages.common.backend import keras
from stages.common.fields import Augmentation
from stages.parameters import load
from stages.splits import arrays
from stages.splits.arrays import Split
from stages.train import train
from tools.benchmarks.floors import count_operations
from tools.benchmarks.scripts.job import BATCH_SIZE, JOB, Stopwatch

STEPS = 24
EPOCHS = 4  # the first compiles, and does not count
VALIDATION_IMAGES = 1000

dataset = load().dataset(JOB.dataset)
images, labels = arrays.read(Path(JOB.folder, "train"))
training = Split(images[: STEPS * BATCH_SIZE], labels[: STEPS * BATCH_SIZE])
validation = Split(images[:VALIDATION_IMAGES], labels[:VALIDATION_IMAGES])
plain = {"batch_size": BATCH_SIZE, "epochs": EPOCHS, "augmentation": Augmentation()}
settings = dataset.training.model_copy(update=plain)
results = []
for title, shape in JOB.shapes.items():
    stopwatch = Stopwatch()
    callback = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda *_, watch=stopwatch: watch.start(),
        on_epoch_end=lambda *_, watch=stopwatch: watch.stop(),
    )
    network = dataset.network.model_copy(update=shape)
    changes = {"computation": "portable", "network": network, "training": settings}
    variant = dataset.model_copy(update=changes)
    train(variant, training, validation, [callback], quiet=True)
    operations = count_operations(variant, len(training.labels), training.images.shape[1:])
    results.append([title, operations, float(np.median(stopwatch.epochs[1:]))])
print(json.dumps(results))
