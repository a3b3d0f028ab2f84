"""This project's training, with the parameters of params.yaml but for those of the job."""

from pathlib import Path

from stages import parameters
from stages.splits import arrays
from stages.train import train
from tools.benchmarks.scripts.job import JOB, Stopwatch
from tools.benchmarks.scripts.timed import Timed

stopwatch = Stopwatch()


dataset = parameters.load().dataset(JOB.dataset)
shape = {"hidden": JOB.hidden, "dropout": JOB.dropout, "batch_normalization": JOB.batch_normalization}
dataset = dataset.model_copy(
    update={
        "network": dataset.network.model_copy(update=shape),
        "training": dataset.training.model_copy(update={"batch_size": JOB.batch_size, "epochs": JOB.epochs}),
    }
)
train(
    dataset,
    arrays.read(Path(JOB.folder, "train")),
    arrays.read(Path(JOB.folder, "validation")),
    [Timed(stopwatch)],
    quiet=True,
)
stopwatch.print()
