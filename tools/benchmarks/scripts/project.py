"""Training with this project, by the parameters of params.yaml except for the job's own."""

from pathlib import Path

import stages.common.backend  # noqa: F401 - before `timed`, which imports Keras
from stages.parameters import load
from stages.splits import arrays
from stages.train import train
from tools.benchmarks.scripts.job import JOB, Stopwatch
from tools.benchmarks.scripts.timed import StopwatchCallback

stopwatch = Stopwatch()
dataset = load().dataset(JOB.dataset)
shape = {"hidden": JOB.hidden, "dropout": JOB.dropout, "batch_normalization": JOB.batch_normalization}
network = dataset.network.model_copy(update=shape)
training = dataset.training.model_copy(update={"batch_size": JOB.batch_size, "epochs": JOB.epochs})
train(
    dataset.model_copy(update={"computation": "portable", "network": network, "training": training}),
    arrays.read(Path(JOB.folder, "train")),
    arrays.read(Path(JOB.folder, "validation")),
    [StopwatchCallback(stopwatch)],
    quiet=True,
)
stopwatch.print()
