"""Times of the parts of a training step, by TensorFlow's profiler: prints milliseconds in JSON."""

import json
import re
import tempfile
from collections import Counter
from pathlib import Path

from stages.common import runtime
from stages.common.validation import validate
from stages.network.schema import TrainParameters
from tools.benchmarks.scripts.job import BATCH_SIZE, JOB

PARAMETERS: TrainParameters = validate(TrainParameters, JOB.parameters, "the job")
runtime.choose(PARAMETERS.computation)  # before TensorFlow is imported, which reads its switches then

from stages.common.backend import keras, tf  # noqa: E402

# isort: split
# Any import of TensorFlow must follow the import of the backend.
from tensorflow.tsl.profiler.protobuf import xplane_pb2  # noqa: E402

from stages.network import build, layers  # noqa: E402
from stages.network.optimizers import build_optimizer  # noqa: E402
from stages.splits import arrays  # noqa: E402

STEPS = 50
# A kernel's name is the path of its operation, a colon, and its kind. The first matching pattern counts.
PARTS = {
    "matrix products": r":(_\w*|Sparse|Batch)?MatMul",
    "optimiser": r"adam_w|ApplyAdam|/optimizer|adamw",
    "dropout": r"dropout|StatelessRandom",
    "batch normalisation": r"normalize|^(IdentityN|Sum|Mean|mul|sub|Square|DivNoNan|truediv|add)[_\d]*:",
    "scaling of pixels": r"scale|/Cast:|flatten",
    "ReLU, biases, loss": r"relu|BiasAdd|cross_entropy|softmax|Xent|logit",
}
KERNEL = r"[^:]:\w+$"

images, labels = arrays.read(Path(JOB.folder, "train"))
classes = int(labels.max()) + 1
model = build.build_network(
    PARAMETERS.network,
    images.shape[1:],
    PARAMETERS.largest_pixel,
    classes,
    PARAMETERS.seed,
    images.dtype.name,
)
is_portable = PARAMETERS.computation == "portable"  # as in stages.train
is_sparse = is_portable and layers.is_mostly_zero(images)
logits_model = layers.build_logits_model(model, sparse=is_sparse, portable=is_portable)
optimizer = build_optimizer(PARAMETERS.training, steps_per_epoch=len(labels) // BATCH_SIZE)
compute_loss = keras.losses.CategoricalCrossentropy(from_logits=True)
batch = tf.constant(images[:BATCH_SIZE])
targets = tf.one_hot(labels[:BATCH_SIZE], classes)


@tf.function  # type: ignore[untyped-decorator]
def step() -> None:
    """Make one training step."""
    with tf.GradientTape() as tape:
        loss = compute_loss(targets, logits_model(batch, training=True))
    weights = logits_model.trainable_weights
    optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))


for _ in range(STEPS):  # not profiled: the first compiles
    step()
picoseconds: Counter[str] = Counter()
with tempfile.TemporaryDirectory() as folder:
    tf.profiler.experimental.start(folder)
    for _ in range(STEPS):
        step()
    tf.profiler.experimental.stop()
    (file,) = Path(folder).rglob("*.xplane.pb")
    space = xplane_pb2.XSpace.FromString(file.read_bytes())
for plane in space.planes:
    for event in (event for line in plane.lines for event in line.events):
        name = plane.event_metadata[event.metadata_id].name
        if re.search(KERNEL, name):
            part = next((part for part, pattern in PARTS.items() if re.search(pattern, name)), "other")
            picoseconds[part] += event.duration_ps
print(json.dumps({part: total / 1e9 / STEPS for part, total in picoseconds.most_common()}))
