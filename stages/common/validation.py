"""Validation of content against a type, with errors of one line."""

from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from stages.common.errors import UserError

MOST_ERRORS = 3
CLOSE = 0.75  # the likeness of two keys, from 0 to 1, from which one may be meant by the other
MOST_FOUND_CHARACTERS = 100
KEY_PATTERN = r"^[a-z][a-z0-9_]*$"
SHA256_PATTERN = r"^[0-9a-f]{64}$"
# Patterns in plain words.
PLAIN_PATTERNS = {
    KEY_PATTERN: "small letters, numbers and _, with a letter first",
    SHA256_PATTERN: "64 characters from 0 to 9 and a to f",
}
# pydantic's expectations, in plain words, by the type of the error.
PLAIN_EXPECTATIONS = {
    "dict_type": "a mapping of keys to values",
    "extra_forbidden": "no such key",
    "model_type": "a mapping of keys to values",
}


class Section(BaseModel):
    """A mapping of keys to values: no unknown keys, no conversion of types, no later change."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def validate(schema: Any, content: Any, place: str) -> Any:
    """Return content as an instance of a schema, a `Section` or another type.

    Raises:
        UserError: naming the place, each key that is wrong, what was expected and what was found.
    """
    try:
        return TypeAdapter(schema).validate_python(content)
    except ValidationError as error:
        details = error.errors()
        more = f"; and {len(details) - MOST_ERRORS} more" if len(details) > MOST_ERRORS else ""
        problems = "; ".join(_describe(detail, content) for detail in details[:MOST_ERRORS])
        raise UserError(f"{place}: {problems}{more}") from None


def _describe(detail: Any, content: Any) -> str:
    """Return one of pydantic's errors as `key: expected this, found that`."""
    keys = []
    for key in detail["loc"]:
        if isinstance(content, dict | list) and (isinstance(content, list) or key in content):
            keys.append(str(key))
            content = content[key]
        elif detail["type"] == "missing" and key == detail["loc"][-1]:
            keys.append(str(key))
        # else pydantic has put the name of a kind of source, or a mark of a key, between the keys
    place = f"{'.'.join(keys)}: " if keys else ""
    if detail["type"] == "value_error":
        return f"{place}{detail['ctx']['error']}"
    expected, found = _explain(detail)
    return f"{place}expected {expected}, found {found}"


def _explain(detail: Any) -> tuple[str, str]:
    """Return what was expected and what was found, of one of pydantic's errors."""
    found = repr(detail["input"])
    if len(found) > MOST_FOUND_CHARACTERS:
        found = f"{found[:MOST_FOUND_CHARACTERS]}..."
    match detail["type"]:
        case "missing":
            expected, found = "a value", "nothing"
        case "union_tag_invalid":
            expected = "{discriminator} to be one of {expected_tags}".format(**detail["ctx"]).replace("'", "")
            found = repr(detail["ctx"]["tag"])
        case "union_tag_not_found":
            expected = "a key {discriminator}".format(**detail["ctx"]).replace("'", "")
        case "too_short" | "string_too_short":
            least = detail["ctx"]["min_length"]
            expected = "at least one item" if least == 1 else f"at least {least} items"
        case "string_pattern_mismatch":
            pattern = detail["ctx"]["pattern"]
            expected = PLAIN_PATTERNS.get(pattern, f"to match {pattern!r}")
        case "extra_forbidden":
            expected = PLAIN_EXPECTATIONS["extra_forbidden"]
            if alike := get_close_matches(str(detail["loc"][-1]), _list_keys(Section), 1, CLOSE):
                found = f"{found}; did you mean {alike[0]}?"
        case "float_type" | "int_type" if isinstance(detail["input"], str) and _is_number(detail["input"]):
            expected, found = "a number", f"{found}, a text; leave out the quotes"
        case other:
            expected = PLAIN_EXPECTATIONS.get(other, detail["msg"].removeprefix("Input should be "))
    return expected, found


def _list_keys(section: type[Section]) -> list[str]:
    """Return the keys of all sections that are of a kind."""
    keys = [key for kind in section.__subclasses__() for key in _list_keys(kind)]
    return sorted({*section.model_fields, *keys})


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
