"""Revisions of the project, any commit or the workspace, and their files."""

import io
import json
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from stages.common import layout, params_file
from stages.common.errors import UserError
from tools.common import dvc_lock, git

WORKSPACE = "workspace"  # DVC's word for the files as they are
SHORT_HASH = 7  # characters of a commit's hash that git shows people
PROBABILITIES = ["probability", "probability_of_actual"]
SUM_OF_SQUARES = "sum_of_squares"  # which older commits do not have


class Result(NamedTuple):
    """The result of one training for one split.

    Attributes:
        predictions: a row for each image, as `stages.scoring.scores.prediction_table` returns them.
        metrics: the value of each metric.
    """

    predictions: pd.DataFrame
    metrics: dict[str, float]


@dataclass(frozen=True)
class Revision:
    """A commit, or the workspace.

    Attributes:
        name: the user's name for it.
        commit: its hash, or None for the workspace.
    """

    name: str
    commit: str | None
    # Content by path: every data set needs the same files, and dvc.lock takes long to parse.
    _read: dict[Path, bytes | None] = field(default_factory=dict, init=False, repr=False, compare=False)
    _parsed: dict[Path, dict[str, Any]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def read(self, path: Path) -> bytes | None:
        """Return the content of a file, or None if the revision has no such file."""
        if path not in self._read:
            if self.commit is None:
                self._read[path] = path.read_bytes() if path.is_file() else None
            else:
                self._read[path] = git.try_run("cat-file", "blob", f"{self.commit}:./{path.as_posix()}")
                if self._read[path] is None and path.as_posix() in self.files():
                    raise UserError(
                        f"{path} at {self.name}: expected a file that git can read, found a damaged or "
                        "incomplete repository; run git fsck, or clone anew"
                    )
        return self._read[path]

    def date(self) -> str:
        """Return the day on which the commit was made; nothing for the workspace."""
        if self.commit is None:
            return ""
        return git.run("show", "--no-patch", "--format=%cs", self.commit).decode().strip()

    def files(self) -> set[str]:
        """Return the paths of all files: in the workspace, the files that git tracks or would track."""
        if self.commit is None:
            listed = git.run("ls-files", "-z", "--cached", "--others", "--exclude-standard")
            return set(filter(None, os.fsdecode(listed).split("\0")))
        listed = git.run("ls-tree", "-r", "-z", self.commit)
        entries = [entry.partition("\t") for entry in filter(None, os.fsdecode(listed).split("\0"))]
        return {path for kind, _, path in entries if " blob " in kind}  # and not a submodule

    def yaml(self, path: Path) -> dict[str, Any]:
        """Return the content of a YAML file; an empty mapping if there is no file."""
        if path not in self._parsed:
            try:
                text = (self.read(path) or b"").decode()
                if git.CONFLICT_MARK.search(text):
                    raise UserError(
                        f"{path} at {self.name}: expected one version of each line, found marks of a "
                        "conflict between two; run make merge, which settles it or says how"
                    )
                content = YAML(typ="safe").load(text)
            except (YAMLError, ValueError, RecursionError) as error:
                raise UserError(f"{path} at {self.name}: not valid YAML: {error}") from None
            self._parsed[path] = self._mapping(content, str(path))
        return self._parsed[path]

    def section(self, path: Path, key: str) -> dict[str, Any]:
        """Return the content of a YAML file under a key; an empty mapping if there is none."""
        return self._mapping(self.yaml(path).get(key), f"{path}: {key}")

    def _mapping(self, value: Any, place: str) -> dict[str, Any]:
        if not isinstance(value, dict | None):
            raise UserError(
                f"{place} at {self.name}: expected a mapping of keys to values, found {value!r:.80}"
            )
        return value or {}

    def read_folder(self, path: Path) -> dict[str, bytes]:
        """Return the content of each file under a folder, by its path in the folder."""
        prefix = f"{path.as_posix()}/"
        contents = {
            name.removeprefix(prefix): self.read(Path(name))
            for name in self.files()
            if name.startswith(prefix)
        }
        return {name: content for name, content in contents.items() if content is not None}

    def stages(self, dataset: str) -> dict[str, dvc_lock.Stage]:
        """Return the stages of a data set in dvc.lock, by name, in an order in which they can run."""
        try:
            return dvc_lock.read_stages(self.section(dvc_lock.FILE, "stages"), dataset)
        except ValueError as error:
            raise UserError(
                f"{dvc_lock.FILE} at {self.name}: expected stages as DVC writes them, found {error}; run "
                f"git checkout -- {dvc_lock.FILE}, then dvc repro"
            ) from None

    def datasets(self) -> dict[str, dict[str, Any]]:
        """Return the sections of the data sets in params.yaml, by their keys."""
        sections = self.section(params_file.FILE, "datasets")
        for name, section in sections.items():
            if not isinstance(name, str) or not isinstance(section, dict):
                raise UserError(
                    f"{params_file.FILE}: datasets at {self.name}: expected a name and its parameters, found "
                    f"{name!r}: {section!r:.80}"
                )
        return sections

    def predictions(self, dataset: str, split: str) -> pd.DataFrame | None:
        """Return the table that `scores.prediction_table` made for a split, or None if there is none."""
        path = layout.predictions(dataset, split)
        content = self.read(path)
        return None if content is None else parse_predictions(content, f"{path} at {self.name}")

    def result(self, dataset: str, split: str) -> Result | None:
        """Return the predictions and metrics of a split, or None if there are no predictions."""
        predictions, path = self.predictions(dataset, split), layout.metrics(dataset)
        if predictions is None:
            return None
        return Result(predictions, parse_metrics(self.read(path) or b"{}", split, f"{path} at {self.name}"))


def parse_metrics(content: bytes, split: str, place: str) -> dict[str, float]:
    """Parse the metrics of a split; an empty mapping if the file has none.

    Args:
        content: of the JSON file.
        split: validation or test.
        place: the place of the file, for an error.
    """
    try:
        metrics = json.loads(content).get(split, {})
        return {name: float(value) for name, value in metrics.items()}
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise _unexpected(place, error, "metrics") from None


def parse_predictions(content: bytes, place: str) -> pd.DataFrame:
    """Parse a table that `scores.prediction_table` made.

    Args:
        content: of the CSV file.
        place: the place of the file, for an error.
    """
    text = {"actual": str, "predicted": str}
    try:
        # A class may be called NA.
        table = pd.read_csv(io.BytesIO(content), dtype=text, keep_default_na=False)
        numbers = [*PROBABILITIES, *({SUM_OF_SQUARES} & set(table))]
        table = table[["actual", "predicted", *numbers]].astype(dict.fromkeys(numbers, float))
    except (ValueError, KeyError) as error:
        raise _unexpected(place, error) from None
    positive = table[[name for name in numbers if name != "probability_of_actual"]].gt(0)
    possible = table[numbers].ge(0) & table[numbers].le(1)
    if table.empty or not (positive.all(axis=None) and possible.all(axis=None)):
        raise _unexpected(place, "no rows, or a probability that is none")
    return table


def _unexpected(place: str, found: object, kind: str = "a table") -> UserError:
    return UserError(f"{place}: expected {kind} as dvc repro evaluate writes it, found: {found}")


def find_revision(name: str) -> Revision:
    """Return the revision of a name: a commit, branch or tag of git, or `workspace`.

    Raises:
        UserError: if git knows no such revision.
    """
    if name == WORKSPACE:
        return Revision(name, None)
    answer = git.try_run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    if answer is None:
        git.run("rev-parse", "--git-dir")  # outside of a repository, git says so
        shallow = git.try_run("rev-parse", "--is-shallow-repository") == b"true\n"
        raise UserError(
            f"expected a commit, branch or tag of this git repository, or workspace, found {name!r}"
            + ("; this clone has no older commits: run git fetch --unshallow" if shallow else "")
        )
    commit = answer.decode().strip()
    return Revision(name[:SHORT_HASH] if name == commit else name, commit)


def snapshot(revision: Revision) -> str:
    """Return a commit with the revision's files: of the workspace, the files that git tracks or would track.

    Neither the index nor any branch changes.
    """
    if revision.commit is not None:
        return revision.commit
    with tempfile.TemporaryDirectory() as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder, "index"))}
        git.run("add", "--all", **index)
        tree = git.run("write-tree", **index)
    identity = {
        f"GIT_{who}_{what}": "review" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    return git.run("commit-tree", "-m", "The workspace", tree.decode().strip(), **identity).decode().strip()
