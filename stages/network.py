"""The network: from the pixels of an image to a probability for each class."""

import keras

from stages.parameters import Network
from stages.streams import seed_of


def build(
    network: Network,
    image_shape: tuple[int, ...],
    largest_pixel: int,
    classes: int,
    seed: int,
    dtype: str = "uint8",
) -> keras.Sequential:
    """A feed-forward network with fresh weights.

    Scaling to [0, 1] and flattening are part of it, so that whoever loads the model feeds it the
    images as they are stored, and cannot scale them differently from the training.

    Args:
        network: the layers in between.
        image_shape: of one image, such as (28, 28), or (28, 28, 3) in colour.
        largest_pixel: the pixel value that becomes 1.0.
        classes: the number of classes.
        seed: of the weights and of what dropout leaves out, each layer having its own stream.
        dtype: of the images.

    Returns:
        A model from such images, shape (n, *image_shape), to float32 probabilities, shape (n, classes).
    """

    def dense(width: int, name: str, use_bias: bool = True) -> keras.layers.Dense:
        weights = keras.initializers.GlorotUniform(seed_of(f"weights of {name}", seed))
        return keras.layers.Dense(width, use_bias=use_bias, kernel_initializer=weights, name=name)

    model = keras.Sequential(name="classifier")
    model.add(keras.Input(image_shape, dtype=dtype, name="image"))
    model.add(keras.layers.Rescaling(1 / largest_pixel, name="scale"))
    model.add(keras.layers.Flatten(name="flatten"))
    for number, width in enumerate(network.hidden, start=1):
        # Batch normalisation takes the mean away, and any bias with it.
        model.add(dense(width, f"hidden_{number}", use_bias=not network.batch_normalization))
        if network.batch_normalization:
            model.add(keras.layers.BatchNormalization(name=f"normalize_{number}"))
        model.add(keras.layers.ReLU(name=f"relu_{number}"))
        if network.dropout:
            name = f"dropout_{number}"
            model.add(keras.layers.Dropout(network.dropout, seed=seed_of(name, seed), name=name))
    model.add(dense(classes, "logit"))
    model.add(keras.layers.Softmax(name="probability"))
    return model
