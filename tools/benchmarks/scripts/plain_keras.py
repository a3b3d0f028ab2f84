"""Training with a usual Keras script: float32 arrays, `model.fit`, defaults."""

import keras

from tools.benchmarks.scripts.job import JOB, Stopwatch, read_split
from tools.benchmarks.scripts.timed import StopwatchCallback

stopwatch = Stopwatch()
images, labels = read_split("train")
validation = read_split("validation")

model = keras.Sequential([keras.Input((images.shape[1],))])
for width in JOB.hidden:
    model.add(keras.layers.Dense(width))
    if JOB.batch_normalization:
        model.add(keras.layers.BatchNormalization())
    model.add(keras.layers.ReLU())
    model.add(keras.layers.Dropout(JOB.dropout))
model.add(keras.layers.Dense(int(labels.max()) + 1, activation="softmax"))
model.compile(optimizer="adamw", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(
    images,
    labels,
    batch_size=JOB.batch_size,
    epochs=JOB.epochs,
    validation_data=validation,
    callbacks=[StopwatchCallback(stopwatch)],
    verbose=0,
)
stopwatch.print()
