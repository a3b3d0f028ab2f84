"""The records of a study, a line of JSON for each training, in a file for each data set, kept in git."""

import json
from pathlib import Path
from typing import Any

from stages.common import files
from stages.common.errors import UserError
from stages.common.validation import Positive, Section, checked

FOLDER = Path("tools/study/records")
Scores = dict[str, float]


class Record(Section):
    """What came out of one training.

    Attributes:
        run: everything that decides it, see `study.plan.Run.identity`.
        weights: of the network, trained or not.
        seconds: of training, with the validation after each epoch; without loading.
        validation: the metrics of the validation images, by name.
        test: those of the test images, if it is scored on them.
        averaged: those of the test images again, the probabilities being means over shifts.
        mistakes: the test images, by their number, that it takes for another class: the index of that.
    """

    run: dict[str, Any]
    weights: Positive
    seconds: float
    validation: Scores
    test: Scores | None = None
    averaged: Scores | None = None
    mistakes: dict[str, int] | None = None

    @property
    def key(self) -> str:
        """The run, as text."""
        return key_of(self.run)


def key_of(run: dict[str, Any]) -> str:
    """What decides a training, as text: the same for the same."""
    return json.dumps(run, sort_keys=True)


def path_of(name: str) -> Path:
    """The file of a data set."""
    return FOLDER / f"{name}.jsonl"


def read(name: str) -> dict[str, Record]:
    """The records of a data set, by their keys.

    Raises:
        UserError: if a line is none.
    """
    path = path_of(name)
    if not path.exists():
        return {}
    found = {}
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        place = f"{path}, line {number}"
        try:
            content = json.loads(line)
        except ValueError:
            raise UserError(
                f"{place}: expected a record, found {line[:80]!r}; take that line away to train it again"
            ) from None
        record: Record = checked(Record, content, place)
        found[record.key] = record
    return found


def add(name: str, record: Record) -> None:
    """Keep one more, whatever the file has become while it was made."""
    path = path_of(name)
    before = path.read_bytes() if path.exists() else b""
    ended = b"\n" if before and not before.endswith(b"\n") else b""
    with files.whole_file(path) as new:
        new.write_bytes(before + ended + record.model_dump_json(exclude_none=True).encode() + b"\n")
