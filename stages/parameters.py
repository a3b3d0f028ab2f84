"""params.yaml as one validated type: every key is known, typed and within its bounds."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from stages.common.errors import UserError
from stages.common.validation import Key, Positive, Section, Seed, checked
from stages.common.variations import Configurations, Search, Study
from stages.network.schema import Network, Training
from stages.sources.schema import RawFiles, Source

FILE = Path("params.yaml")
LARGEST_BYTES = 1_000_000  # of hundreds of data sets; the parser takes seconds for more
MOST_VALUES = 100_000  # of as many, once every alias stands for all that it repeats

ClassName = Annotated[str, Field(min_length=1)]
MOST_CLASSES = 10_000


def _names(classes: Any) -> Any:
    """The names of classes that only have a number."""
    counted = isinstance(classes, int) and not isinstance(classes, bool) and classes <= MOST_CLASSES
    return [str(number) for number in range(classes)] if counted else classes


Classes = Annotated[
    list[ClassName], Field(min_length=2, max_length=MOST_CLASSES), BeforeValidator(_names)
]  # in params.yaml also their number
Bins = Annotated[int, Field(gt=0, le=10_000)]


class About(Section):
    """What people ought to know of a data set; no stage reads it.

    Attributes:
        title: its name.
        licence: its terms.
        source: whose it is, and where it is described.
        limits: what it is not good for.
        background: what is behind the things on its images: darker or lighter than they are.
    """

    title: str | None = None
    licence: str | None = None
    source: str | None = None
    limits: list[str] = Field(default=[])
    background: Literal["dark", "light"] | None = None


class Dataset(Section):
    """Everything that differs between data sets."""

    source: Source
    files: RawFiles
    classes: Classes
    largest_pixel: Annotated[int, Field(ge=1, lt=2**31)]
    validation_images: Positive
    seed: Seed
    network: Network
    training: Training
    configurations: Configurations = Field(default={})
    about: About = About()

    @model_validator(mode="after")
    def _classes_differ(self) -> "Dataset":
        if len(set(self.classes)) < len(self.classes):
            raise ValueError(f"expected classes that all differ, found {self.classes}")
        return self

    @model_validator(mode="after")
    def _configurations_fit(self) -> "Dataset":
        for name, values in self.configurations.items():
            self.varied(values, f"{FILE}: configurations.{name}")
        return self

    def of_training(self) -> dict[str, Any]:
        """All of it that decides what a training on given arrays becomes."""
        return self.model_dump(include={"network", "training", "seed", "largest_pixel"})

    def varied(self, values: Mapping[str, Any], place: str) -> "Dataset":
        """The same with other hyperparameters, and without names for any.

        Args:
            values: by their dotted names, such as network.dropout.
            place: where they are from, for an error.

        Raises:
            UserError: if they are none, or do not go together.
        """
        content = self.model_dump(by_alias=True, exclude={"configurations"})
        for name, value in values.items():
            section = content
            *path, key = name.split(".")
            for part in path:
                section = section[part]
            section[key] = value
        varied: Dataset = checked(Dataset, content, place)
        return varied


class Evaluation(Section):
    """How a trained network is scored."""

    calibration_bins: Bins


class Tolerance(Section):
    """By how much each metric may get worse before a review stops the change."""

    accuracy: Annotated[float, Field(ge=0)]
    macro_f1: Annotated[float, Field(ge=0)]
    log_loss: Annotated[float, Field(ge=0)]
    calibration_error: Annotated[float, Field(ge=0)]


class Gate(Section):
    """How a change is judged."""

    tolerance: Tolerance


class Parameters(Section):
    """The whole of params.yaml."""

    datasets: Annotated[dict[Key, Dataset], Field(min_length=1)]
    evaluation: Evaluation
    review: Gate
    search: Search | None = None
    study: Study | None = None

    def dataset(self, name: str) -> Dataset:
        """The section of one data set, or a UserError that names those there are."""
        if name not in self.datasets:
            known = ", ".join(self.datasets)
            raise UserError(f"{FILE}: datasets: expected one of {known}, found {name!r}")
        return self.datasets[name]


def load(path: Path = FILE) -> Parameters:
    """Read and check params.yaml.

    Raises:
        UserError: naming each key that is wrong, what was expected and what was found.
    """
    try:
        text = path.read_bytes()
        if len(text) > LARGEST_BYTES:
            raise UserError(f"{path}: expected at most {LARGEST_BYTES:,} bytes, found {len(text):,}")
        # DVC reads the file with this parser, too, so that both see the same values.
        content = YAML(typ="safe").load(text.decode())
    except FileNotFoundError:
        raise UserError(f"{path}: not found; run the stages from the project's root") from None
    except (YAMLError, ValueError, RecursionError) as error:  # ValueError: no UTF-8, or no such date
        raise UserError(f"{path}: not valid YAML: {error}") from None
    _expect_few_values(content, path)
    parameters: Parameters = checked(Parameters, content, str(path))
    return parameters


def _expect_few_values(content: Any, path: Path) -> None:
    """Refuse aliases of aliases of aliases, whose values fill the memory of whoever prints them."""
    waiting, values = [content], 0
    while waiting:
        value = waiting.pop()
        values += 1
        if values > MOST_VALUES:
            raise UserError(f"{path}: expected at most {MOST_VALUES:,} values, found more, maybe by aliases")
        if isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
