"""The hyperparameters of a data set: its network and how that is trained."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from stages.common.validation import Positive, Section

Share = Annotated[float, Field(ge=0, lt=1)]
Width = Annotated[int, Field(gt=0, le=100_000)]


class Network(Section):
    """The layers between the pixels and the classes.

    Attributes:
        convolutions: the filters of layers of 3 x 3 convolutions, a list for each size of image, of which the
            first layer halves height and width. Empty for none.
        hidden: the widths of the dense layers behind them.
        dropout: the share of the units of those that a training step leaves out.
        batch_normalization: whether every layer's outputs are normalised.
    """

    convolutions: list[Annotated[list[Width], Field(min_length=1)]] = Field(default=[])
    hidden: Annotated[list[Width], Field(min_length=1)]
    dropout: Share
    batch_normalization: bool


class Augmentation(Section):
    """By how much training images are distorted at most; all 0 for not at all.

    Attributes:
        shift: pixels, down and to the right.
        rotation: degrees.
        scaling: the share by which they are larger or smaller.
        elastic: pixels, the standard deviation of a smooth bend.
        flip: whether half of them are mirrored.
    """

    shift: Annotated[float, Field(ge=0, le=1000)] = 0.0
    rotation: Annotated[float, Field(ge=0, le=180)] = 0.0
    scaling: Annotated[float, Field(ge=0, le=10)] = 0.0
    elastic: Annotated[float, Field(ge=0, le=1000)] = 0.0
    flip: bool = False


class Training(Section):
    """How the weights are found."""

    optimizer: Literal["AdamW", "RMSprop", "SGD"]
    learning_rate: Annotated[float, Field(gt=0)]
    schedule: Literal["constant", "cosine"]
    warmup_epochs: Annotated[int, Field(ge=0)]
    weight_decay: Annotated[float, Field(ge=0)]
    label_smoothing: Share
    batch_size: Positive
    epochs: Positive
    augmentation: Augmentation = Augmentation()

    @model_validator(mode="after")
    def _warm_up_ends(self) -> "Training":
        if self.warmup_epochs >= self.epochs:
            raise ValueError(
                f"expected warmup_epochs less than epochs ({self.epochs}), found {self.warmup_epochs}"
            )
        return self


def _names(section: type[Section], prefix: str) -> list[str]:
    """The dotted names of all that a section and those in it hold."""
    found = []
    for name, field in section.model_fields.items():
        kind: Any = field.annotation
        inner = isinstance(kind, type) and issubclass(kind, Section)
        found += _names(kind, f"{prefix}.{name}") if inner else [f"{prefix}.{name}"]
    return found


def _known(name: str) -> str:
    known = [*_names(Network, "network"), *_names(Training, "training")]
    if name not in known:
        raise ValueError(f"expected one of {', '.join(known)}, found {name!r}")
    return name


# As params.yaml has it below a data set, such as network.dropout.
Hyperparameter = Annotated[str, AfterValidator(_known)]
