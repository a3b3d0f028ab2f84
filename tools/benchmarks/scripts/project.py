"""Training with this project, by the parameters of the job, portable or native as they say."""

from pathlib import Path

from stages.common import runtime
from stages.common.validation import validate
from stages.network.schema import TrainParameters
from tools.benchmarks.scripts.job import JOB, Stopwatch

PARAMETERS: TrainParameters = validate(TrainParameters, JOB.parameters, "the job")
runtime.choose(PARAMETERS.computation)  # before TensorFlow is imported, which reads its switches then

from stages.splits import arrays  # noqa: E402
from stages.train import train  # noqa: E402
from tools.benchmarks.scripts.timed import StopwatchCallback  # noqa: E402 - imports Keras, as it is then

stopwatch = Stopwatch()
images, labels = arrays.read(Path(JOB.folder, "train"))
model, _ = train(
    PARAMETERS,
    arrays.Split(images[: JOB.images], labels[: JOB.images]),
    arrays.read(Path(JOB.folder, "validation")),
    [StopwatchCallback(stopwatch)],
    quiet=True,
)
stopwatch.print(sum(weights.size for weights in model.get_weights() if weights.ndim > 1))
