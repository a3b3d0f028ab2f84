"""Schema of the sources of data sets, and of the four raw files that fetch makes of each."""

from typing import Annotated, Generic, Literal, TypeVar

from pydantic import AfterValidator, Field

from stages.common import layout
from stages.common.fields import ClassName, Positive, Seed
from stages.common.validation import Section

Name = Annotated[str, Field(min_length=1, max_length=255)]
Side = Annotated[int, Field(gt=0, le=10_000)]
T = TypeVar("T")


def _refuse_password(url: str) -> str:
    if "@" in url.partition("://")[2].partition("/")[0]:
        raise ValueError("expected no name or password in an address, found one; put it into ~/.netrc")
    return url


Url = Annotated[str, AfterValidator(_refuse_password)]


class PerRawFile(Section, Generic[T]):
    """An item for each of the four raw files."""

    train_images: T = Field(alias=layout.TRAIN_IMAGES)
    train_labels: T = Field(alias=layout.TRAIN_LABELS)
    test_images: T = Field(alias=layout.TEST_IMAGES)
    test_labels: T = Field(alias=layout.TEST_LABELS)

    def items_by_file(self) -> dict[str, T]:
        """Return the items by the names of the files in the raw folder."""
        return {str(field.alias): getattr(self, name) for name, field in type(self).model_fields.items()}


class RawFile(Section):
    """Size and SHA-256 of a file once decompressed, and the file's name at the source, if another."""

    bytes: Annotated[int, Field(gt=0)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    name: Name | None = None


class RawFiles(PerRawFile[RawFile]):
    """The four files of a data set."""


class Mirrors(Section):
    """IDX files on mirrors, downloaded from the first that serves the right bytes."""

    kind: Literal["mirrors"]
    urls: Annotated[list[Url], Field(min_length=1)]


class ScikitLearn(Section):
    """The images of `sklearn.datasets.load_digits`, of which `test_images` become the test set."""

    kind: Literal["scikit_learn"]
    test_images: Positive
    seed: Seed


class Pictures(Section):
    """A folder of pictures, train/CLASS/*.png and test/CLASS/*.png, which become images of one size.

    `classes` lists the sub-folders in the order of their labels. The data set's own `classes` may give them
    other names.
    """

    kind: Literal["pictures"]
    folder: Annotated[str, Field(min_length=1)]
    classes: Annotated[list[ClassName], Field(min_length=2)]
    height: Side
    width: Side
    channels: Literal[1, 3]


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
