"""Floors of an epoch: the time of its products alone, at the rate of a large product in NumPy.

A network multiplies matrices; everything else is overhead. An epoch has 2 operations for each weight, place
and image in the forward pass, and 4 in the backward pass. This usual count is a little generous, since the
first layer needs only 2 of the 4.
"""

import json
from itertools import pairwise
from math import ceil
from typing import NamedTuple

from stages.common.errors import UserError
from stages.network.build import KERNEL_SIDE
from stages.parameters import Dataset
from tools.benchmarks.measurement import measure_python

OPENBLAS_KERNEL = "OPENBLAS_CORETYPE"
# The choice is OpenBLAS's own: a machine may have set these for all its programs.
FREE = {OPENBLAS_KERNEL: None, "OPENBLAS_L2_SIZE": None}
# A processor with AVX alone, as TensorFlow's own kernels use it: without fused multiply-add.
WITHOUT_FMA = {OPENBLAS_KERNEL: "Sandybridge", "OPENBLAS_L2_SIZE": None}


class Rates(NamedTuple):
    """Operations per second of a large float32 product.

    Attributes:
        fastest: with the instructions that OpenBLAS chooses for this processor.
        without_fma: with AVX alone, as portable computation has it.
        kernel: the name of OpenBLAS's choice.
    """

    fastest: float
    without_fma: float
    kernel: str


def measure_rates() -> Rates:
    """Measure the rates of a product in NumPy."""
    fastest, without_fma = (
        json.loads(measure_python("-m", "tools.benchmarks.scripts.product_rate", variables=variables).output)
        for variables in (FREE, WITHOUT_FMA)
    )
    if without_fma["kernel"] != WITHOUT_FMA[OPENBLAS_KERNEL]:
        raise UserError(
            f"NumPy: expected OpenBLAS with the kernel {WITHOUT_FMA[OPENBLAS_KERNEL]}, found "
            f"{without_fma['kernel']}; install the packages of requirements.lock on x86-64: make install"
        )
    return Rates(fastest["rate"], without_fma["rate"], fastest["kernel"])


def count_operations(dataset: Dataset, images: int, shape: tuple[int, ...]) -> int:
    """Return the number of operations in the products of an epoch.

    Args:
        dataset: its parameters, with the network.
        images: the number of training images.
        shape: of an image, (height, width) or (height, width, channels).
    """
    height, width, *channels = shape
    products, inputs = 0, channels[0] if channels else 1
    for filters_of_level in dataset.network.convolutions:
        height, width = ceil(height / 2), ceil(width / 2)
        for filters in filters_of_level:
            products += height * width * KERNEL_SIDE**2 * inputs * filters
            inputs = filters
    places = 1 if dataset.network.average_pooling else height * width
    widths = [places * inputs, *dataset.network.hidden, len(dataset.classes)]
    return 6 * images * (products + sum(before * after for before, after in pairwise(widths)))
