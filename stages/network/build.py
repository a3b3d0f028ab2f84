"""Construction of the network: from the pixels of an image to a probability for each class."""

from math import ceil

from stages.common.backend import keras
from stages.common.errors import UserError
from stages.common.seeds import derive_seed
from stages.common.shapes import GREY_IMAGE_NDIM
from stages.network.calibration import LAYER as TEMPERATURE_LAYER
from stages.network.schema import Network

KERNEL_SIDE = 3  # pixels


def count_weights(network: Network, image_shape: tuple[int, ...], class_count: int) -> int:
    """Return the number of weights of all layers, biases left out, without building them."""
    height, width, *channels = image_shape
    total, inputs = 0, channels[0] if channels else 1
    for filters_of_level in network.convolutions:
        height, width = (ceil(side / 2) for side in (height, width))
        for filters in filters_of_level:
            total += KERNEL_SIDE**2 * inputs * filters
            inputs = filters
    inputs *= 1 if network.average_pooling else height * width
    for units in (*network.hidden, class_count):
        total += inputs * units
        inputs = units
    return total


def build_network(
    network: Network,
    image_shape: tuple[int, ...],
    largest_pixel: int,
    class_count: int,
    seed: int,
    dtype: str = "uint8",
) -> keras.Model:
    """Build a feed-forward network with fresh weights: convolutions, if there are any, then dense layers.

    Scaling to [0, 1] and flattening are layers of the network. So whoever loads the model feeds it images as
    they are stored, and cannot scale them differently from the training.

    Args:
        network: the layers between pixels and classes.
        image_shape: such as (28, 28), or (28, 28, 3) in colour.
        largest_pixel: the pixel value that becomes 1.0.
        class_count: the number of classes.
        seed: the seed of the weights and of dropout; each layer derives a seed of its own.
        dtype: the type of the pixels.

    Returns:
        A model from images, shape (n, *image_shape), to float32 probabilities, shape (n, class_count).

    Raises:
        UserError: if there are more lists of convolutions than the image can be halved.
    """
    halvings = min(image_shape[:2]).bit_length() - 1
    if len(network.convolutions) > halvings:
        raise UserError(
            f"params.yaml: network.convolutions: expected at most {halvings} lists, since each halves the "
            f"images, of {' x '.join(map(str, image_shape[:2]))} pixels, found {len(network.convolutions)}; "
            "remove lists"
        )
    # Batch normalisation subtracts the mean, and any bias with the mean.
    use_bias = not network.batch_normalization

    def build_initializer(name: str) -> keras.initializers.Initializer:
        return keras.initializers.GlorotUniform(derive_seed(seed, f"weights of {name}"))

    def normalize(values: keras.KerasTensor, suffix: str) -> keras.KerasTensor:
        if not network.batch_normalization:
            return values
        return keras.layers.BatchNormalization(name=f"normalize_{suffix}")(values)

    image = keras.Input(image_shape, dtype=dtype, name="image")
    values = keras.layers.Rescaling(1 / largest_pixel, name="scale")(image)
    if network.convolutions and len(image_shape) == GREY_IMAGE_NDIM:
        values = keras.layers.Reshape((*image_shape, 1), name="channel")(values)
    for level, filters_of_level in enumerate(network.convolutions, start=1):
        for position, filters in enumerate(filters_of_level, start=1):
            # Pairs are those of He et al., "Deep Residual Learning", 2016, figure 2.
            is_first_of_pair, is_second_of_pair = position % 2 == 0, position % 2 == 1 and position > 1
            if is_first_of_pair:
                shortcut = values
            suffix = f"{level}_{position}"
            name = f"convolution_{suffix}"
            convolution = keras.layers.Conv2D(
                filters,
                KERNEL_SIDE,
                strides=2 if position == 1 else 1,
                padding="same",
                use_bias=use_bias,
                kernel_initializer=build_initializer(name),
                name=name,
            )
            values = normalize(convolution(values), suffix)
            if network.residual and is_second_of_pair:
                values = keras.layers.Add(name=f"add_{suffix}")([shortcut, values])
            values = keras.layers.ReLU(name=f"relu_{suffix}")(values)
    if network.average_pooling:
        values = keras.layers.GlobalAveragePooling2D(name="average")(values)
    values = keras.layers.Flatten(name="flatten")(values)
    for number, width in enumerate(network.hidden, start=1):
        name = f"hidden_{number}"
        dense = keras.layers.Dense(
            width, use_bias=use_bias, kernel_initializer=build_initializer(name), name=name
        )
        values = keras.layers.ReLU(name=f"relu_{number}")(normalize(dense(values), f"{number}"))
        if network.dropout:
            name = f"dropout_{number}"
            values = keras.layers.Dropout(network.dropout, seed=derive_seed(seed, name), name=name)(values)
    values = keras.layers.Dense(class_count, kernel_initializer=build_initializer("logit"), name="logit")(
        values
    )
    if network.temperature_scaling:
        values = keras.layers.Rescaling(1.0, name=TEMPERATURE_LAYER)(values)  # `train` fits the number
    return keras.Model(image, keras.layers.Softmax(name="probability")(values), name="classifier")
