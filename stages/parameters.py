"""params.yaml as one validated type: every key is known, typed and within its bounds."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    TypeAdapter,
    ValidationError,
    model_validator,
)
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
    """The layers between the pixels and the classes.

    Attributes:
        convolutions: the filters of layers of 3 x 3 convolutions, a list for each size of image; after each
            list the image is half as high and wide. Empty for none.
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


def _hyperparameters(section: type[Section], prefix: str) -> list[str]:
    """The dotted names of all that a section and those in it hold."""
    found = []
    for name, field in section.model_fields.items():
        kind: Any = field.annotation
        inner = isinstance(kind, type) and issubclass(kind, Section)
        found += _hyperparameters(kind, f"{prefix}.{name}") if inner else [f"{prefix}.{name}"]
    return found


def _known(name: str) -> str:
    known = [*_hyperparameters(Network, "network"), *_hyperparameters(Training, "training")]
    if name not in known:
        raise ValueError(f"expected one of {', '.join(known)}, found {name!r}")
    return name


class Search(Section):
    """Where better hyperparameters are looked for.

    Attributes:
        seed: of what is drawn.
        generation: trials drawn at a time, from what the generations before have shown.
        space: by hyperparameter of a data set, as network.dropout, what its values are drawn from.
    """

    seed: Seed
    generation: Positive
    space: Annotated[dict[Annotated[str, AfterValidator(_known)], Drawn], Field(min_length=1)]


class Parameters(Section):
    """The whole of params.yaml."""

    datasets: Annotated[dict[DatasetName, Dataset], Field(min_length=1)]
    evaluation: Evaluation
    review: Review
    search: Search

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
