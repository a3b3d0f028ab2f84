"""Training with a usual Keras script: float32 arrays, `model.fit`, defaults."""

import keras

from tools.benchmarks.scripts.job import (
    BATCH_SIZE,
    EPOCHS,
    JOB,
    NETWORK,
    Stopwatch,
    read_scored_split,
    read_split,
)
from tools.benchmarks.scripts.timed import StopwatchCallback

stopwatch = Stopwatch()
images, labels = read_split("train")


def activate() -> None:
    """Add what follows each product."""
    if NETWORK.batch_normalization:
        model.add(keras.layers.BatchNormalization())
    model.add(keras.layers.ReLU())


model = keras.Sequential([keras.Input(images.shape[1:])])
if NETWORK.convolutions and images.ndim == 3:  # noqa: PLR2004 - grey
    model.add(keras.layers.Reshape((*images.shape[1:], 1)))
for filters_of_level in NETWORK.convolutions:
    for position, filters in enumerate(filters_of_level):
        model.add(keras.layers.Conv2D(filters, 3, strides=1 if position else 2, padding="same"))
        activate()
model.add(keras.layers.Flatten())
for width in NETWORK.hidden:
    model.add(keras.layers.Dense(width))
    activate()
    model.add(keras.layers.Dropout(NETWORK.dropout))
model.add(keras.layers.Dense(JOB.classes, activation="softmax"))
model.compile(optimizer="adamw", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(
    images,
    labels,
    batch_size=BATCH_SIZE,
    epochs=EPOCHS,
    validation_data=read_scored_split(),
    callbacks=[StopwatchCallback(stopwatch)],
    verbose=0,
)
stopwatch.print()
