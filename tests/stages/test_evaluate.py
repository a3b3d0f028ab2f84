"""Warnings of evaluate about a network that is no better than guessing."""

import numpy as np
import pytest

from stages import evaluate

LABELS = np.repeat(np.arange(3), 40)


@pytest.mark.parametrize(
    ("predictions", "is_warned"),
    [
        (np.zeros(120, int), True),
        (np.roll(LABELS, 40), True),
        (np.tile(np.arange(3), 40), True),
        (np.where(np.arange(120) < 60, LABELS, 0), False),
        (LABELS, False),
    ],
)
def test_a_network_that_guesses_is_named(
    capsys: pytest.CaptureFixture[str], predictions: np.ndarray, is_warned: bool
) -> None:
    evaluate.warn_of_guesses("pets", LABELS, predictions)
    error = capsys.readouterr().err
    assert error.startswith("warning: pets: ") == is_warned
    assert error.count("\n") == is_warned
    assert ("cannot be told from guessing (always the commonest class: 33.3%)" in error) == is_warned


def test_a_class_that_is_common_is_no_achievement(capsys: pytest.CaptureFixture[str]) -> None:
    labels = np.array([0] * 90 + [1] * 10)
    evaluate.warn_of_guesses("pets", labels, np.zeros(100, int))
    assert "90 of 100 validation images are right" in capsys.readouterr().err
