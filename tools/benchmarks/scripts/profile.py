"""Where the time of a step of training goes, by TensorFlow's profiler: prints milliseconds in JSON."""

import json
import re
import tempfile
from collections import Counter
from pathlib import Path

import keras
import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from stages import parameters
from stages.network import build, layers
from stages.splits import arrays
from stages.train import optimizer
from tools.benchmarks.scripts.job import JOB

STEPS = 50
# A kernel's name is the path of its operation, a colon, and its kind. The first pattern that occurs counts.
PARTS = {
    "matrix products": r":(_Fused|Sparse|Batch)?MatMul",
    "optimiser": r"adam_w|ApplyAdam|/optimizer|adamw",
    "dropout": r"dropout|StatelessRandom",
    "batch normalisation": r"normalize|^(IdentityN|Sum|Mean|mul|sub|Square|DivNoNan|truediv|add)[_\d]*:",
    "scaling of pixels": r"scale|/Cast:|flatten",
    "ReLU, biases, loss": r"relu|BiasAdd|cross_entropy|softmax|Xent|logit",
}

dataset = parameters.load().dataset(JOB.dataset)
images, labels = arrays.read(Path(JOB.folder, "train"))
classes = len(dataset.classes)
model = build.build(dataset.network, images.shape[1:], dataset.largest_pixel, classes, dataset.seed)
trained = layers.logits(model, sparse=layers.mostly_zero(images))
update = optimizer(dataset.training, steps_per_epoch=len(labels) // JOB.batch_size)
loss_of = keras.losses.CategoricalCrossentropy(from_logits=True)
batch = tf.constant(images[: JOB.batch_size])
targets = tf.one_hot(labels[: JOB.batch_size], classes)


@tf.function  # type: ignore[untyped-decorator]
def step() -> None:
    """One of training."""
    with tf.GradientTape() as tape:
        loss = loss_of(targets, trained(batch, training=True))
    weights = trained.trainable_weights
    update.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))


for _ in range(STEPS):
    step()
parts: Counter[str] = Counter()
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
        if re.search(r"[^:]:\w+$", name):
            part = next((part for part, pattern in PARTS.items() if re.search(pattern, name)), "other")
            parts[part] += event.duration_ps
print(json.dumps({part: picoseconds / 1e9 / STEPS for part, picoseconds in parts.most_common()}))
