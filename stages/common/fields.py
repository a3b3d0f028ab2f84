"""Types of parameters that several rooms share."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from stages.common.validation import KEY_PATTERN, Section

MOST_CLASSES = 10_000
CODE = ("${", "</", "<!--")  # begins an interpolation of DVC, ends a script in a page, begins a comment
# Control characters, halves of characters, and those that turn the direction of what follows.
UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028-\u202e\u2066-\u2069]")

# The name of a data set or of a configuration.
Key = Annotated[str, Field(pattern=KEY_PATTERN, max_length=64)]
Positive = Annotated[int, Field(gt=0, le=1_000_000_000)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
LargestPixel = Annotated[int, Field(ge=1, lt=2**31)]


def _expand_class_count(classes: Any) -> Any:
    """Return the names "0", "1", ... for a number of classes; other content as it is."""
    is_count = isinstance(classes, int) and not isinstance(classes, bool) and classes <= MOST_CLASSES
    return [str(number) for number in range(classes)] if is_count else classes


def _expect_different(classes: list[str]) -> list[str]:
    if len(set(classes)) < len(classes):
        raise ValueError(f"expected classes that all differ, found {classes}")
    return classes


def _expect_plain(name: str) -> str:
    """Refuse characters that DVC or a web page would take for code, and those that no terminal shows."""
    if UNSEEN.search(name) or any(code in name for code in CODE):
        raise ValueError(
            f"expected a name without control characters, {' '.join(CODE)}, found {name!r}; rename the class"
        )
    return name


# The name of a class, or of the folder of a class.
ClassName = Annotated[str, Field(min_length=1), AfterValidator(_expect_plain)]

# The names of the classes in the order of their labels; a number n in params.yaml means the names 0 to n - 1.
Classes = Annotated[
    list[ClassName],
    Field(min_length=2, max_length=MOST_CLASSES),
    BeforeValidator(_expand_class_count),
    AfterValidator(_expect_different),
]


class Augmentation(Section):
    """The largest distortions of training images; all 0 for none.

    Attributes:
        shift: pixels, down and to the right.
        rotation: degrees.
        scaling: the share by which images are enlarged or made smaller.
        elastic: pixels, the standard deviation of a smooth bend.
        flip: whether half of the images are mirrored.
        colour: how far contrast and brightness of each channel change: at 1, by a factor of e, and by half of
            the largest pixel.
        fill: what comes in from beyond the edges: black, or the pixels at the edge.
        erasing: the share of the images in which a rectangle becomes noise.
    """

    shift: Annotated[float, Field(ge=0, le=1000)] = 0.0
    rotation: Annotated[float, Field(ge=0, le=180)] = 0.0
    scaling: Annotated[float, Field(ge=0, le=10)] = 0.0
    elastic: Annotated[float, Field(ge=0, le=1000)] = 0.0
    flip: bool = False
    colour: Annotated[float, Field(ge=0, le=10)] = 0.0
    fill: Literal["black", "edge"] = "black"
    erasing: Annotated[float, Field(ge=0, le=1)] = 0.0

    @property
    def interpolates(self) -> bool:
        """Return whether pixels are interpolated between others."""
        return any((self.shift, self.rotation, self.scaling, self.elastic))
