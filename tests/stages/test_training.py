"""Training: the batches, the network, the learning rate, the choice of an epoch, the model file."""

import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import ENVIRONMENT, ROOT
from sklearn.datasets import load_digits

from stages import parameters
from stages.common.backend import keras
from stages.common.errors import UserError
from stages.common.fields import Augmentation
from stages.network import build, model_file
from stages.network.checkpoint import Checkpoint
from stages.network.optimizers import build_schedule
from stages.network.schema import Network, Training
from stages.splits import batches
from stages.splits.arrays import Split
from stages.train import report_epochs, train, weigh_classes


@pytest.fixture(scope="module")
def digits() -> Split:
    bunch = load_digits()
    return Split(bunch.images.astype(np.uint8), bunch.target.astype(np.uint8))


@pytest.fixture(scope="module")
def dataset() -> parameters.Dataset:
    return parameters.load(ROOT / "params.yaml").dataset("digits")


def part(split: Split, start: int, stop: int) -> Split:
    return Split(split.images[start:stop], split.labels[start:stop])


def with_training(dataset: parameters.Dataset, **changes: object) -> parameters.Dataset:
    training = dataset.training.model_copy(update=changes)
    return dataset.model_copy(update={"training": training})


def numbered(count: int) -> Split:
    """Images of two pixels that tell which image it is, and labels that follow from it."""
    images = np.arange(count, dtype=">u2").view(np.uint8).reshape(count, 2, 1)
    return Split(images, (np.arange(count) % 3).astype(np.uint8))


def epochs_of(split: Split, batch_size: int, seed: int, epochs: int) -> list[np.ndarray]:
    steps = -(-len(split.labels) // batch_size)
    taken = batches.shuffled_batches(
        split, 3, batch_size, seed, augmentation=Augmentation(), largest_pixel=255
    ).take(steps * epochs)
    numbers = []
    for images, labels in taken.as_numpy_iterator():
        number = images.reshape(-1, 2).view(">u2").ravel()
        assert labels.argmax(axis=1).tolist() == (number % 3).tolist()
        numbers.extend(number.tolist())
    return np.split(np.array(numbers), epochs)


def test_each_epoch_has_every_image_once_in_an_order_of_its_own() -> None:
    first, second, third = epochs_of(numbered(1000), batch_size=64, seed=0, epochs=3)
    for epoch in (first, second, third):
        assert sorted(epoch) == list(range(1000))
    assert first.tolist() != second.tolist() != third.tolist()


def test_the_order_depends_on_the_seed_and_not_on_the_batch_size() -> None:
    orders = [
        epochs_of(numbered(1000), batch_size, seed, epochs=2)[1].tolist()
        for batch_size, seed in [(64, 0), (1000, 0), (7, 0), (64, 1)]
    ]
    assert orders[0] == orders[1] == orders[2]
    assert orders[0] != orders[3]


def test_batches_in_order_have_every_image_once() -> None:
    split = numbered(10)
    taken = list(batches.ordered_batches(split, 3, batch_size=4).as_numpy_iterator())
    assert [len(images) for images, _ in taken] == [4, 4, 2]
    assert np.concatenate([images for images, _ in taken]).tolist() == split.images.tolist()
    assert np.concatenate([labels for _, labels in taken]).argmax(axis=1).tolist() == split.labels.tolist()


def test_no_thread_tunes_the_batches() -> None:
    # It would hold up the end of the training for up to as long as the training took.
    shuffled = batches.shuffled_batches(numbered(10), 3, 4, 0, augmentation=Augmentation(), largest_pixel=255)
    for data in (shuffled, batches.ordered_batches(numbered(10), 3, 4)):
        assert data.options().autotune.enabled is False


@pytest.mark.parametrize(
    ("settings", "layers"),
    [
        ({}, "image scale flatten hidden_1 relu_1 hidden_2 relu_2 logit probability"),
        (
            {"dropout": 0.5, "hidden": [4]},
            "image scale flatten hidden_1 relu_1 dropout_1 logit probability",
        ),
        (
            {"batch_normalization": True, "hidden": [4]},
            "image scale flatten hidden_1 normalize_1 relu_1 logit probability",
        ),
        (
            {"convolutions": [[2, 3], [4]], "batch_normalization": True, "hidden": [4]},
            "image scale channel convolution_1_1 normalize_1_1 relu_1_1 convolution_1_2 normalize_1_2 "
            "relu_1_2 convolution_2_1 normalize_2_1 relu_2_1 flatten hidden_1 normalize_1 "
            "relu_1 logit probability",
        ),
        (
            {"convolutions": [[2, 2, 2], [4]], "residual": True, "average_pooling": True, "hidden": []},
            "image scale channel convolution_1_1 relu_1_1 convolution_1_2 relu_1_2 convolution_1_3 add_1_3 "
            "relu_1_3 convolution_2_1 relu_2_1 average flatten logit probability",
        ),
    ],
)
def test_the_network_has_the_layers_of_params(settings: dict[str, object], layers: str) -> None:
    chosen = Network(**{"hidden": [8, 4], "dropout": 0.0, "batch_normalization": False, **settings})
    model = build.build_network(chosen, image_shape=(5, 6), largest_pixel=16, class_count=3, seed=0)
    assert [layer.name for layer in model.layers] == layers.split()
    assert model.input_shape == (None, 5, 6)
    assert model.output_shape == (None, 3)
    widths = [layer.units for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    assert widths == [*chosen.hidden, 3]
    filters = [layer.filters for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert filters == [*itertools.chain(*chosen.convolutions)]


def test_an_image_too_small_for_the_convolutions_is_named() -> None:
    chosen = Network(convolutions=[[2], [2], [2]], hidden=[4], dropout=0.0, batch_normalization=True)
    with pytest.raises(UserError, match=r"expected at most 2 lists, .* 5 x 6 pixels, found 3"):
        build.build_network(chosen, image_shape=(5, 6), largest_pixel=16, class_count=3, seed=0)


def test_convolutions_take_images_in_colour() -> None:
    chosen = Network(convolutions=[[2]], hidden=[4], dropout=0.0, batch_normalization=True)
    model = build.build_network(chosen, image_shape=(5, 6, 3), largest_pixel=16, class_count=3, seed=0)
    assert model.get_layer("convolution_1_1").kernel.shape == (3, 3, 3, 2)
    assert model.predict(np.zeros((2, 5, 6, 3), np.uint8), verbose=0).shape == (2, 3)


def test_the_network_scales_pixels_and_gives_probabilities() -> None:
    chosen = Network(hidden=[8], dropout=0.0, batch_normalization=False)
    model = build.build_network(chosen, image_shape=(2, 2), largest_pixel=16, class_count=3, seed=0)
    images = np.array([[[0, 8], [16, 4]]], np.uint8)
    assert model.get_layer("scale")(images).numpy().ravel().tolist() == [0.0, 0.5, 1.0, 0.25]
    assert model.predict(images, verbose=0).sum(axis=1) == pytest.approx(1)


def weights(seed: int, **changes: object) -> dict[str, np.ndarray]:
    chosen = Network(**{"hidden": [8, 4], "dropout": 0.5, "batch_normalization": False, **changes})
    model = build.build_network(chosen, (5, 6), 16, 3, seed)
    return {
        layer.name: layer.kernel.numpy() for layer in model.layers if isinstance(layer, keras.layers.Dense)
    }


def test_each_two_convolutions_add_to_their_input_with_residual() -> None:
    model = build.build_network(
        Network(convolutions=[[2] * 5], residual=True, hidden=[], dropout=0.0, batch_normalization=True),
        image_shape=(5, 6),
        largest_pixel=16,
        class_count=3,
        seed=0,
    )
    images = np.random.default_rng(0).integers(0, 17, (4, 5, 6), np.uint8)

    def outputs(name: str) -> np.ndarray:
        return keras.Model(model.inputs, model.get_layer(name).output).predict(images, verbose=0)

    for first, last in (("1_1", "1_3"), ("1_3", "1_5")):
        added = outputs(f"relu_{first}") + outputs(f"normalize_{last}")
        assert np.allclose(outputs(f"relu_{last}"), np.maximum(added, 0), atol=1e-6)
    assert "add_1_2" not in {layer.name for layer in model.layers}


def test_average_pooling_is_the_mean_over_places() -> None:
    chosen = Network(
        convolutions=[[2], [3]], average_pooling=True, hidden=[], dropout=0.0, batch_normalization=False
    )
    model = build.build_network(chosen, (9, 6), 16, 4, 0)
    images = np.random.default_rng(0).integers(0, 17, (4, 9, 6), np.uint8)
    filters, pooled = (
        keras.Model(model.inputs, model.get_layer(name).output).predict(images, verbose=0)
        for name in ("relu_2_1", "flatten")
    )
    assert np.allclose(pooled, filters.mean(axis=(1, 2)), atol=1e-6)


def test_each_layer_draws_its_weights_from_a_stream_of_its_own() -> None:
    same, other, deeper = weights(0), weights(1), weights(0, hidden=[8, 4, 4], dropout=0.0)
    for name, kernel in weights(0).items():
        assert np.array_equal(kernel, same[name])
        assert not np.array_equal(kernel, other[name])
        assert np.array_equal(kernel, deeper[name])  # another layer, other dropout: the same weights
    assert not np.array_equal(deeper["hidden_2"], deeper["hidden_3"][:4])


def test_each_layer_leaves_out_by_a_stream_of_its_own() -> None:
    def left_out(number: int, **changes: object) -> np.ndarray:
        chosen = Network(**{"hidden": [8, 8], "dropout": 0.5, "batch_normalization": False, **changes})
        layer = build.build_network(chosen, (5, 6), 16, 3, seed=0).get_layer(f"dropout_{number}")
        return layer(np.ones((100, 8), np.float32), training=True).numpy() == 0

    assert np.array_equal(left_out(1), left_out(1))
    assert not np.array_equal(left_out(1), left_out(2))
    assert np.array_equal(left_out(2), left_out(2, hidden=[8, 8, 8], batch_normalization=True))


@pytest.mark.parametrize(
    ("schedule", "warmup_epochs", "expected"),
    [
        ("constant", 0, {0: 0.1, 50: 0.1, 100: 0.1}),
        ("constant", 2, {0: 0.0, 10: 0.05, 20: 0.1, 60: 0.1, 100: 0.1}),
        ("cosine", 0, {0: 0.1, 50: 0.05, 100: 0.0}),
        ("cosine", 2, {0: 0.0, 10: 0.05, 20: 0.1, 60: 0.05, 100: 0.0}),
    ],
)
def test_the_learning_rate_rises_and_follows_the_schedule(
    dataset: parameters.Dataset, schedule: str, warmup_epochs: int, expected: dict[int, float]
) -> None:
    changes = {"learning_rate": 0.1, "schedule": schedule, "warmup_epochs": warmup_epochs, "epochs": 10}
    rate = build_schedule(dataset.training.model_copy(update=changes), steps_per_epoch=10)
    assert {step: float(rate(step)) for step in expected} == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", Training.model_fields["optimizer"].annotation.__args__)
def test_every_optimizer_that_params_allows_trains(
    digits: Split, dataset: parameters.Dataset, name: str
) -> None:
    settings = {"AdamW": {"learning_rate": 0.003}, "SGD": {"learning_rate": 0.1, "momentum": 0.9}}[name]
    chosen = with_training(dataset, optimizer=name, epochs=5, **settings)
    _, history = train(chosen, part(digits, 0, 1000), part(digits, 1000, 1300))
    assert history["val_accuracy"].max() > 0.6


def test_the_history_has_a_row_an_epoch(digits: Split, dataset: parameters.Dataset) -> None:
    _, history = train(
        with_training(dataset, epochs=4, warmup_epochs=1), part(digits, 0, 500), part(digits, 500, 800)
    )
    assert list(history.columns) == ["epoch", "loss", "accuracy", "val_loss", "val_accuracy"]
    assert history["epoch"].tolist() == [1, 2, 3, 4]


class Scaled(keras.layers.Layer):  # type: ignore[misc]
    """A layer of one's own that nobody has registered."""

    def call(self, inputs: Any) -> Any:
        return inputs * 2


def test_a_network_that_cannot_be_saved_is_refused_before_the_training(
    digits: Split, dataset: parameters.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build_with_own_layer(*_: Any) -> keras.Model:
        inputs = keras.Input((8, 8))
        outputs = keras.layers.Dense(10)(Scaled()(keras.layers.Flatten()(inputs)))
        return keras.Model(inputs, keras.layers.Softmax(dtype="float64")(outputs))

    monkeypatch.setattr(build, "build_network", build_with_own_layer)
    began = keras.callbacks.LambdaCallback(on_epoch_begin=lambda *_: pytest.fail("it trains"))
    with pytest.raises(UserError, match=r"stages/network: expected layers .*Scaled.*register_keras") as error:
        train(dataset, part(digits, 0, 1000), part(digits, 1000, 1300), [began])
    assert "\n" not in str(error.value)


def test_the_history_is_rewritten_on_the_way_in_its_share_of_the_time(tmp_path: Path) -> None:
    path, checkpoint = tmp_path / "history.csv", Checkpoint(tmp_path / "checkpoint.npz", "")
    callback = report_epochs(path, checkpoint)
    for epoch in range(3):  # in no time, so that one write has had its share
        checkpoint.epochs.append({"loss": 1.0, "accuracy": 0.5, "val_loss": 1.0, "val_accuracy": 0.5})
        callback.on_epoch_end(epoch)
    assert path.read_text() == "epoch,loss,accuracy,val_loss,val_accuracy\n1,1.0,0.5,1.0,0.5\n"


def test_the_model_is_that_of_the_last_epoch(digits: Split, dataset: parameters.Dataset) -> None:
    # A learning rate so high that the last epoch is not the best.
    wild = with_training(dataset, learning_rate=0.1, schedule="constant", epochs=8)
    validation = part(digits, 1000, 1300)
    model, history = train(wild, part(digits, 0, 1000), validation)
    accuracy = (model.predict(validation.images, verbose=0).argmax(axis=1) == validation.labels).mean()
    assert accuracy == pytest.approx(history["val_accuracy"].iloc[-1])
    assert history["val_accuracy"].iloc[-1] < history["val_accuracy"].max()


def test_the_validation_images_change_no_weight(digits: Split, dataset: parameters.Dataset) -> None:
    """The validation split chooses hyperparameters alone, so that its scores are not too good."""
    short = with_training(dataset, epochs=3)
    models = [train(short, part(digits, 0, 500), part(digits, *rows))[0] for rows in ((500, 800), (800, 900))]
    for first, second in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_array_equal(first, second)


def test_the_validation_loss_is_the_plain_cross_entropy(digits: Split, dataset: parameters.Dataset) -> None:
    """Label smoothing changes what is learned, not how it is scored."""
    smooth = with_training(dataset, label_smoothing=0.2, epochs=5)
    validation = part(digits, 1000, 1300)
    model, history = train(smooth, part(digits, 0, 1000), validation)
    probabilities = model.predict(validation.images, verbose=0)[np.arange(300), validation.labels]
    assert history["val_loss"].iloc[-1] == pytest.approx(-np.log(probabilities).mean(), rel=1e-4)
    assert history["loss"].iloc[-1] > 0.5  # the entropy of the smoothed labels alone is 0.78


@pytest.mark.parametrize("changes", [{"learning_rate": 1e6}, {"weight_decay": 1e6}])
def test_a_training_that_diverges_is_reported(
    digits: Split, dataset: parameters.Dataset, changes: dict[str, float]
) -> None:
    wild = with_training(dataset, epochs=20, warmup_epochs=0, schedule="constant", **changes)
    with pytest.raises(UserError, match=r"expected a loss that stays finite, found .*lower learning_rate"):
        train(wild, part(digits, 0, 500), part(digits, 500, 800))


def test_weights_that_no_memory_holds_are_refused_before_any_is_made(
    digits: Split, dataset: parameters.Dataset
) -> None:
    huge = dataset.network.model_copy(update={"hidden": [100_000, 100_000]})
    with pytest.raises(
        UserError, match=r"params\.yaml: network: expected weights that fit into \d+ GB of memory"
    ):
        train(dataset.model_copy(update={"network": huge}), digits, digits)


@pytest.mark.parametrize("shape", [(28, 28), (9, 13, 3), (64, 64, 1)])
@pytest.mark.parametrize(
    "chosen",
    [
        {"hidden": [7, 8]},
        {"hidden": []},
        {"convolutions": [[4]], "hidden": [7, 8]},
        {"convolutions": [[4, 5], [6]], "hidden": [7]},
        {"convolutions": [[4, 4, 4], [6]], "residual": True, "average_pooling": True, "hidden": []},
    ],
)
def test_weights_are_counted_as_keras_counts_them(shape: tuple[int, ...], chosen: dict[str, object]) -> None:
    network = Network.model_validate({"dropout": 0.0, "batch_normalization": False, **chosen})
    model = build.build_network(network, shape, 255, 3, 0)
    matrices = sum(weights.size for weights in model.get_weights() if weights.ndim > 1)
    assert build.count_weights(network, shape, 3) == matrices


def test_label_smoothing_reaches_the_loss(digits: Split, dataset: parameters.Dataset) -> None:
    losses = [
        train(
            with_training(dataset, epochs=3, label_smoothing=amount),
            part(digits, 0, 500),
            part(digits, 500, 800),
        )[1]["loss"].iloc[-1]
        for amount in (0.0, 0.5)
    ]
    assert losses[1] > losses[0] + 0.3


def run_python(code: str, *arguments: str, **variables: str) -> str:
    environment = {**{k: v for k, v in ENVIRONMENT.items() if v is not None}, **variables}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


LOAD = """
import sys, warnings
warnings.simplefilter("error")
import numpy as np
import keras
model = keras.saving.load_model(sys.argv[1])
images = np.load(sys.argv[2])
print(np.round(model.predict(images, verbose=0).astype(float), 5).tolist())
"""


@pytest.mark.slow
def test_the_file_is_loaded_by_plain_keras_in_another_process(tmp_path: Path) -> None:
    chosen = Network(hidden=[8, 4], dropout=0.5, batch_normalization=True)
    model = build.build_network(chosen, (5, 6), 16, 3, 0)
    images = np.arange(4 * 30, dtype=np.uint8).reshape(4, 5, 6) % 17
    np.save(tmp_path / "images.npy", images)
    model_file.save(model, tmp_path / "model.keras")
    printed = run_python(LOAD, str(tmp_path / "model.keras"), str(tmp_path / "images.npy"))
    expected = np.round(model.predict(images, verbose=0).astype(float), 5)
    assert np.allclose(json.loads(printed), expected, atol=2e-5)


def test_the_file_holds_no_optimiser_state(tmp_path: Path) -> None:
    model = build.build_network(
        Network(hidden=[100], dropout=0.0, batch_normalization=False), (28, 28), 255, 10, 0
    )
    model.compile("adam", "categorical_crossentropy")
    model_file.save(model, tmp_path / "model.keras")
    assert (tmp_path / "model.keras").stat().st_size < 1.2 * 4 * model.count_params()


def test_networks_whose_layers_share_an_object_have_no_memory_address_in_their_files(tmp_path: Path) -> None:
    paths = [tmp_path / "first.keras", tmp_path / "second.keras"]
    for path in paths:
        shared = keras.layers.ReLU(name="shared")
        hidden = [
            keras.layers.Dense(4, activation=shared, kernel_initializer="zeros", name=name) for name in "ab"
        ]
        model_file.save(keras.Sequential([keras.Input((3,), name="image"), *hidden], name="model"), path)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    with pytest.raises(UserError, match=r"model\.keras: expected a trained network, found no file; run dvc"):
        model_file.load(path)
    path.write_bytes(b"")
    path.with_name("model.keras.sha256").write_text("")
    with pytest.raises(UserError, match=r"sha256: expected the SHA-256 of model\.keras, found none"):
        model_file.load(path)


def draw_two_classes(common: int, rare: int, seed: int) -> Split:
    """Draw images of 4 x 4 pixels of two classes, the second a little brighter on the mean."""
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(2, dtype=np.uint8), [common, rare])
    pixels = random.normal(100 + 40 * labels[:, None, None], 50, (len(labels), 4, 4))
    return Split(pixels.clip(0, 255).astype(np.uint8), labels)


@pytest.mark.slow
def test_a_rare_class_is_found_by_balance(dataset: parameters.Dataset) -> None:
    training, test = draw_two_classes(5000, 50, 0), draw_two_classes(500, 500, 1)
    recalls = []
    for balance in (0.0, 0.5, 1.0):
        chosen = with_training(dataset, epochs=10, warmup_epochs=1, balance=balance)
        model, history = train(chosen.model_copy(update={"largest_pixel": 255}), training, test, quiet=True)
        found = model.predict(test.images, verbose=0).argmax(axis=1) == 1
        recalls.append((found[500:].mean(), found[:500].mean()))
        assert np.isfinite(history["loss"]).all()
    # Of one image in a hundred, fewer than one in ten are found, unless its class counts for more.
    assert recalls[0][0] < 0.1
    assert recalls[0][0] <= recalls[1][0] < recalls[2][0]
    assert (recalls[2][0] + 1 - recalls[2][1]) / 2 > 0.8


@pytest.mark.parametrize(
    ("balance", "expected"), [(0.0, None), (0.5, {0: 5 / 6, 1: 2.5}), (1.0, {0: 5 / 9, 1: 5.0})]
)
def test_images_count_by_the_number_of_their_class(balance: float, expected: dict[int, float] | None) -> None:
    weights = weigh_classes(np.repeat([0, 1], [90, 10]), balance)
    assert weights is None if expected is None else weights == pytest.approx(expected)


def test_sgd_with_momentum_learns_faster_than_without(dataset: parameters.Dataset, digits: Split) -> None:
    accuracies = []
    for momentum in (0.0, 0.9):
        chosen = with_training(
            dataset, optimizer="SGD", momentum=momentum, learning_rate=0.02, epochs=5, warmup_epochs=1
        )
        _, history = train(chosen, part(digits, 0, 1200), part(digits, 1200, 1797), quiet=True)
        accuracies.append(history["val_accuracy"].iloc[-1])
    assert accuracies[1] > accuracies[0] + 0.1
    assert accuracies[1] > 0.8
