"""Schema of the sources of data sets, and of the raw files that fetch makes of each."""

import re
from pathlib import PurePosixPath
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from stages.common import layout
from stages.common.addresses import refuse_secrets, refuse_secrets_anywhere
from stages.common.fields import ClassName, Positive, Seed
from stages.common.validation import SHA256_PATTERN, Section

Name = Annotated[str, Field(min_length=1, max_length=255)]
Side = Annotated[int, Field(gt=0, le=10_000)]
T = TypeVar("T")


Url = Annotated[str, AfterValidator(refuse_secrets)]


class PerRawFile(Section, Generic[T]):
    """An item for each raw file; the pair of validation files is missing where preprocess draws them."""

    train_images: T = Field(alias=layout.TRAIN_IMAGES)
    train_labels: T = Field(alias=layout.TRAIN_LABELS)
    validation_images: T | None = Field(default=None, alias=layout.VALIDATION_IMAGES)
    validation_labels: T | None = Field(default=None, alias=layout.VALIDATION_LABELS)
    test_images: T = Field(alias=layout.TEST_IMAGES)
    test_labels: T = Field(alias=layout.TEST_LABELS)

    @model_validator(mode="after")
    def _expect_a_pair(self) -> "PerRawFile[T]":
        if (self.validation_images is None) != (self.validation_labels is None):
            raise ValueError(
                f"expected both {layout.VALIDATION_IMAGES} and {layout.VALIDATION_LABELS} or none, found one"
            )
        return self

    def items_by_file(self) -> dict[str, T]:
        """Return the items by the names of the files in the raw folder."""
        items = {str(field.alias): getattr(self, name) for name, field in type(self).model_fields.items()}
        return {name: item for name, item in items.items() if item is not None}


class RawFile(Section):
    """Size and SHA-256 of a file once decompressed, and the file's name at the source, if another."""

    bytes: Annotated[int, Field(gt=0)]
    sha256: Annotated[str, Field(pattern=SHA256_PATTERN)]
    name: Name | None = None


class RawFiles(PerRawFile[RawFile]):
    """The files of a data set."""


class Mirrors(Section):
    """IDX files on mirrors, downloaded from the first that serves the right bytes."""

    kind: Literal["mirrors"]
    urls: Annotated[list[Url], Field(min_length=1)]


class ScikitLearn(Section):
    """The images of `sklearn.datasets.load_digits`, of which `test_images` become the test set."""

    kind: Literal["scikit_learn"]
    test_images: Positive
    seed: Seed


def _expect_inside(place: str) -> str:
    path = PurePosixPath(place)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"expected a sub-folder, found {place!r}")
    return place


SubFolder = Annotated[str, Field(min_length=1), AfterValidator(_expect_inside)]


class Draw(Section):
    """A part that is drawn from the training pictures: about `images` of them, of every class its share."""

    images: Positive
    seed: Seed


def _name_kind_of_part(part: Any) -> str:
    return "draw" if isinstance(part, dict | Draw) else "folder"


Part = Annotated[
    Annotated[SubFolder, Tag("folder")] | Annotated[Draw, Tag("draw")], Discriminator(_name_kind_of_part)
]


def _expect_groups(groups: str) -> str:
    if groups.endswith(".csv"):
        return groups
    try:
        pattern = re.compile(groups)
    except re.error as error:
        raise ValueError(f"expected a .csv file or a regular expression, found {groups!r}: {error}") from None
    if pattern.groups != 1:
        raise ValueError(
            f"expected a .csv file, or a regular expression with the group in one pair of parentheses, as in "
            f"'([^_/]+)_[^/]*$', found {groups!r}"
        )
    return groups


class Pictures(Section):
    """A folder of pictures, in sub-folders for the classes, which become images of one size.

    Attributes:
        folder: the folder, or a .zip or .tar file with its content.
        train: the sub-folder with the folders of the classes; `.` if these are in `folder` itself.
        validation: another such sub-folder, or how many training pictures to draw; without it, preprocess
            draws validation images.
        test: likewise.
        groups: what tells pictures that must not be divided between parts, such as those of one writer: a
            regular expression for their paths, or a .csv file with the columns `file` and `group`; paths are
            relative to `folder`.
        classes: the folders of the classes, in the order of their labels. The data set's own `classes` may
            give them other names.
        height: of the images, in pixels.
        width: of the images, in pixels.
        channels: 1 for grey images, 3 for colours.
    """

    kind: Literal["pictures"]
    folder: Annotated[str, Field(min_length=1)]
    train: SubFolder = "train"
    validation: Part | None = None
    test: Part = "test"
    groups: Annotated[str, Field(min_length=1), AfterValidator(_expect_groups)] | None = None
    classes: Annotated[list[ClassName], Field(min_length=2)]
    height: Side
    width: Side
    channels: Literal[1, 3]

    @model_validator(mode="after")
    def _expect_validation_by_group(self) -> "Pictures":
        if self.groups is not None and self.validation is None:
            raise ValueError(
                "expected source.validation where there are groups, which preprocess does not know, found "
                "none"
            )
        return self

    @property
    def image_shape(self) -> tuple[int, ...]:
        """The shape of an image: (height, width), or (height, width, 3) in colour."""
        return (self.height, self.width) if self.channels == 1 else (self.height, self.width, 3)


class Archive(RawFile):
    """An .npz file on a mirror."""

    name: Name


class ArrayNames(PerRawFile[Name]):
    """The name of the array in an archive from which each raw file is made."""


class Npz(Section):
    """Arrays in an .npz file of NumPy, from the first mirror that serves the right bytes."""

    kind: Literal["npz"]
    urls: Annotated[list[Url], Field(min_length=1)]
    archive: Archive
    arrays: ArrayNames


Source = Annotated[Mirrors | ScikitLearn | Pictures | Npz, Field(discriminator="kind")]


class FetchParameters(Section):
    """The parameters of a data set that its raw files depend on."""

    source: Source
    files: RawFiles

    @model_validator(mode="before")
    @classmethod
    def _refuse_secrets(cls, content: Any) -> Any:
        return refuse_secrets_anywhere(content)
