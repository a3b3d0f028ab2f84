"""The copy of a network that is trained and predicts: as Keras's layers and optimiser do, without rsqrt."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from helpers import ROOT

from stages import parameters
from stages.common.backend import keras, tf
from stages.common.errors import UserError
from stages.network import build, layers, model_file, optimizers
from stages.network.convolution import Conv2D
from stages.network.schema import Network
from stages.splits.arrays import Split
from stages.train import train

IMAGES = np.random.default_rng(0).integers(0, 17, (64, 5, 6), np.uint8)


def small_network(**changes: object) -> keras.Model:
    chosen = Network(**{"hidden": [32, 16], "dropout": 0.0, "batch_normalization": True, **changes})
    return build.build_network(chosen, (5, 6), 16, 3, seed=0)


def test_the_copy_has_the_weights_and_ends_with_the_logits() -> None:
    model = small_network()
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):  # not the ones that it starts with
            layer.set_weights([weight + np.arange(len(weight)) / 10 for weight in layer.get_weights()])
    copy = layers.build_logits_model(model)
    for given, copied in zip(model.get_weights(), copy.get_weights(), strict=True):
        assert np.array_equal(given, copied)
    probabilities = keras.ops.softmax(copy.predict(IMAGES, verbose=0))
    assert np.allclose(probabilities, model.predict(IMAGES, verbose=0), atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("portable", [False, True])
@pytest.mark.parametrize(
    "chosen",
    [
        {},
        {"convolutions": [[4, 4], [8]]},
        {"convolutions": [[4] * 3, [8]], "residual": True, "average_pooling": True, "hidden": []},
    ],
)
def test_it_trains_as_keras_does(chosen: dict[str, object], portable: bool) -> None:
    trained = []
    labels = tf.one_hot(np.arange(64) % 3, 3)
    for model in (
        small_network(**chosen),
        layers.build_logits_model(small_network(**chosen), portable=portable),
    ):
        model.compile(
            keras.optimizers.SGD(0.1),
            keras.losses.CategoricalCrossentropy(from_logits=model.layers[-1].name == "logit"),
        )
        model.fit(IMAGES, labels, batch_size=32, epochs=3, shuffle=False, verbose=0)
        trained.append(model.get_weights())
    used = {layers.Dense, Conv2D} if "convolutions" in chosen else {layers.Dense}
    assert {type(layer) for layer in model.layers} & {layers.Dense, Conv2D} == (used if portable else set())
    for keras_has, copy_has in zip(*trained, strict=True):
        assert np.allclose(keras_has, copy_has, atol=1e-5)
    fresh = small_network(**chosen).get_weights()[0]
    assert not np.allclose(trained[0][0], fresh, atol=2e-4)  # both have moved


@contextlib.contextmanager
def operations() -> Iterator[set[str]]:
    """The operations that TensorFlow runs in the block, after it has rewritten its graphs."""
    from tensorflow.python.eager import context  # noqa: PLC0415 - after stages, which sets switches

    found: set[str] = set()
    context.enable_run_metadata()
    yield found
    for graph in context.export_run_metadata().function_graphs:
        for part in (graph.post_optimization_graph, *graph.partition_graphs):
            for nodes in (part.node, *(function.node_def for function in part.library.function)):
                found |= {node.op for node in nodes}
    context.disable_run_metadata()


APPROXIMATE = {"Rsqrt", "RsqrtGrad", "Softmax", "Reciprocal", "Inv", "Conv2DBackpropInput"}


def test_keras_predicts_by_approximations_and_the_copy_does_not() -> None:
    with operations() as of_keras:
        small_network().predict(IMAGES, verbose=0)
    assert of_keras & APPROXIMATE == {"Rsqrt", "Softmax"}
    with operations() as of_the_copy:
        layers.build_logits_model(small_network()).predict(IMAGES, verbose=0)
    assert of_the_copy & APPROXIMATE == set()
    assert "DivNoNan" in of_the_copy


@pytest.mark.slow
@pytest.mark.parametrize(
    "chosen_training",
    [
        {"optimizer": "AdamW"},
        {"optimizer": "SGD", "momentum": 0.9},
        {"optimizer": "AdamW", "balance": 0.5},
    ],
)
def test_training_and_its_gradients_are_without_approximations(chosen_training: dict[str, object]) -> None:
    dataset = parameters.load(ROOT / "params.yaml").dataset("digits")
    training = dataset.training.model_copy(
        update={**chosen_training, "epochs": 1, "warmup_epochs": 0, "label_smoothing": 0.1}
    )
    normalised = dataset.network.model_copy(
        update={
            "batch_normalization": True,
            "convolutions": [[2, 2, 2], [4]],
            "residual": True,
            "average_pooling": True,
        }
    )
    chosen = dataset.model_copy(update={"training": training, "network": normalised})
    split = Split(IMAGES, (np.arange(len(IMAGES)) % 3).astype(np.uint8))
    with operations() as found:
        train(chosen, split, split)
    assert {"MatMul", "DivNoNan", "Sqrt", "Conv2D", "Conv2DBackpropFilter"} <= found
    assert found & APPROXIMATE == set()


def test_the_derivative_of_the_normalisation_is_that_which_tensorflow_finds() -> None:
    random = np.random.default_rng(0)
    inputs, gamma, beta, weights = (
        tf.constant(random.normal(1, 2, shape)) for shape in ((7, 3), (3,), (3,), (7, 3))
    )

    def derivatives(function: Callable[[], tf.Tensor]) -> list[np.ndarray]:
        with tf.GradientTape() as tape:
            tape.watch((inputs, gamma, beta))
            result = tf.reduce_sum(weights * function())
        return [gradient.numpy() for gradient in tape.gradient(result, (inputs, gamma, beta))]

    def plain() -> tf.Tensor:
        mean, variance = tf.nn.moments(inputs, [0])
        return (inputs - mean) / tf.sqrt(variance + 0.001) * gamma + beta

    ours = derivatives(lambda: layers.normalize(inputs, gamma, beta, tf.constant(0.001, tf.float64))[0])
    for own, expected in zip(ours, derivatives(plain), strict=True):
        assert np.allclose(own, expected, rtol=1e-10)


def copy_as(layer_class: type[keras.layers.Dense], dense: keras.layers.Dense, width: int) -> keras.Layer:
    """Return a layer of another class with the configuration and the weights of a dense one."""
    layer = layer_class.from_config(dense.get_config())
    layer.build((None, width))
    layer.set_weights(dense.get_weights())
    return layer


def call_and_differentiate(layer: keras.Layer, inputs: tf.Tensor, *sources: tf.Tensor) -> list[tf.Tensor]:
    """Return the outputs, and the derivatives of a loss of them by the sources and the weights."""
    with tf.GradientTape() as tape:
        tape.watch(sources)
        outputs = layer(inputs)
        loss = tf.reduce_sum(outputs**2)
    return [outputs, *tape.gradient(loss, [*sources, *layer.trainable_weights])]


@pytest.mark.parametrize("use_bias", [True, False])
def test_a_sparse_layer_and_its_derivative_are_those_of_a_dense_one(use_bias: bool) -> None:
    inputs = tf.constant(np.maximum(np.random.default_rng(0).normal(size=(9, 40)), 0).astype(np.float32))
    dense = keras.layers.Dense(5, use_bias=use_bias, kernel_initializer=keras.initializers.GlorotUniform(0))
    dense.build(inputs.shape)
    sparse = copy_as(layers.SparseDense, dense, 40)
    found = [call_and_differentiate(layer, inputs) for layer in (dense, sparse)]
    for expected, own in zip(*found, strict=True):
        assert np.allclose(own, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("rows", [1, 8, 40, 700])
@pytest.mark.parametrize(("width", "units"), [(400, 5), (16, 3), (7, 400), (100, 90)])
def test_a_portable_dense_layer_and_its_derivatives_are_those_of_keras(
    rows: int, width: int, units: int
) -> None:
    random = np.random.default_rng(0)
    inputs = tf.constant(random.normal(size=(rows, width)).astype(np.float32))
    dense = keras.layers.Dense(units, "relu", bias_initializer="ones")
    dense.build(inputs.shape)
    portable = copy_as(layers.Dense, dense, width)
    found = [call_and_differentiate(layer, inputs, inputs) for layer in (dense, portable)]
    for expected, own in zip(*found, strict=True):
        assert own.shape == expected.shape
        assert np.allclose(own, expected, rtol=1e-4, atol=1e-3)


def test_networks_of_other_layers_predict_as_keras_does() -> None:
    image = keras.Input((5, 6), dtype="uint8")
    values = keras.layers.Dense(7)(keras.layers.Flatten()(image))  # whole numbers, not scaled
    for changes in ({"center": False}, {"scale": False}):
        values = keras.layers.BatchNormalization(**changes)(values)
    model = keras.Model(image, keras.layers.Softmax()(keras.layers.Dense(3)(values)))
    found = keras.ops.softmax(layers.build_logits_model(model, portable=True).predict(IMAGES, verbose=0))
    assert np.allclose(found, model.predict(IMAGES, verbose=0), atol=1e-5)


def test_a_dense_layer_of_other_shapes_stays_that_of_keras() -> None:
    layer = layers.Dense(3)
    assert layer(tf.ones((2, 5, 4))).shape == (2, 5, 3)


@pytest.mark.parametrize(("value", "kind"), [(0, layers.SparseDense), (9, keras.layers.Dense)])
def test_the_first_product_is_sparse_if_most_pixels_are_0(value: int, kind: type) -> None:
    copy = layers.build_logits_model(
        small_network(), sparse=layers.is_mostly_zero(np.full((4, 5, 6), value, np.uint8))
    )
    assert [type(copy.get_layer(name)) for name in ("hidden_1", "hidden_2")] == [kind, keras.layers.Dense]


@pytest.mark.parametrize(("rate", "width"), [(0.3, 1000), (0.9, 7), (1e-9, 8)])
def test_dropout_leaves_out_its_rate_and_keeps_the_mean(rate: float, width: int) -> None:
    layer = layers.Dropout(rate, seed=0)
    ones = tf.ones((10_000, width))
    first, second = layer(ones, training=True).numpy(), layer(ones, training=True).numpy()
    assert np.array_equal(layer(ones), ones)
    kept = first[first != 0]
    assert np.allclose(kept, 1 / (1 - rate), rtol=2**-13)
    standard_error = np.sqrt(rate / (1 - rate) / first.size)
    assert first.mean() == pytest.approx(1, abs=4 * standard_error + 1e-5)
    assert (first == 0).mean(axis=0) == pytest.approx(rate, abs=0.03)  # in every column
    assert rate < 0.01 or not np.array_equal(first, second)


def test_dropout_of_nearly_all_stays_finite() -> None:
    outputs = layers.Dropout(1 - 2**-20, seed=0)(tf.ones((1000, 3)), training=True).numpy()
    assert np.isfinite(outputs).all()
    assert (outputs == 0).mean() > 0.99


@keras.saving.register_keras_serializable("tests")
class Centre(keras.layers.Layer):  # type: ignore[misc]
    """A layer of one's own with a weight: it takes a centre away."""

    def build(self, shape: tuple[int, ...]) -> None:
        self.centre = self.add_weight(shape=shape[1:], initializer="zeros", name="centre")

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return inputs - self.centre


def build_residual(first: list[keras.layers.Layer]) -> keras.Model:
    """Build a functional network with a connection around layers, and with a network in the network."""
    inputs = keras.Input((5, 6), dtype="uint8")
    hidden = keras.layers.Flatten()(keras.layers.Rescaling(1 / 16)(inputs))
    for layer in first:
        hidden = layer(hidden)
    initializer = keras.initializers.GlorotUniform(0)
    hidden = keras.layers.Dense(8, name="entry", kernel_initializer=initializer)(hidden)
    hidden = keras.layers.BatchNormalization()(hidden)
    hidden = keras.layers.Dropout(0.0)(hidden)
    block = keras.Sequential(
        [
            keras.Input((8,)),
            keras.layers.Dense(8, kernel_initializer=initializer),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
        ]
    )
    hidden = keras.layers.Add()([hidden, block(hidden)])
    logits = keras.layers.Dense(3, kernel_initializer=initializer)(hidden)
    return keras.Model(inputs, keras.layers.Softmax()(logits))


@pytest.mark.parametrize("has_own", [False, True])
def test_a_functional_network_trains_as_keras_does(has_own: bool) -> None:
    trained = []
    labels = tf.one_hot(np.arange(64) % 3, 3)
    for is_copy in (False, True):
        model = build_residual([Centre()] if has_own else [])
        start = model.get_weights()
        if is_copy:
            model = layers.build_logits_model(model, sparse=True)
            kinds = {type(layer) for layer in model._flatten_layers()}
            assert layers.BatchNormalization in kinds
            assert keras.layers.BatchNormalization not in kinds
            assert type(model.get_layer("entry")) is (keras.layers.Dense if has_own else layers.SparseDense)
        model.compile(keras.optimizers.SGD(0.1), keras.losses.CategoricalCrossentropy(from_logits=is_copy))
        model.fit(IMAGES, labels, batch_size=32, epochs=3, shuffle=False, verbose=0)
        trained.append(model.get_weights())
    for before, keras_has, copy_has in zip(start, *trained, strict=True):
        assert np.allclose(keras_has, copy_has, atol=1e-5)
        assert not np.array_equal(before, copy_has)


def test_a_functional_network_is_saved_and_read(tmp_path: Path) -> None:
    model = build_residual([Centre()])
    model_file.save(model, tmp_path / "own.keras")
    again = model_file.load(tmp_path / "own.keras")
    assert np.array_equal(again.predict(IMAGES, verbose=0), model.predict(IMAGES, verbose=0))


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_sgd_goes_on_in_the_direction_of_its_momentum(momentum: float) -> None:
    training = parameters.load(ROOT / "params.yaml").dataset("digits").training
    chosen = training.model_copy(
        update={"optimizer": "SGD", "momentum": momentum, "schedule": "constant", "warmup_epochs": 0,
                "weight_decay": 0.0, "learning_rate": 0.1}
    )  # fmt: skip
    optimizer = optimizers.build_optimizer(chosen, 10)
    variable, velocity, expected = keras.Variable(np.ones(3, np.float32)), 0.0, 1.0
    for _ in range(5):  # Sutskever et al., "On the importance of initialization and momentum", 2013
        optimizer.apply([tf.constant([1.0, 1.0, 1.0])], [variable])
        velocity = momentum * velocity - 0.1
        expected += momentum * velocity - 0.1
    assert np.allclose(variable.numpy(), expected, atol=1e-6)


def test_adamw_is_that_of_keras() -> None:
    random = np.random.default_rng(0)
    start = random.normal(size=(20, 30)).astype(np.float32)
    gradients = random.normal(size=(50, 20, 30)).astype(np.float32)
    ends = []
    for kind in (keras.optimizers.AdamW, optimizers.AdamW):
        variable = keras.Variable(start)
        rate = keras.optimizers.schedules.CosineDecay(0.1, decay_steps=60)
        optimizer = kind(rate, weight_decay=0.5)
        for gradient in gradients:
            optimizer.apply([tf.constant(gradient)], [variable])
        ends.append(variable.numpy())
    assert np.allclose(ends[0], ends[1], rtol=1e-4, atol=1e-5)
    assert not np.allclose(ends[0], start, atol=0.1)


def test_a_network_without_a_softmax_is_refused() -> None:
    with pytest.raises(UserError, match=r"expected a last layer Softmax, found <Dense.*run dvc repro"):
        layers.build_logits_model(layers.build_logits_model(small_network()))
