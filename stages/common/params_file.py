"""params.yaml as it stands in the file, and the part of it that a stage reads."""

from pathlib import Path
from typing import Any, TypeVar

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from stages.common.errors import UserError
from stages.common.validation import Section, validate

FILE = Path("params.yaml")
MOST_BYTES = 1_000_000  # hundreds of data sets have less; the parser takes seconds for more
MOST_VALUES = 100_000  # counted once every alias stands for all that it repeats

S = TypeVar("S", bound=Section)


def read_yaml(path: Path) -> Any:
    """Read a YAML file with the parser that DVC reads params.yaml with, so that both see the same values.

    Raises:
        UserError: if there is no such file, or its content is no YAML or too large.
    """
    try:
        content = path.read_bytes()
        if len(content) > MOST_BYTES:
            raise UserError(f"{path}: expected at most {MOST_BYTES:,} bytes, found {len(content):,}")
        values = YAML(typ="safe").load(content.decode())
    except FileNotFoundError:
        raise UserError(f"{path}: not found; run the command from the project's root") from None
    except (YAMLError, ValueError, RecursionError) as error:  # ValueError: no UTF-8, or no such date
        raise UserError(f"{path}: not valid YAML: {error}") from None
    _expect_few_values(values, path)
    return values


def read_dataset(kind: type[S], dataset: str) -> S:
    """Read the parameters of a data set that a stage depends on, and no others.

    Args:
        kind: the schema of these parameters, a `Section` with the keys that the stage reads.
        dataset: its key under `datasets`.

    Raises:
        UserError: naming each of these keys that is wrong, what was expected and what was found.
    """
    section = read_yaml(FILE)["datasets"][dataset]
    names = {field.alias or name for name, field in kind.model_fields.items()}
    content = {name: value for name, value in section.items() if name in names}
    parameters: S = validate(kind, content, f"{FILE}: datasets.{dataset}")
    return parameters


def read_shared(kind: type[S], key: str) -> S:
    """Read parameters that all data sets share: the section of params.yaml under a key."""
    parameters: S = validate(kind, read_yaml(FILE)[key], f"{FILE}: {key}")
    return parameters


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
