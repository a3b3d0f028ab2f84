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


def normalize(values: keras.KerasTensor) -> keras.KerasTensor:
    """Normalise the outputs of a product, if the network does."""
    return keras.layers.BatchNormalization()(values) if NETWORK.batch_normalization else values


inputs = values = keras.Input(images.shape[1:])
if NETWORK.convolutions and images.ndim == 3:  # noqa: PLR2004 - grey
    values = keras.layers.Reshape((*images.shape[1:], 1))(values)
for filters_of_level in NETWORK.convolutions:
    for position, filters in enumerate(filters_of_level):
        if position % 2:
            shortcut = values
        convolution = keras.layers.Conv2D(filters, 3, strides=1 if position else 2, padding="same")
        values = normalize(convolution(values))
        if NETWORK.residual and position and position % 2 == 0:
            values = keras.layers.Add()([shortcut, values])
        values = keras.layers.ReLU()(values)
values = (keras.layers.GlobalAveragePooling2D if NETWORK.average_pooling else keras.layers.Flatten)()(values)
for width in NETWORK.hidden:
    values = keras.layers.ReLU()(normalize(keras.layers.Dense(width)(values)))
    values = keras.layers.Dropout(NETWORK.dropout)(values)
model = keras.Model(inputs, keras.layers.Dense(JOB.classes, activation="softmax")(values))
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
stopwatch.print(sum(weights.size for weights in model.get_weights() if weights.ndim > 1))
