"""Content as a type that pydantic checks, or one line that says what is wrong with it."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from stages.common.errors import UserError

ERRORS_SHOWN = 3
FOUND_SHOWN = 100  # characters

# What a data set or a configuration is called.
Key = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
Positive = Annotated[int, Field(gt=0, le=1_000_000_000)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]


class Section(BaseModel):
    """A mapping of keys to values: no unknown keys, no conversion of types, no later change."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def checked(kind: Any, content: Any, place: str) -> Any:
    """The content as a type, such as a `Section`.

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
        case "model_type" | "dict_type":
            expected = "a mapping of keys to values"
        case "too_short" | "string_too_short":
            least = detail["ctx"]["min_length"]
            expected = "at least one item" if least == 1 else f"at least {least} items"
        case "string_pattern_mismatch":
            expected = f"to match {detail['ctx']['pattern']!r}"
        case _:
            expected = detail["msg"].removeprefix("Input should be ")
    return f"{place}expected {expected}, found {found}"
