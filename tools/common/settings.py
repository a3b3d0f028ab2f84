"""tools.yaml as one validated type: everything that only tools read."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from stages.common.errors import UserError
from stages.common.fields import Key, Positive
from stages.common.params_file import read_yaml
from stages.common.validation import Section, validate
from stages.parameters import Parameters
from stages.parameters import load as load_parameters
from tools.common.variations import Configurations, Search, Study, Values, vary

FILE = Path("tools.yaml")


class Gate(Section):
    """The rules by which a review stops a change.

    Attributes:
        tolerance: by metric, the largest loss that is let through.
    """

    tolerance: dict[str, Annotated[float, Field(ge=0)]]


class Framing(Section):
    """The way in which the makers of a data set framed its images of ink.

    Attributes:
        longest_side: of the smallest box around the ink, in pixels.
        stroke_width: of the ink, in pixels, from the thinnest to the thickest that is usual.
        centre: what is in the middle of the image: the centre of mass, or that of the box.
    """

    longest_side: Positive
    stroke_width: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=2, max_length=2)]
    centre: Literal["mass", "box"]

    @field_validator("stroke_width")
    @classmethod
    def _expect_order(cls, widths: list[float]) -> list[float]:
        if widths != sorted(widths):
            raise ValueError(f"expected the thinnest width first, found {widths}")
        return widths


class About(Section):
    """Facts about a data set for its model card and for predictions.

    Attributes:
        title: of the data set.
        licence: its terms.
        source: its authors, and where it is described.
        limits: what it is not good for.
        background: whether the background of its images is darker or lighter than the things on them.
        framing: how ink was framed, for data sets of writing and drawings; None for other data sets.
    """

    title: str | None = None
    licence: str | None = None
    source: str | None = None
    limits: list[str] = Field(default=[])
    background: Literal["dark", "light"] | None = None
    framing: Framing | None = None


class DatasetSettings(Section):
    """Settings of one data set: named configurations, and facts about it."""

    configurations: Configurations = Field(default={})
    about: About = About()


class Settings(Section):
    """The content of tools.yaml."""

    review: Gate
    search: Search | None = None
    study: Study | None = None
    datasets: dict[Key, DatasetSettings] = Field(default={})

    def dataset(self, name: str) -> DatasetSettings:
        """Return the settings of a data set, empty ones if the file has none."""
        return self.datasets.get(name, DatasetSettings())


def load(parameters: Parameters | None = None, path: Path = FILE) -> Settings:
    """Read and check tools.yaml.

    Args:
        parameters: the content of params.yaml, to which the data sets and configurations must fit.
        path: the file.

    Raises:
        UserError: naming each key that is wrong, what was expected and what was found.
    """
    settings: Settings = validate(Settings, read_yaml(path), str(path))
    if parameters is None:
        return settings
    for name, dataset in settings.datasets.items():
        if name not in parameters.datasets:
            raise UserError(
                f"{path}: datasets: expected data sets of params.yaml, {', '.join(parameters.datasets)}, "
                f"found {name!r}; remove it, or add the data set there"
            )
        for configuration, values in dataset.configurations.items():
            place = f"{path}: datasets.{name}.configurations.{configuration}"
            vary(parameters.dataset(name), values, place)
    return settings


def find_configuration(dataset: str, configuration: str) -> Values:
    """Return the hyperparameters of a configuration of a data set.

    Raises:
        UserError: if there is no such data set, or it has no such configuration, naming those that it has.
    """
    parameters = load_parameters()
    parameters.dataset(dataset)
    configurations = load(parameters).dataset(dataset).configurations
    if configuration not in configurations:
        raise UserError(
            f"{FILE}: datasets.{dataset}.configurations: expected "
            f"{' or '.join(configurations) or 'a configuration'}, found {configuration!r}; see docs/search.md"
        )
    return configurations[configuration]
