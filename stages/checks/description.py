"""The description of a data set, which goes with its network to whoever uses it."""

import json
from pathlib import Path

from stages.checks.likeness import Likeness
from stages.common import remedies
from stages.common.errors import UserError
from stages.common.files import write_text
from stages.common.validation import Section, validate


class Description(Section):
    """Images and classes of a data set, as users of its network have to know them.

    Attributes:
        classes: the names of the classes, in the order of the network's outputs.
        shape: of an image: height, width and, in colour, channels.
        dtype: of its pixels, such as `uint8`.
        largest_pixel: the value of a white pixel; a black one is 0.
        likeness: what the images of training have in common.
    """

    classes: list[str]
    shape: list[int]
    dtype: str
    largest_pixel: int
    likeness: Likeness


def write(path: Path, description: Description) -> None:
    """Write a description as JSON, a line for each key."""
    lines = [
        f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}"
        for key, value in description.model_dump().items()
    ]
    write_text(path, "{\n" + ",\n".join(lines) + "\n}\n")


def read(path: Path) -> Description:
    """Read a description.

    Raises:
        UserError: if there is no such file, or another content.
    """
    stage = f"preprocess@{path.stem}"
    remedy = f"run dvc repro {stage}"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        description: Description = validate(Description, content, f"{path}")
    except FileNotFoundError:
        raise UserError(
            f"{path}: expected the description of a data set, found no file; {remedies.get_or_make(stage)}"
        ) from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: expected JSON, found {error}; {remedy}") from None
    except UserError as error:
        raise UserError(f"{error}; {remedy}") from None
    return description
