"""The records of a study: one line of JSON for each training, one file for each data set, kept in git."""

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

from stages.common import files
from stages.common.errors import UserError
from stages.common.fields import Positive
from stages.common.validation import Section, validate

FOLDER = Path("tools/study/records")
PREDICTIONS = Path("studies")  # not kept in git: half a megabyte for each training
Scores = dict[str, float]


class Record(Section):
    """The results of one run.

    Attributes:
        run: the identity of the run, see `tools.study.plan.Run.identity`.
        weights: the number of weights of the network, trainable or not.
        seconds: the time of training, with the validation after each epoch, without loading.
        validation: the metrics of the validation images, by name.
        test: the metrics of the test images, if the run is scored on them.
        averaged: the metrics of the test images with test-time augmentation, if the run is scored with it.
        mistakes: the index of the predicted class of each misclassified test image, by the image's number.
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
        """Return the key of the record."""
        return build_key(self.run)


class Outcome(NamedTuple):
    """The outcome of a run.

    Attributes:
        record: the record.
        predictions: by split, the predictions as CSV; none if the run is not of a whole configuration.
    """

    record: Record
    predictions: dict[str, str]


def build_key(identity: dict[str, Any]) -> str:
    """Return the identity of a run as text, equal for equal identities."""
    return json.dumps(identity, sort_keys=True)


def record_path(name: str) -> Path:
    """Return the file with the records of a data set."""
    return FOLDER / f"{name}.jsonl"


def predictions_path(name: str, key: str, split: str) -> Path:
    """Return the file with the predictions of a training for a split.

    Args:
        name: of the data set.
        key: of the record.
        split: validation or test.
    """
    digest = hashlib.sha256(key.encode()).hexdigest()
    return PREDICTIONS / name / f"{digest:.16}-{split}.csv"


def read(name: str) -> dict[str, Record]:
    """Return the records of a data set by their keys.

    Raises:
        UserError: if a line is no record.
    """
    path = record_path(name)
    if not path.exists():
        return {}
    records = {}
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        place = f"{path}, line {number}"
        try:
            content = json.loads(line)
        except ValueError:
            raise UserError(
                f"{place}: expected a record, found {line[:80]!r}; remove the line to train the network again"
            ) from None
        record: Record = validate(Record, content, place)
        records[record.key] = record
    return records


def write_predictions(name: str, outcome: Outcome) -> None:
    """Write the predictions of a run for each split that has some."""
    for split, text in outcome.predictions.items():
        files.write_text(predictions_path(name, outcome.record.key, split), text)


def add(name: str, outcome: Outcome) -> None:
    """Append the record of a run to the file of a data set, whose last line may be incomplete."""
    write_predictions(name, outcome)
    record, path = outcome.record, record_path(name)
    content = path.read_bytes() if path.exists() else b""
    separator = b"\n" if content and not content.endswith(b"\n") else b""
    with files.atomic_file(path) as new:
        new.write_bytes(content + separator + record.model_dump_json(exclude_none=True).encode() + b"\n")
