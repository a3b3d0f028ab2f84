"""Temperature scaling: one number by which logits are divided, so that probabilities are what they say."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.common.backend import keras

LAYER = "temperature"
LARGEST_TEMPERATURE = 20.0  # and 1 / 20 is the smallest
ADDED_IMAGES = 0.5
SIGNIFICANT_DIGITS = 4  # the last bits of NumPy's float64 exp depend on the processor


def calibrate(model: keras.Model, logits: NDArray[np.float32], labels: NDArray[Any]) -> float:
    """Fit the temperature of a network, and set it.

    Args:
        model: a network with a layer `LAYER` before its softmax, from `build.build_network`.
        logits: shape (n, classes), of images that the weights were not fitted to.
        labels: shape (n,), their classes.

    Returns:
        The temperature: above 1 if the network was too sure.
    """
    temperature = fit_temperature(logits, labels)
    model.get_layer(LAYER).scale = 1 / temperature
    return temperature


def fit_temperature(logits: NDArray[np.float32], labels: NDArray[Any]) -> float:
    """Return the temperature T with the smallest log loss of softmax(logits / T).

    Source: Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks", 2017, section 4.2.
    Half an image more is counted, an average one that is of the second likeliest class: T would be 0 where
    every image is right (half an error, after Jeffreys, "An Invariant Form for the Prior Probability", 1946).

    Args:
        logits: shape (n, classes).
        labels: shape (n,).
    """
    from scipy.optimize import minimize_scalar  # noqa: PLC0415 - most trainings do without
    from scipy.special import log_softmax  # noqa: PLC0415

    values = logits.astype(np.float64)
    rows, seconds = np.arange(len(labels)), np.argsort(values, axis=1)[:, -2]

    def compute_loss(log_temperature: float) -> float:
        logs = log_softmax(values / np.exp(log_temperature), axis=1)
        return float(-logs[rows, labels].sum() - ADDED_IMAGES * logs[rows, seconds].mean())

    bound = np.log(LARGEST_TEMPERATURE)
    found = minimize_scalar(compute_loss, bounds=(-bound, bound), method="bounded")
    return float(f"{np.exp(found.x):.{SIGNIFICANT_DIGITS}g}")
