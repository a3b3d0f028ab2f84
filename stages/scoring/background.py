"""Background of images, dark or light, by which grey images are drawn and photographs inverted."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray


def find_background(images: NDArray[Any], largest_pixel: int) -> Literal["dark", "light"] | None:
    """Judge the background of images, shape (n, height, width, ...), by their edges.

    Returns:
        None if some images have dark edges and others light ones, as photographs do, so that an image
        alone does not tell whether it is inverted.
    """
    edges = (images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1])
    means = np.concatenate([edge.reshape(len(images), -1) for edge in edges], axis=1).mean(axis=1)
    light = means > largest_pixel / 2
    return "light" if light.all() else None if light.any() else "dark"
