"""Wrong labels are found by a method that is named, and planted ones come first."""

import numpy as np

from tools.explore.labels import find_suspicious


def make_predictions(classes: int, images: int) -> tuple[np.ndarray, np.ndarray]:
    """Return labels, and the probabilities of a good network."""
    random = np.random.default_rng(0)
    labels = np.arange(images) % classes
    logits = random.normal(0, 1, (images, classes))
    logits[np.arange(images), labels] += 6
    powers = np.exp(logits)
    return labels, (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def test_planted_labels_are_found() -> None:
    labels, probabilities = make_predictions(10, 2000)
    planted = np.random.default_rng(1).choice(2000, 40, replace=False)
    labels[planted] = (labels[planted] + 3) % 10
    found = find_suspicious(labels, probabilities)
    assert set(planted) <= set(found["number"])
    assert set(found["number"][:30]) <= set(planted)
    issues = found[found["is_issue"]]
    assert len(set(issues["number"]) & set(planted)) >= 30
    assert len(issues) < 60
    assert found["probability_of_label"].is_monotonic_increasing
    first = found.iloc[0]
    number = int(first["number"])
    assert first["label"] == labels[number]
    assert first["likelier"] == probabilities[number].argmax()
    assert first["probability"] == probabilities[number].max()


def test_right_labels_are_left_alone() -> None:
    labels, probabilities = make_predictions(10, 2000)
    found = find_suspicious(labels, probabilities)
    assert len(found) == (probabilities.argmax(axis=1) != labels).sum()
    assert found["is_issue"].sum() < 10


def test_classes_without_images_and_single_ones_do_no_harm() -> None:
    labels, probabilities = make_predictions(10, 2000)
    some = np.isin(labels, [2, 5, 7])
    flipped = labels[some].copy()
    flipped[0] = 7 if flipped[0] != 7 else 2
    found = find_suspicious(flipped, probabilities[some])
    assert found["number"].iloc[0] == 0
    assert found["is_issue"].iloc[0]
    alone = labels == 4
    assert not find_suspicious(labels[alone], probabilities[alone])["is_issue"].any()
