"""The likeness of images to those of training: what is of another kind is told, what is alike is not."""

import json
from pathlib import Path

import numpy as np
import pytest
from helpers import ROOT
from numpy.typing import NDArray
from sklearn.datasets import load_digits, load_sample_images

from stages.checks import description, likeness
from stages.checks.description import Description
from stages.checks.likeness import Likeness
from stages.common.errors import UserError
from stages.splits.arrays import Split

Rows = NDArray[np.int64]


def take(images: np.ndarray, labels: np.ndarray, start: int, stop: int) -> tuple[Split, Rows]:
    return Split(images, labels), np.arange(start, stop)


def share_of_unlike(images: np.ndarray, learnt: Likeness, largest_pixel: int) -> float:
    features = likeness.extract_features(images, largest_pixel)
    return float((likeness.measure_distances(features, learnt) > learnt.largest_distance).mean())


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    images, labels = load_digits(return_X_y=True)
    return images.reshape(-1, 8, 8).astype(np.uint8), labels.astype(np.uint8)


@pytest.fixture(scope="module")
def learnt(digits: tuple[np.ndarray, np.ndarray]) -> Likeness:
    return likeness.learn(take(*digits, 0, 1000), take(*digits, 1000, 1300), 16)


def test_features_are_roots_of_the_means_of_brightness_and_edges() -> None:
    image = np.zeros((14, 14), np.uint8)
    image[:, 7:] = 100
    (features,) = likeness.extract_features(image[None], 255)
    assert len(features) == 7 * 7 + 4 * 4 * 4
    assert features[:7].tolist() == [0, 0, 0, round(64 * np.sqrt(50)), 640, 640, 640]
    across = features[49:65].reshape(4, 4)
    # Cells of 3, 3, 3 and 4 steps, the third of which has the edge.
    assert across.tolist() == [[0, 0, round(64 * np.sqrt(100 / 3)), 0]] * 4
    assert features[65:81].tolist() == [0] * 16  # nothing changes downwards
    (white,) = likeness.extract_features(np.full((1, 14, 14, 3), 1.0), 1)
    assert white.tolist() == [round(64 * np.sqrt(255))] * (49 * 3) + [0] * 64


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2), (3, 40), (64, 48, 3)])
def test_images_of_any_size_have_features(shape: tuple[int, ...]) -> None:
    random = np.random.default_rng(0)
    images, labels = random.integers(0, 256, (40, *shape), np.uint8), np.arange(40) % 2
    learnt = likeness.learn(take(images, labels, 0, 20), take(images, labels, 20, 40), 255)
    assert share_of_unlike(images[20:], learnt, 255) == 0
    assert learnt.false_alarms == pytest.approx(1 / 21, abs=1e-3)  # of 20 images, none is left out


def test_images_of_another_kind_are_told_and_the_rest_seldom(
    digits: tuple[np.ndarray, np.ndarray], learnt: Likeness
) -> None:
    images, _ = digits
    random = np.random.default_rng(0)
    assert learnt.false_alarms == pytest.approx(0.01, abs=0.005)
    assert share_of_unlike(images[1300:], learnt, 16) < 0.04
    photograph = np.asarray(load_sample_images().images[0]).mean(axis=2) * (16 / 255)
    places = random.integers(0, 200, (50, 2))
    crops = np.array([photograph[y : y + 200, x : x + 200][::25, ::25] for y, x in places])
    assert share_of_unlike(np.rint(crops), learnt, 16) == 1
    assert share_of_unlike(random.integers(0, 17, (50, 8, 8)), learnt, 16) == 1
    assert share_of_unlike(16 - images[:50], learnt, 16) == 1
    assert share_of_unlike(np.full((1, 8, 8), 7), learnt, 16) == 1


def test_the_largest_distance_leaves_out_one_validation_image_of_a_hundred(
    digits: tuple[np.ndarray, np.ndarray], learnt: Likeness
) -> None:
    beyond = share_of_unlike(digits[0][1000:1300], learnt, 16) * 300
    assert 1 <= beyond <= 3


def test_images_that_are_all_alike_have_a_likeness() -> None:
    images, labels = np.full((30, 8, 8), 9, np.uint8), np.repeat([0, 1], 15)
    learnt = likeness.learn(take(images, labels, 0, 30), take(images, labels, 0, 30), 16)
    assert share_of_unlike(images, learnt, 16) == 0
    assert share_of_unlike(images + 1, learnt, 16) == 1


def test_a_description_goes_with_the_network_of_every_data_set(tmp_path: Path, learnt: Likeness) -> None:
    path = tmp_path / "birds.json"
    given = Description(
        classes=["Zaunkönig", "b"], shape=[8, 8], dtype="uint8", largest_pixel=16, likeness=learnt
    )
    description.write(path, given)
    assert description.read(path) == given
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["classes"] == ["Zaunkönig", "b"]
    assert path.read_text(encoding="utf-8").count("\n") == 7
    assert "models/NAME.json" in (ROOT / "docs/models.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("covariance", [[1.0, 0.0]], "expected 1 numbers in each row"),
        ("covariance", [], "covariance: expected at least one item"),
        ("means", [], "means: expected at least one item"),
        ("means", [[1.0], [1.0, 2.0]], "expected 1 numbers in each row"),
        ("covariance", [[-5.0]], "expected a covariance, found a matrix with negative variances"),
        ("largest_distance", -1.0, "largest_distance: expected "),
    ],
)
def test_a_likeness_that_is_none_is_one_line(tmp_path: Path, key: str, value: object, message: str) -> None:
    good = {"means": [[1.0]], "covariance": [[2.0]], "largest_distance": 3.0, "false_alarms": 0.1}
    content = {"classes": ["a", "b"], "shape": [1, 1], "dtype": "uint8", "largest_pixel": 255}
    path = tmp_path / "birds.json"
    path.write_text(json.dumps({**content, "likeness": good}))
    assert description.read(path).likeness.largest_distance == 3
    path.write_text(json.dumps({**content, "likeness": {**good, key: value}}))
    with pytest.raises(UserError) as error:
        description.read(path)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "expected the description of a data set, found no file"),
        ("{", "expected JSON, found "),
        ("[]", "expected a mapping of keys to values"),
        ('{"classes": ["a"]}', "shape: expected a value, found nothing"),
        ("[" * 100_000, "expected JSON, found "),
    ],
)
def test_a_wrong_description_is_one_line(tmp_path: Path, content: str | None, message: str) -> None:
    path = tmp_path / "birds.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError) as error:
        description.read(path)
    assert f"{path}: {message}" in str(error.value)
    assert str(error.value).endswith("; run dvc repro preprocess@birds")
    assert "\n" not in str(error.value)
