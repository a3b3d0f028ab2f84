"""Schema of the hyperparameters of a data set: its network and its training."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from stages.common.fields import Augmentation, LargestPixel, Positive, Seed
from stages.common.runtime import Computation
from stages.common.validation import Section

Share = Annotated[float, Field(ge=0, lt=1)]
Width = Annotated[int, Field(gt=0, le=100_000)]


class Network(Section):
    """The layers between the pixels and the classes.

    Attributes:
        convolutions: the filters of each 3 x 3 convolution, in one list for each image size. The first
            layer of a list halves height and width. Empty for a network without convolutions.
        residual: whether each pair of convolutions, after the first of a list, adds its input to its output.
        average_pooling: whether the layers behind the convolutions get each filter's mean over the image.
        hidden: the widths of the dense layers before that of the classes; they may be none.
        dropout: the share of the units of dense layers that a training step leaves out.
        batch_normalization: whether every layer's outputs are normalised.
        temperature_scaling: whether the logits are divided by a number that is fitted to the validation
            images, after the training: the same answers, with probabilities that are what they say.
    """

    convolutions: list[Annotated[list[Width], Field(min_length=1)]] = Field(default=[])
    residual: bool = False
    average_pooling: bool = False
    hidden: list[Width]
    dropout: Share
    batch_normalization: bool
    temperature_scaling: bool = False

    @model_validator(mode="after")
    def _expect_pairs_that_can_be_added(self) -> "Network":
        for number, filters in enumerate(self.convolutions if self.residual else []):
            if len(filters) % 2 == 0 or len(set(filters)) > 1:
                raise ValueError(
                    f"expected an odd number of equal filters in convolutions.{number}, such as "
                    f"[32, 32, 32], found {filters}; change the list, or set residual to false"
                )
        return self

    @model_validator(mode="after")
    def _expect_layers_for_their_keys(self) -> "Network":
        has_pairs = any(len(filters) > 1 for filters in self.convolutions)
        for key, is_used, layers in (
            ("residual", has_pairs, "a list of three or more convolutions"),
            ("average_pooling", bool(self.convolutions), "convolutions"),
            ("dropout", bool(self.hidden), "hidden layers"),
        ):
            value = getattr(self, key)
            if value and not is_used:
                unused = "false" if value is True else "0"
                raise ValueError(
                    f"expected {layers} for {key}: {str(value).lower()}, found none; add them, or set {key} "
                    f"to {unused}"
                )
        return self


class Training(Section):
    """The training of the weights.

    Attributes:
        optimizer: `AdamW`, or `SGD` with Nesterov's momentum.
        momentum: the share of the last step that goes on in the next one; of SGD alone.
        learning_rate: the largest rate, at the end of the warm-up.
        schedule: what becomes of the rate then: `constant`, or a `cosine` that ends at 0.
        warmup_epochs: the epochs in which the rate rises from 0.
        weight_decay: the share of a weight that a step takes away, times the learning rate.
        label_smoothing: the share of each label that is spread over all classes.
        balance: how much more an image of a rare class counts, by (1 / images of its class) to this power:
            with 0 as much as any other, with 1 so much that all classes count alike.
        batch_size: the images of a step.
        epochs: how often each image is seen.
        augmentation: the distortions of the images.
    """

    optimizer: Literal["AdamW", "SGD"]
    momentum: Share | None = None
    learning_rate: Annotated[float, Field(gt=0)]
    schedule: Literal["constant", "cosine"]
    warmup_epochs: Annotated[int, Field(ge=0)]
    weight_decay: Annotated[float, Field(ge=0)]
    label_smoothing: Share
    balance: Annotated[float, Field(ge=0, le=1)] = 0.0
    batch_size: Positive
    epochs: Positive
    augmentation: Augmentation = Augmentation()

    @model_validator(mode="after")
    def _expect_end_of_warmup(self) -> "Training":
        if self.warmup_epochs >= self.epochs:
            raise ValueError(
                f"expected warmup_epochs less than epochs ({self.epochs}), found {self.warmup_epochs}; lower "
                "warmup_epochs"
            )
        return self

    @model_validator(mode="after")
    def _expect_momentum_of_sgd(self) -> "Training":
        if self.optimizer == "SGD" and self.momentum is None:
            raise ValueError("expected a momentum for SGD, such as momentum: 0.9, found none")
        if self.optimizer != "SGD" and self.momentum is not None:
            raise ValueError(
                f"expected a momentum for SGD alone, found momentum: {self.momentum:g} for {self.optimizer}; "
                "remove it"
            )
        return self


class TrainParameters(Section):
    """The parameters of a data set that its trained network depends on.

    Attributes:
        largest_pixel: the pixel value that the network scales to 1.
        seed: the seed of the weights, the order of images, dropout and distortions.
        computation: `portable`, with bits that travel between processors, or `native`, which is faster.
        network: the layers.
        training: the optimiser and its settings.
    """

    largest_pixel: LargestPixel
    seed: Seed
    computation: Computation
    network: Network
    training: Training


def _list_keys(section: type[Section], prefix: str) -> list[str]:
    """Return the dotted names of all keys of a section and of the sections in it."""
    names = []
    for name, field in section.model_fields.items():
        schema: Any = field.annotation
        nested = isinstance(schema, type) and issubclass(schema, Section)
        names += _list_keys(schema, f"{prefix}.{name}") if nested else [f"{prefix}.{name}"]
    return names


def _expect_hyperparameter(name: str) -> str:
    hyperparameters = [*_list_keys(Network, "network"), *_list_keys(Training, "training")]
    if name not in hyperparameters:
        raise ValueError(f"expected one of {', '.join(hyperparameters)}, found {name!r}")
    return name


# The dotted name of a hyperparameter below its data set in params.yaml, such as network.dropout.
Hyperparameter = Annotated[str, AfterValidator(_expect_hyperparameter)]
