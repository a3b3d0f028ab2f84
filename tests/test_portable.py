"""The copy of a network that is trained and predicts: the same numbers as Keras's layers, without rsqrt."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.eager import context

from stages import network, portable
from stages.parameters import Network

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


def operations(model: keras.Sequential, training: bool) -> set[str]:
    """What TensorFlow computes the network with, after it has rewritten the graph."""
    call = tf.function(lambda images: model(images, training=training))
    context.enable_run_metadata()
    call(tf.constant(IMAGES))
    graphs = context.export_run_metadata().function_graphs
    context.disable_run_metadata()
    return {
        node.op
        for graph in graphs
        for part in (graph.post_optimization_graph, *graph.partition_graphs)
        for nodes in (part.node, *(function.node_def for function in part.library.function))
        for node in nodes
    }


@pytest.mark.parametrize("training", [True, False])
def test_nothing_in_its_graph_starts_from_an_approximation(training: bool) -> None:
    approximate = {"Rsqrt", "Softmax", "Reciprocal", "Inv"}
    assert operations(build(), training) & approximate == {"Rsqrt", "Softmax"}
    found = operations(portable.logits(build()), training)
    assert found & approximate == set()
    assert "DivNoNan" in found


def test_a_network_without_a_softmax_is_refused() -> None:
    with pytest.raises(TypeError, match="expected a network whose last layer is a Softmax, found <Dense"):
        portable.logits(portable.logits(build()))
