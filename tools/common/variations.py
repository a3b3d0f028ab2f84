"""Variations of a data set's hyperparameters: search space, named configurations, variants of a study."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    Tag,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from stages.common.fields import Augmentation, Key, Positive, Seed
from stages.common.validation import Section, validate
from stages.network.schema import Hyperparameter, Network, Training, TrainParameters
from stages.parameters import Dataset

# Keys that came after trainings were recorded.
LATER_LAYERS = ("residual", "average_pooling", "temperature_scaling")
LATER_KEYS = ("momentum", "balance")
LATER_DISTORTIONS = ("colour", "fill", "erasing")


class Range(Section):
    """Numbers from `low` to `high`: whole ones if both are whole, and on a logarithmic scale if `log`."""

    low: float | int
    high: float | int
    log: bool = False

    @model_validator(mode="after")
    def _in_order(self) -> "Range":
        if self.low >= self.high or (self.log and self.low <= 0):
            least = ", and low above 0 on a logarithmic scale" if self.log else ""
            raise ValueError(f"expected low less than high{least}, found {self.low}, {self.high}")
        return self


class Choice(Section):
    """A list of values to choose from."""

    choices: Annotated[list[Any], Field(min_length=2)]


def _name_kind(content: Any) -> str:
    return (
        "choice"
        if isinstance(content, Choice) or (isinstance(content, dict) and "choices" in content)
        else "range"
    )


Distribution = Annotated[
    Annotated[Range, Tag("range")] | Annotated[Choice, Tag("choice")], Discriminator(_name_kind)
]

Space = dict[Hyperparameter, Distribution]


Objective = Literal["accuracy", "macro_f1", "log_loss", "brier_score"]


class Search(Section):
    """Settings of the search for better hyperparameters.

    Attributes:
        objective: the metric on the validation images that is to become better.
        seeds: the number of trainings of the best trial, and of the values of params.yaml, that confirm it.
        seed: of what is drawn.
        generation: trials sampled at a time, from the results of earlier generations.
        space: by hyperparameter, such as network.dropout, the distribution of its values.
    """

    objective: Objective = "log_loss"
    seeds: Annotated[int, Field(ge=2, le=1000)] = 5
    seed: Seed
    generation: Positive
    space: Annotated[Space, Field(min_length=1)]


Values = Annotated[dict[Hyperparameter, Any], Field(min_length=1)]
DEFAULT = "default"  # the name of the hyperparameters in params.yaml


def _expect_other_name(name: str) -> str:
    if name == DEFAULT:
        raise ValueError(
            f"expected another name than {DEFAULT}, which names the data set's own hyperparameters"
        )
    return name


def _accept_computation(name: Any, validate_hyperparameter: ValidatorFunctionWrapHandler) -> Any:
    return name if name == "computation" else validate_hyperparameter(name)


# Hyperparameters of a data set, and the way to compute, by a name such as best.
Configuration = Annotated[
    dict[Annotated[Hyperparameter, WrapValidator(_accept_computation)], Any], Field(min_length=1)
]
Configurations = dict[Annotated[Key, AfterValidator(_expect_other_name)], Configuration]


class Study(Section):
    """Plan of a study: the trainings that measure the accuracy of configurations.

    Attributes:
        seeds: the number of trainings of each configuration, which are scored on the test images.
        variant_seeds: the number of trainings of each variant, which are scored on validation images alone.
        shift: pixels; test images are scored as they are, and as the mean over all shifts by so many.
        training_images: smaller numbers of training images with which `default` is trained, too.
        variants: by configuration, and by a title, the hyperparameters that differ from the configuration.
    """

    seeds: Annotated[int, Field(ge=2, le=1000)]
    variant_seeds: Annotated[int, Field(ge=2, le=1000)]
    shift: Annotated[int, Field(ge=1, le=10)]
    training_images: list[Positive] = Field(default=[])
    variants: dict[str, dict[Annotated[str, Field(min_length=1)], Values]] = Field(default={})

    @model_validator(mode="after")
    def _seeds_and_images_fit(self) -> "Study":
        if self.variant_seeds > self.seeds:
            raise ValueError(
                f"expected at most as many variant_seeds as seeds ({self.seeds}), with which variants are "
                f"compared, found {self.variant_seeds}"
            )
        if len(set(self.training_images)) < len(self.training_images):
            raise ValueError(f"expected numbers of training_images that differ, found {self.training_images}")
        return self


def vary(dataset: Dataset, values: Mapping[str, Any], place: str) -> Dataset:
    """Return a data set with other hyperparameters.

    Args:
        dataset: its parameters.
        values: by dotted names, such as network.dropout.
        place: the place of the values, for an error.

    Raises:
        UserError: if a name is no hyperparameter, or the values do not go together.
    """
    content = dataset.model_dump(by_alias=True)
    for name, value in values.items():
        section = content
        *path, key = name.split(".")
        for part in path:
            section = section[part]
        section[key] = value
    varied: Dataset = validate(Dataset, content, place)
    return varied


def training_parameters(dataset: Dataset) -> dict[str, Any]:
    """Return the parameters of a training, as `TrainParameters` reads them."""
    parameters: dict[str, Any] = dataset.model_dump(include=set(TrainParameters.model_fields))
    return parameters


def training_identity(dataset: Dataset) -> dict[str, Any]:
    """Return the parameters that decide a training on given arrays.

    Keys of `LATER_LAYERS`, `LATER_KEYS` and `LATER_DISTORTIONS` that are not used are left out, so that what
    was recorded before there were any keeps its key.
    """
    identity = training_parameters(dataset)
    if dataset.computation == "portable":  # as all were before there was another way
        del identity["computation"]
    training, augmentation = identity["training"], identity["training"]["augmentation"]
    for content, schema, names in (
        (identity["network"], Network, LATER_LAYERS),
        (training, Training, LATER_KEYS),
        (augmentation, Augmentation, LATER_DISTORTIONS),
    ):
        for name in names:
            if content[name] == schema.model_fields[name].default:
                del content[name]
    return identity
