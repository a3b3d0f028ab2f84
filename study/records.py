"""The records of a study, a line of JSON for each training, in a file for each data set, kept in git."""

import json
from pathlib import Path
from typing import Any

from stages import files
from stages.errors import UserError

FOLDER = Path("study/records")


def path_of(name: str) -> Path:
    """The file of a data set."""
    return FOLDER / f"{name}.jsonl"


def read(name: str) -> dict[str, dict[str, Any]]:
    """The records of a data set, by their keys.

    Raises:
        UserError: if a line is none.
    """
    path = path_of(name)
    if not path.exists():
        return {}
    found = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            record = json.loads(line)
            found[record["key"]] = record
        except (ValueError, TypeError, KeyError):
            raise UserError(f"{path}, line {number}: expected a record, found {line[:80]!r}") from None
    return found


def add(name: str, record: dict[str, Any]) -> None:
    """Keep one more."""
    together = {**read(name), record["key"]: record}
    lines = [json.dumps(one, separators=(",", ":")) for one in together.values()]
    files.write_text(path_of(name), "\n".join(lines) + "\n")
