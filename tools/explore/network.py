"""Steps of a trained network, as the JavaScript of a page computes them."""

import base64
from collections import Counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

ACTIVATIONS = ("relu", "softmax")
WITH_KERNEL = ("dense", "convolution")
MOST_WEIGHTS = 4_000_000  # 16 MB, and a third more in base64


class Step(NamedTuple):
    """A step of the forward pass.

    Attributes:
        kind: a key of KINDS in static/network.js.
        inputs: the numbers of the steps whose values it gets; 0 is the pixels.
        sizes: what the function of its kind reads beside weights.
        weights: float32 arrays in the order of that function.
    """

    kind: str
    inputs: tuple[int, ...] = ()
    sizes: dict[str, Any] = {}  # noqa: RUF012 - never changed
    weights: tuple[NDArray[np.float32], ...] = ()


class UnsupportedNetworkError(Exception):
    """The error of a network that a page cannot compute: why not, in a few words."""


def export(model: Any) -> dict[str, Any]:
    """Convert a network to what `readNetwork` of static/network.js reads.

    Args:
        model: a Keras model, sequential or functional, from images to probabilities.

    Returns:
        The steps, with the lengths of their weights; and all weights, little-endian float32 in base64.

    Raises:
        UnsupportedNetworkError: if there is a layer without a step, or the page would be too large.
    """
    if (count := model.count_params()) > MOST_WEIGHTS:
        raise UnsupportedNetworkError(f"{count:,} weights, more than {MOST_WEIGHTS:,}")
    steps = fold(convert(model))
    weights = b"".join(array.astype("<f4").tobytes() for step in steps for array in step.weights)
    return {
        "steps": [
            {
                "kind": step.kind,
                "inputs": step.inputs,
                "lengths": [array.size for array in step.weights],
                **step.sizes,
            }
            for step in steps
        ],
        "weights": base64.b64encode(weights).decode(),
    }


def convert(model: Any) -> list[Step]:
    """Return the steps of a network, each behind those that it reads."""
    steps: list[Step] = []
    numbers = {id(tensor): 0 for tensor in model.inputs}  # of the steps that compute the tensors
    for layer in model.layers:
        if type(layer).__name__ == "InputLayer":
            continue
        if len(layer._inbound_nodes) > 1:  # as `layer.input` asks
            raise UnsupportedNetworkError(f"the layer {layer.name}, which is used twice")
        tensors = layer.input if isinstance(layer.input, list) else [layer.input]
        inputs = tuple(numbers[id(tensor)] for tensor in tensors)
        for step in _convert_layer(layer):
            steps.append(step._replace(inputs=inputs))
            inputs = (len(steps),)
        numbers[id(layer.output)] = inputs[0]
    return steps


def fold(steps: list[Step]) -> list[Step]:
    """Make a normalisation a part of the layer before it, if that has a kernel and nothing else reads it."""
    readers = Counter(number for step in steps for number in step.inputs)
    folded: list[Step] = []
    numbers = {0: 0}  # new by old
    for old, step in enumerate(steps, start=1):
        inputs = tuple(numbers[number] for number in step.inputs)
        producer = folded[inputs[0] - 1] if inputs[0] else None
        if (
            step.kind == "normalization"
            and producer is not None
            and producer.kind in WITH_KERNEL
            and readers[step.inputs[0]] == 1
        ):
            (kernel, bias), (factors, offsets) = producer.weights, step.weights
            folded[inputs[0] - 1] = producer._replace(
                weights=(kernel * factors, bias * factors + offsets)  # the last axis is that of the outputs
            )
            numbers[old] = inputs[0]
        else:
            folded.append(step._replace(inputs=inputs))
            numbers[old] = len(folded)
    return folded


def _convert_layer(layer: Any) -> list[Step]:
    """Return the steps of a layer, without their inputs."""
    config = layer.get_config()
    match type(layer).__name__:
        case "Flatten" | "Reshape" | "Dropout":  # the values stay as they are, in the same order
            steps = []
        case "Rescaling" if np.ndim(layer.scale) == np.ndim(layer.offset) == 0:
            steps = [Step("scale", sizes={"factor": float(layer.scale), "offset": float(layer.offset)})]
        case "Dense" if len(layer.input.shape) == 2:  # noqa: PLR2004 - images, values
            weights = (layer.kernel.numpy(), _read_bias(layer, layer.units))
            steps = [Step("dense", sizes={"units": layer.units}, weights=weights), *_activate(layer)]
        case "Conv2D" if (layer.data_format, layer.groups, layer.dilation_rate) == (
            "channels_last",
            1,
            (1, 1),
        ):
            steps = [_convert_convolution(layer), *_activate(layer)]
        case "BatchNormalization" if layer.axis in (-1, len(layer.input.shape) - 1):
            steps = [_convert_normalization(layer)]
        case "ReLU" if (config["max_value"], config["negative_slope"], config["threshold"]) == (None, 0, 0):
            steps = [Step("relu")]
        case "Softmax" if len(layer.input.shape) == 2:  # noqa: PLR2004
            steps = [Step("softmax")]
        case "Activation":
            steps = _activate(layer)
        case "Add":
            steps = [Step("addition")]
        case "GlobalAveragePooling2D" if layer.data_format == "channels_last":
            steps = [Step("average", sizes={"channels": layer.input.shape[-1]})]
        case _:
            raise UnsupportedNetworkError(f"a layer of the kind {type(layer).__name__}, {layer.name}")
    return steps


def _activate(layer: Any) -> list[Step]:
    name = layer.activation.__name__
    if name in ACTIVATIONS:
        return [Step(name)]
    if name == "linear":
        return []
    raise UnsupportedNetworkError(f"the activation {name} of {layer.name}")


def _read_bias(layer: Any, count: int) -> NDArray[np.float32]:
    bias: NDArray[np.float32] = layer.bias.numpy() if layer.use_bias else np.zeros(count, np.float32)
    return bias


def _convert_normalization(layer: Any) -> Step:
    mean, variance = layer.moving_mean.numpy(), layer.moving_variance.numpy()
    factors = (1 / np.sqrt(variance + layer.epsilon)).astype(np.float32)
    if layer.scale:
        factors = factors * layer.gamma.numpy()
    offsets = -mean * factors + (layer.beta.numpy() if layer.center else 0)
    return Step("normalization", weights=(factors, offsets.astype(np.float32)))


def _convert_convolution(layer: Any) -> Step:
    (_, *sides, channels), (_, *output_sides, filters) = layer.input.shape, layer.output.shape
    kernel_sides, strides = layer.kernel_size, layer.strides
    # The zeros that a convolution adds before an image, as TensorFlow does.
    missing = [
        max((outputs - 1) * stride + kernel_side - side, 0) if layer.padding == "same" else 0
        for side, outputs, kernel_side, stride in zip(sides, output_sides, kernel_sides, strides, strict=True)
    ]
    sizes = {
        "filters": filters,
        "channels": channels,
        "sides": sides,
        "outputSides": output_sides,
        "kernelSides": kernel_sides,
        "strides": strides,
        "edges": [zeros // 2 for zeros in missing],
    }
    return Step("convolution", sizes=sizes, weights=(layer.kernel.numpy(), _read_bias(layer, filters)))
