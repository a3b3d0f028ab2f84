"""Other hyperparameters than those that a data set has: a space to search in, and some that have a name."""

from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag, model_validator

from stages.hyperparameters import Hyperparameter
from stages.sources import Positive, Section, Seed


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


# Hyperparameters of a data set under a name, such as best.
Configurations = dict[
    Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)],
    Annotated[dict[Hyperparameter, Any], Field(min_length=1)],
]
