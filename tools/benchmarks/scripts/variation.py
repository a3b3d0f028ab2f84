"""Training of a variation of a data set, portable or native: prints the seconds of epochs, and an accuracy.

The job is one argument in JSON: dataset, values by the names of hyperparameters, seed, computation, epochs.
"""

import json
import sys
import time
from types import SimpleNamespace

from stages.common import layout, runtime
from stages.parameters import load
from stages.splits import arrays
from tools.common.variations import vary

JOB = SimpleNamespace(**json.loads(sys.argv[1]))
runtime.choose(JOB.computation)  # before TensorFlow is imported, which reads its switches then

from stages.common.backend import keras  # noqa: E402
from stages.train import train  # noqa: E402

starts: list[float] = []
seconds: list[float] = []
stopwatch = keras.callbacks.LambdaCallback(
    on_epoch_begin=lambda *_: starts.append(time.perf_counter()),
    on_epoch_end=lambda *_: seconds.append(time.perf_counter() - starts[-1]),
)
values = {**JOB.values, "training.epochs": JOB.epochs, "training.warmup_epochs": 1}
dataset = vary(load().dataset(JOB.dataset), values, "the benchmark")
parameters = dataset.model_copy(update={"computation": JOB.computation, "seed": JOB.seed})
training, validation = (
    arrays.read(layout.processed(JOB.dataset, split)) for split in ("train", "validation")
)
_, history = train(parameters, training, validation, [stopwatch], quiet=True)
print(json.dumps({"seconds": seconds, "accuracy": history["val_accuracy"].iloc[-1]}))
