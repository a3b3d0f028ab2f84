"""params.yaml as one validated type: every key is known, typed and within its bounds."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from stages.errors import UserError
from stages.sources import Positive, RawFiles, Section, Seed, Source

FILE = Path("params.yaml")
ERRORS_SHOWN = 3
FOUND_SHOWN = 100  # characters
LARGEST_BYTES = 1_000_000  # of hundreds of data sets; the parser takes seconds for more
MOST_VALUES = 100_000  # of as many, once every alias stands for all that it repeats

DatasetName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
ClassName = Annotated[str, Field(min_length=1)]
MOST_CLASSES = 10_000


def _names(classes: Any) -> Any:
    """The names of classes that only have a number."""
    counted = isinstance(classes, int) and not isinstance(classes, bool) and classes <= MOST_CLASSES
    return [str(number) for number in range(classes)] if counted else classes


Classes = Annotated[
    list[ClassName], Field(min_length=2, max_length=MOST_CLASSES), BeforeValidator(_names)
]  # in params.yaml also their number
Share = Annotated[float, Field(ge=0, lt=1)]
Width = Annotated[int, Field(gt=0, le=100_000)]
Bins = Annotated[int, Field(gt=0, le=10_000)]


class Network(Section):
    """The layers between the pixels and the classes."""

    hidden: Annotated[list[Width], Field(min_length=1)]
    dropout: Share
    batch_normalization: bool


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

    @model_validator(mode="after")
    def _warm_up_ends(self) -> "Training":
        if self.warmup_epochs >= self.epochs:
            raise ValueError(
                f"expected warmup_epochs less than epochs ({self.epochs}), found {self.warmup_epochs}"
            )
        return self


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
    about: About = About()

    @model_validator(mode="after")
    def _classes_differ(self) -> "Dataset":
        if len(set(self.classes)) < len(self.classes):
            raise ValueError(f"expected classes that all differ, found {self.classes}")
        return self


class Evaluation(Section):
    """How a trained network is scored."""

    calibration_bins: Bins


class Tolerance(Section):
    """By how much each metric may get worse before a review stops the change."""

    accuracy: Annotated[float, Field(ge=0)]
    macro_f1: Annotated[float, Field(ge=0)]
    log_loss: Annotated[float, Field(ge=0)]
    calibration_error: Annotated[float, Field(ge=0)]


class Review(Section):
    """How a change is judged."""

    tolerance: Tolerance


class Parameters(Section):
    """The whole of params.yaml."""

    datasets: Annotated[dict[DatasetName, Dataset], Field(min_length=1)]
    evaluation: Evaluation
    review: Review

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


def checked(kind: Any, content: Any, place: str) -> Any:
    """The content as a type of this file's or of `stages.sources`.

    Raises:
        UserError: naming the place, each key that is wrong, what was expected and what was found.
    """
    try:
        return TypeAdapter(kind).validate_python(content)
    except ValidationError as error:
        details = error.errors()
        more = f"; and {len(details) - ERRORS_SHOWN} more" if len(details) > ERRORS_SHOWN else ""
        problems = "; ".join(_describe(detail, content) for detail in details[:ERRORS_SHOWN])
        raise UserError(f"{place}: {problems}{more}") from None


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


def _describe(detail: Any, content: Any) -> str:
    """One of pydantic's errors as `key: expected this, found that`."""
    keys = []
    for key in detail["loc"]:
        if key == "[key]" or (isinstance(content, dict) and key not in content and key != detail["loc"][-1]):
            continue  # what pydantic puts between the keys: the name of a kind of source, or that it is a key
        keys.append(str(key))
        try:
            content = content[key]
        except (KeyError, IndexError, TypeError):
            content = None
    place = f"{'.'.join(keys)}: " if keys else ""
    if detail["type"] == "value_error":
        return f"{place}{detail['ctx']['error']}"
    found = repr(detail["input"])
    if len(found) > FOUND_SHOWN:
        found = f"{found[:FOUND_SHOWN]}..."
    match detail["type"]:
        case "missing":
            expected, found = "a value", "nothing"
        case "extra_forbidden":
            expected = "no such key"
        case "union_tag_invalid" | "union_tag_not_found":
            expected = "a kind: mirrors, scikit_learn, pictures or npz"
        case "model_type" | "dict_type" | "model_attributes_type":
            expected = "a mapping of keys to values"
        case "too_short" | "string_too_short":
            least = detail["ctx"]["min_length"]
            expected = "at least one item" if least == 1 else f"at least {least} items"
        case "string_pattern_mismatch":
            expected = f"to match {detail['ctx']['pattern']!r}"
        case _:
            expected = detail["msg"].removeprefix("Input should be ")
    return f"{place}expected {expected}, found {found}"
