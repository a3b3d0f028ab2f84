"""Types of parameters that several rooms share."""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

MOST_CLASSES = 10_000

# The name of a data set or of a configuration.
Key = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
Positive = Annotated[int, Field(gt=0, le=1_000_000_000)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
LargestPixel = Annotated[int, Field(ge=1, lt=2**31)]


def _name_counted_classes(classes: Any) -> Any:
    """Return the names of classes that only have a number."""
    counted = isinstance(classes, int) and not isinstance(classes, bool) and classes <= MOST_CLASSES
    return [str(number) for number in range(classes)] if counted else classes


def _expect_different(classes: list[str]) -> list[str]:
    if len(set(classes)) < len(classes):
        raise ValueError(f"expected classes that all differ, found {classes}")
    return classes


# The names of the classes in the order of their labels; in params.yaml also their number.
Classes = Annotated[
    list[Annotated[str, Field(min_length=1)]],
    Field(min_length=2, max_length=MOST_CLASSES),
    BeforeValidator(_name_counted_classes),
    AfterValidator(_expect_different),
]
