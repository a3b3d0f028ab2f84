"""Other hyperparameters than those that a data set has: to search in, under a name, and to compare with."""

from typing import Annotated, Any

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from stages.common.validation import Key, Positive, Section, Seed
from stages.network.schema import Hyperparameter


class Range(Section):
    """Numbers from `low` to `high`, whole ones if both are; evenly on a logarithmic scale if `log`."""

    low: float | int
    high: float | int
    log: bool = False

    @model_validator(mode="after")
    def _in_order(self) -> "Range":
        if self.low >= self.high or (self.log and self.low <= 0):
            least = " of 0 and less" if self.log else ""
            raise ValueError(f"expected low less than high, and no log{least}, found {self.low}, {self.high}")
        return self


class Choice(Section):
    """One of some values."""

    choices: Annotated[list[Any], Field(min_length=2)]


def _kind(drawn: Any) -> str:
    return (
        "choice" if isinstance(drawn, Choice) or (isinstance(drawn, dict) and "choices" in drawn) else "range"
    )


Drawn = Annotated[Annotated[Range, Tag("range")] | Annotated[Choice, Tag("choice")], Discriminator(_kind)]


class Search(Section):
    """Where better hyperparameters are looked for.

    Attributes:
        seed: of what is drawn.
        generation: trials drawn at a time, from what the generations before have shown.
        space: by hyperparameter of a data set, as network.dropout, what its values are drawn from.
    """

    seed: Seed
    generation: Positive
    space: Annotated[dict[Hyperparameter, Drawn], Field(min_length=1)]


Values = Annotated[dict[Hyperparameter, Any], Field(min_length=1)]
DEFAULT = "default"  # what the hyperparameters of a data set are called that have no other name


def _not_default(name: str) -> str:
    if name == DEFAULT:
        raise ValueError(f"expected another name than {DEFAULT}, which is what the data set has itself")
    return name


# Hyperparameters of a data set under a name, such as best.
Configurations = dict[Annotated[Key, AfterValidator(_not_default)], Values]


class Study(Section):
    """How the accuracy of configurations is measured, and what it is compared with.

    Attributes:
        seeds: of each configuration, which is scored on the test images.
        variant_seeds: of each variant, which is scored on the validation images alone.
        shift: pixels; test images are scored as they are, and as the mean over all shifts by so many.
        training_images: how many, fewer than all, `default` is trained with as well.
        variants: by configuration, and by a title, what is changed in it; all of a data set's hyperparameters
            are as the configuration has them otherwise.
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
