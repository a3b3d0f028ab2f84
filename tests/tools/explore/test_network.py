"""The forward pass in JavaScript is that of Keras, for every kind of layer that the project has."""

import base64
import gzip
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import ROOT, Opened
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from stages import evaluate
from stages.common import layout
from stages.common.backend import keras
from stages.network import build
from stages.network.calibration import LAYER
from stages.network.schema import Network
from stages.sources import idx
from stages.splits.arrays import Split
from tools.explore import network
from tools.explore.network import UnsupportedNetworkError
from tools.explore.page import FOLDER

PREDICT_ALL = """([network, pixels, size]) => {
    const steps = readNetwork(network), bytes = Uint8Array.from(atob(pixels), letter => letter.charCodeAt(0));
    const rows = [];
    for (let start = 0; start < bytes.length; start += size)
        rows.push([...predict(steps, bytes.subarray(start, start + size))]);
    return rows;
}"""


@pytest.fixture
def opened(open_page: Callable[[Path], Opened], tmp_path: Path) -> Opened:
    script = (FOLDER / "network.js").read_text(encoding="utf-8")
    (tmp_path / "page.html").write_text(f"<script>{script}</script>", encoding="utf-8")
    return open_page(tmp_path / "page.html")


@cache
def read_test_images(name: str) -> NDArray[Any]:
    """Return the test images of a data set; those of digits are all of scikit-learn's."""
    if name == "digits":
        return load_digits().images.astype(np.uint8)
    places = [ROOT / "data/raw" / name, Path(ROOT, os.environ.get("DATASETS_MIRROR", "."), name)]
    for place in places:
        if (place / layout.TEST_IMAGES).exists():
            return np.asarray(idx.read(place / layout.TEST_IMAGES))
        if (packed := place / f"{layout.TEST_IMAGES}.gz").exists():
            return np.frombuffer(gzip.decompress(packed.read_bytes()), np.uint8, offset=16).reshape(
                -1, 28, 28
            )
    pytest.skip(f"no {name}: run `dvc repro fetch` once, or set DATASETS_MIRROR")


def randomize(model: keras.Model, images: NDArray[np.uint8]) -> None:
    """Give a network weights and averages as if it had been trained: it predicts various classes."""
    random = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            gamma, beta, mean, variance = layer.get_weights()
            changed = [random.uniform(0.5, 1.5, gamma.shape), random.normal(0, 0.1, beta.shape)]
            layer.set_weights(
                [*changed, random.normal(0, 0.2, mean.shape), random.uniform(0.5, 2, variance.shape)]
            )
        elif hasattr(layer, "use_bias") and layer.use_bias:
            kernel, bias = layer.get_weights()
            layer.set_weights([kernel, random.normal(0, 0.1, bias.shape)])
        elif layer.name == LAYER:
            layer.scale = 1.7
    last = model.get_layer("logit")
    logits = keras.Model(model.inputs, last.output).predict(images[:500], verbose=0)
    kernel, bias = last.get_weights()
    factors = 2 / logits.std(axis=0)
    last.set_weights([kernel * factors, (bias - logits.mean(axis=0)) * factors])


def compare(opened: Opened, model: keras.Model, images: NDArray[np.uint8]) -> None:
    expected = evaluate.predict(model, Split(images, np.zeros(len(images), np.uint8)))
    pixels = base64.b64encode(images.tobytes()).decode()
    found = np.array(opened.page.evaluate(PREDICT_ALL, [network.export(model), pixels, images[0].size]))
    assert opened.messages == []
    assert np.abs(found - expected).max() < 1e-4
    assert np.array_equal(found.argmax(axis=1), expected.argmax(axis=1))
    assert len(np.unique(expected.argmax(axis=1))) > 1


DENSE = {"hidden": [512, 256], "dropout": 0.1, "batch_normalization": True, "temperature_scaling": True}
PLAIN = {"hidden": [32], "dropout": 0.0, "batch_normalization": False}
RESIDUAL = {
    "convolutions": [[8, 8, 8], [16, 16, 16]],
    "residual": True,
    "average_pooling": True,
    "hidden": [],
    "dropout": 0.0,
    "batch_normalization": True,
}
CONVOLUTIONS = {"convolutions": [[4, 4], [8]], "hidden": [16], "dropout": 0.2, "batch_normalization": False}


CASES = [
    *((name, chosen) for name in ("digits", "mnist", "fashion_mnist") for chosen in (DENSE, RESIDUAL)),
    ("digits", PLAIN),
    ("digits", CONVOLUTIONS),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "chosen"), CASES)
def test_all_test_images_get_the_probabilities_of_keras(
    opened: Opened, name: str, chosen: dict[str, Any]
) -> None:
    images = read_test_images(name)
    model = build.build_network(Network(**chosen), images.shape[1:], int(images.max()), 10, seed=1)
    randomize(model, images)
    compare(opened, model, images)


@pytest.mark.slow
@pytest.mark.parametrize("sides", [(5, 6), (6, 9)])
@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(("kernel", "strides"), [((3, 2), 1), (4, 2), ((2, 5), (2, 3))])
def test_convolutions_in_colour_of_any_shape(
    opened: Opened, sides: tuple[int, int], padding: str, kernel: Any, strides: Any
) -> None:
    keras.utils.set_random_seed(0)
    image = keras.Input((*sides, 3), dtype="uint8")
    values = keras.layers.Rescaling(1 / 100, offset=-1)(image)
    first = keras.layers.Conv2D(4, kernel, strides, padding, activation="relu", bias_initializer="normal")(
        values
    )
    # The normalisation of what another layer reads, too, is a step of its own.
    values = keras.layers.Add()([first, keras.layers.BatchNormalization(beta_initializer="normal")(first)])
    values = keras.layers.Activation("relu")(keras.layers.Flatten()(values))
    values = keras.layers.Dropout(0.5)(values)
    model = keras.Model(image, keras.layers.Softmax()(keras.layers.Dense(3)(values)))
    images = np.random.default_rng(0).integers(0, 256, (40, *sides, 3), np.uint8)
    compare(opened, model, images)


def test_a_sequential_network_is_converted(opened: Opened) -> None:
    layers = [
        keras.Input((4, 5), dtype="uint8"),
        keras.layers.Rescaling(1 / 255),
        keras.layers.Flatten(),
        keras.layers.Dense(7, activation="relu"),
        keras.layers.BatchNormalization(beta_initializer="normal"),
        keras.layers.Dense(3),
        keras.layers.Softmax(),
    ]
    keras.utils.set_random_seed(1)
    compare(opened, keras.Sequential(layers), np.random.default_rng(0).integers(0, 256, (50, 4, 5), np.uint8))


def test_a_normalisation_behind_a_layer_with_a_kernel_is_folded() -> None:
    model = build.build_network(Network(**RESIDUAL), (8, 8), 16, 3, seed=0)
    kinds = [step.kind for step in network.fold(network.convert(model))]
    assert "normalization" not in kinds
    assert kinds.count("convolution") == 6
    assert kinds.count("addition") == 2


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (lambda: keras.layers.LayerNormalization(name="own"), "a layer of the kind LayerNormalization, own"),
        (lambda: keras.layers.Dense(3, activation="tanh", name="own"), "the activation tanh of own"),
        (lambda: keras.layers.ReLU(max_value=6, name="own"), "a layer of the kind ReLU, own"),
    ],
)
def test_a_layer_without_a_step_is_named(layer: Callable[[], Any], message: str) -> None:
    image = keras.Input((4,))
    model = keras.Model(image, keras.layers.Softmax()(layer()(keras.layers.Dense(3)(image))))
    with pytest.raises(UnsupportedNetworkError, match=message):
        network.export(model)
