"""The copy of a network that is trained and predicts: the same numbers as Keras's layers, without rsqrt."""

import contextlib
from collections.abc import Iterator

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import ROOT
from tensorflow.python.eager import context

from stages import network, parameters, portable
from stages.arrays import Split
from stages.parameters import Network
from stages.train import train

IMAGES = np.random.default_rng(0).integers(0, 17, (64, 5, 6), np.uint8)


def build(**changes: object) -> keras.Sequential:
    chosen = Network(**{"hidden": [32, 16], "dropout": 0.0, "batch_normalization": True, **changes})
    return network.build(chosen, (5, 6), 16, 3, seed=0)


def test_the_copy_has_the_weights_and_ends_with_the_logits() -> None:
    model = build()
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):  # not the ones that it starts with
            layer.set_weights([weight + np.arange(len(weight)) / 10 for weight in layer.get_weights()])
    copy = portable.logits(model)
    for given, copied in zip(model.get_weights(), copy.get_weights(), strict=True):
        assert np.array_equal(given, copied)
    probabilities = keras.ops.softmax(copy.predict(IMAGES, verbose=0))
    assert np.allclose(probabilities, model.predict(IMAGES, verbose=0), atol=1e-6)


def test_it_trains_as_keras_does() -> None:
    trained = []
    labels = tf.one_hot(np.arange(64) % 3, 3)
    for model in (build(), portable.logits(build())):
        model.compile(
            keras.optimizers.SGD(0.1),
            keras.losses.CategoricalCrossentropy(from_logits=model.layers[-1].name == "logit"),
        )
        model.fit(IMAGES, labels, batch_size=32, epochs=3, shuffle=False, verbose=0)
        trained.append(model.get_weights())
    for keras_has, copy_has in zip(*trained, strict=True):
        assert np.allclose(keras_has, copy_has, atol=1e-5)
    assert not np.allclose(trained[0][0], build().get_weights()[0], atol=2e-4)  # both have moved


@contextlib.contextmanager
def operations() -> Iterator[set[str]]:
    """The operations that TensorFlow runs in the block, after it has rewritten its graphs."""
    found: set[str] = set()
    context.enable_run_metadata()
    yield found
    for graph in context.export_run_metadata().function_graphs:
        for part in (graph.post_optimization_graph, *graph.partition_graphs):
            for nodes in (part.node, *(function.node_def for function in part.library.function)):
                found |= {node.op for node in nodes}
    context.disable_run_metadata()


APPROXIMATE = {"Rsqrt", "RsqrtGrad", "Softmax", "Reciprocal", "Inv"}


def test_keras_predicts_by_approximations_and_the_copy_does_not() -> None:
    with operations() as of_keras:
        build().predict(IMAGES, verbose=0)
    assert of_keras & APPROXIMATE == {"Rsqrt", "Softmax"}
    with operations() as of_the_copy:
        portable.logits(build()).predict(IMAGES, verbose=0)
    assert of_the_copy & APPROXIMATE == set()
    assert "DivNoNan" in of_the_copy


@pytest.mark.parametrize(
    ("optimizer", "approximate"), [("AdamW", set()), ("SGD", set()), ("RMSprop", {"Rsqrt"})]
)
def test_training_and_its_gradients_are_without_approximations(optimizer: str, approximate: set[str]) -> None:
    """Except for the optimiser that Keras writes with rsqrt, as docs/reproducibility.md says."""
    dataset = parameters.load(ROOT / "params.yaml").dataset("digits")
    training = dataset.training.model_copy(
        update={"optimizer": optimizer, "epochs": 1, "warmup_epochs": 0, "label_smoothing": 0.1}
    )
    normalised = dataset.network.model_copy(update={"batch_normalization": True})
    chosen = dataset.model_copy(update={"training": training, "network": normalised})
    split = Split(IMAGES, (np.arange(len(IMAGES)) % 3).astype(np.uint8))
    with operations() as found:
        train(chosen, split, split)
    assert {"MatMul", "DivNoNan", "SqrtGrad"} <= found
    assert found & APPROXIMATE == approximate


def test_a_network_without_a_softmax_is_refused() -> None:
    with pytest.raises(TypeError, match="expected a network whose last layer is a Softmax, found <Dense"):
        portable.logits(portable.logits(build()))
