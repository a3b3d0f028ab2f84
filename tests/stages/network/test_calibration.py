"""Temperature scaling: the same answers, with probabilities that are what they say."""

import json
from pathlib import Path

import numpy as np
import pytest
from helpers import TWIN, Project
from numpy.typing import NDArray
from scipy.special import softmax

from stages.common.backend import keras
from stages.evaluate import predict
from stages.network import calibration, model_file
from stages.scoring.scores import compute_metrics
from stages.splits.arrays import Split


def draw(count: int, temperature: float) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Draw logits, and classes of which softmax(logits / temperature) are the probabilities."""
    random = np.random.default_rng(0)
    logits = random.normal(size=(count, 5), scale=3).astype(np.float32)
    probabilities = softmax(logits / temperature, axis=1)
    labels = (probabilities.cumsum(axis=1) < random.random((count, 1))).sum(axis=1)
    return logits, np.minimum(labels, 4)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_of_the_labels_is_found(temperature: float) -> None:
    assert calibration.fit_temperature(*draw(100_000, temperature)) == pytest.approx(temperature, rel=0.02)


def test_no_network_becomes_sure_of_everything_because_few_images_are_all_right() -> None:
    logits, _ = draw(10, 1.0)
    temperature = calibration.fit_temperature(logits, logits.argmax(axis=1))
    loss = -np.log(softmax(logits / temperature, axis=1).max(axis=1)).mean()
    assert 1 / 100 < loss < 1 / 2  # an eleventh image may well be wrong


def test_a_temperature_has_few_digits_so_that_its_bits_travel() -> None:
    temperature = calibration.fit_temperature(*draw(1000, 1.7))
    assert float(f"{temperature:.4g}") == temperature


@pytest.fixture(scope="module")
def scaled(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project in which the twin has a temperature. Not to be changed."""
    project = finished.copy(tmp_path_factory.mktemp("scaled"))
    network = {"temperature_scaling": True}
    project.edit_parameters(lambda content: content["datasets"][TWIN]["network"].update(network))
    project.run("dvc", "repro", f"evaluate@{TWIN}")
    return project


def read_metrics(project: Project, split: str) -> dict[str, float]:
    return json.loads((project.folder / f"metrics/{TWIN}.json").read_text())[split]


@pytest.mark.slow
def test_answers_stay_and_the_log_loss_of_validation_images_falls(scaled: Project, finished: Project) -> None:
    before, after = read_metrics(finished, "validation"), read_metrics(scaled, "validation")
    assert after["accuracy"] == before["accuracy"]
    assert after["log_loss"] < before["log_loss"]
    assert read_metrics(scaled, "test")["accuracy"] == read_metrics(finished, "test")["accuracy"]


def test_the_weights_and_the_learning_curves_stay(scaled: Project, finished: Project) -> None:
    models = [model_file.load(project.folder / f"models/{TWIN}.keras") for project in (finished, scaled)]
    for before, after in zip(*(model.get_weights() for model in models), strict=True):
        assert np.array_equal(before, after)
    history = f"plots/history/{TWIN}.csv"
    assert scaled.files(history) == finished.files(history)


def test_whoever_loads_the_model_file_gets_calibrated_probabilities(scaled: Project) -> None:
    folder = scaled.folder / f"data/processed/{TWIN}/validation"
    images, labels = (np.load(folder / f"{name}.npy") for name in ("images", "labels"))
    model = keras.saving.load_model(scaled.folder / f"models/{TWIN}.keras")
    assert model.get_layer(calibration.LAYER).scale != 1
    probabilities = model.predict(images, verbose=0)
    np.testing.assert_allclose(probabilities, predict(model, Split(images, labels)), atol=1e-6)
    metrics = compute_metrics(labels, probabilities, bins=15)
    assert metrics["log_loss"] == pytest.approx(read_metrics(scaled, "validation")["log_loss"], abs=1e-5)


@pytest.mark.slow
def test_the_same_training_has_the_same_temperature(scaled: Project, tmp_path: Path) -> None:
    again = scaled.copy(tmp_path)
    again.run("dvc", "repro", "--force", "--single-item", f"train@{TWIN}")
    assert again.files(f"models/{TWIN}.keras") == scaled.files(f"models/{TWIN}.keras")
