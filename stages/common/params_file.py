"""Reading of YAML files, and of the parameters of one stage in params.yaml."""

import re
from pathlib import Path
from typing import Any, TypeVar

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from stages.common.errors import UserError
from stages.common.validation import Section, validate

FILE = Path("params.yaml")
MOST_BYTES = 1_000_000  # hundreds of data sets have less; the parser takes seconds for more
MOST_VALUES = 100_000  # counted with every alias expanded
# What the parser's messages quote of a file: values, aliases and tags; `<stream end>` and the like stay.
QUOTED = re.compile(r" with value .*| from \".*\"|:? '[^'<]{3,}'")

S = TypeVar("S", bound=Section)


def read_yaml(path: Path) -> Any:
    """Read a YAML file with the parser that DVC reads params.yaml with, so that both see the same values.

    Raises:
        UserError: if there is no such file, or its content is no YAML or too large.
    """
    try:
        content = path.read_bytes()
        if len(content) > MOST_BYTES:
            raise UserError(
                f"{path}: expected at most {MOST_BYTES:,} bytes, found {len(content):,}; shorten the file"
            )
        values = YAML(typ="safe").load(content.decode())
    except FileNotFoundError:
        raise UserError(
            f"{path}: expected a file, found none; run the command from the project's root"
        ) from None
    # ValueError: no UTF-8, or no such date; KeyError: a value that is none of those of its tag.
    except (YAMLError, ValueError, KeyError, RecursionError) as error:
        raise UserError(f"{path}: expected YAML, found: {_describe(error)}; correct the file") from None
    _expect_few_values(values, path)
    return values


def read_dataset(schema: type[S], name: str) -> S:
    """Read the parameters of a data set that a stage depends on, and no others.

    Args:
        schema: the type of these parameters, a `Section` with the keys that the stage reads.
        name: the key of the data set.

    Raises:
        UserError: naming each of these keys that is wrong, what was expected and what was found.
    """
    section = read_yaml(FILE)["datasets"][name]
    keys = {field.alias or attribute for attribute, field in schema.model_fields.items()}
    content = {key: value for key, value in section.items() if key in keys}
    parameters: S = validate(schema, content, f"{FILE}: datasets.{name}")
    return parameters


def read_shared(schema: type[S], key: str) -> S:
    """Read parameters that all data sets share: the section of params.yaml under a key."""
    parameters: S = validate(schema, read_yaml(FILE)[key], f"{FILE}: {key}")
    return parameters


def _describe(error: Exception) -> str:
    """Return what is wrong and where, without the text around, which may have a secret."""
    if isinstance(error, MarkedYAMLError) and error.problem and error.problem_mark:
        mark = error.problem_mark
        return f"{QUOTED.sub('', error.problem)}, line {mark.line + 1}, column {mark.column + 1}"
    return "a value that does not fit its tag" if isinstance(error, KeyError) else QUOTED.sub("", str(error))


def _expect_few_values(content: Any, path: Path) -> None:
    """Refuse content that nested aliases blow up beyond MOST_VALUES values, which would fill the memory."""
    stack, values = [content], 0
    while stack:
        value = stack.pop()
        values += 1
        if values > MOST_VALUES:
            raise UserError(
                f"{path}: expected at most {MOST_VALUES:,} values, found more, maybe by aliases; "
                "shorten the file"
            )
        if isinstance(value, dict):
            stack.extend(value.values())
        elif isinstance(value, list):
            stack.extend(value)
