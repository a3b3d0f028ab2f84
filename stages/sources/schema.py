"""Where a data set may come from, as params.yaml says it, and the four files that become of it."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from stages.common import layout
from stages.common.validation import Positive, Section, Seed

Name = Annotated[str, Field(min_length=1, max_length=255)]
Side = Annotated[int, Field(gt=0, le=10_000)]


def _without_password(url: str) -> str:
    if "@" in url.partition("://")[2].partition("/")[0]:
        raise ValueError("expected no name or password in an address, found one; put it into ~/.netrc")
    return url


Url = Annotated[str, AfterValidator(_without_password)]


class RawFile(Section):
    """What identifies a file, after decompression, and its name where it comes from, if that is another."""

    bytes: Annotated[int, Field(gt=0)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    name: Name | None = None


class RawFiles(Section):
    """The four files of a data set."""

    train_images: RawFile = Field(alias=layout.TRAIN_IMAGES)
    train_labels: RawFile = Field(alias=layout.TRAIN_LABELS)
    test_images: RawFile = Field(alias=layout.TEST_IMAGES)
    test_labels: RawFile = Field(alias=layout.TEST_LABELS)

    def by_name(self) -> dict[str, RawFile]:
        """The files under the names that they have in the raw folder."""
        return {str(field.alias): getattr(self, name) for name, field in type(self).model_fields.items()}


class Mirrors(Section):
    """IDX files that are downloaded: from the first mirror that serves the right bytes."""

    kind: Literal["mirrors"]
    urls: Annotated[list[Url], Field(min_length=1)]


class ScikitLearn(Section):
    """A data set that scikit-learn brings along, whole; `test_images` of it become the test set."""

    kind: Literal["scikit_learn"]
    loader: Annotated[str, Field(pattern=r"^load_[a-z0-9_]+$")]
    test_images: Positive
    seed: Seed


class Pictures(Section):
    """A folder of pictures, train/CLASS/*.png and test/CLASS/*.png, which become images of one size.

    The classes are the sub-folders in the order of their labels; `classes` of the data set names them.
    """

    kind: Literal["pictures"]
    folder: Annotated[str, Field(min_length=1)]
    classes: Annotated[list[Name], Field(min_length=2)]
    height: Side
    width: Side
    channels: Literal[1, 3]


class Archive(RawFile):
    """The one file that a mirror has."""

    name: Name


class ArrayNames(Section):
    """Which array of an archive becomes which file."""

    train_images: Name = Field(alias=layout.TRAIN_IMAGES)
    train_labels: Name = Field(alias=layout.TRAIN_LABELS)
    test_images: Name = Field(alias=layout.TEST_IMAGES)
    test_labels: Name = Field(alias=layout.TEST_LABELS)

    def by_name(self) -> dict[str, str]:
        """The arrays' names by those of the files."""
        return {str(field.alias): getattr(self, name) for name, field in type(self).model_fields.items()}


class Npz(Section):
    """Arrays in a file of NumPy's, from the first mirror that serves the right bytes."""

    kind: Literal["npz"]
    urls: Annotated[list[Url], Field(min_length=1)]
    archive: Archive
    arrays: ArrayNames


Source = Annotated[Mirrors | ScikitLearn | Pictures | Npz, Field(discriminator="kind")]
