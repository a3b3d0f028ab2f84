"""A revision of the project: any commit, or the workspace, and the files that it has."""

import io
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from stages.common import layout
from stages.common.errors import UserError
from tools.common.programs import git, try_git

WORKSPACE = "workspace"  # DVC's word for the files as they are
SHORT = 7  # characters of a commit's hash where a person reads it, as git shows it
PROBABILITIES = ["probability", "probability_of_actual"]


@dataclass(frozen=True)
class Revision:
    """What the user called it, and the commit, or None for the workspace."""

    name: str
    commit: str | None
    # What was asked for before: each data set asks for the same files, and dvc.lock takes long to parse.
    _read: dict[Path, bytes | None] = field(default_factory=dict, init=False, repr=False, compare=False)
    _parsed: dict[Path, dict[str, Any]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def read(self, path: Path) -> bytes | None:
        """The content of a file, or None if the revision has no such file."""
        if path not in self._read:
            if self.commit is None:
                self._read[path] = path.read_bytes() if path.is_file() else None
            else:
                self._read[path] = try_git("cat-file", "blob", f"{self.commit}:./{path.as_posix()}")
        return self._read[path]

    def files(self) -> set[str]:
        """The paths of the files that it has: in the workspace, those that git tracks or would track."""
        if self.commit is None:
            listed = git("ls-files", "-z", "--cached", "--others", "--exclude-standard")
        else:
            listed = git("ls-tree", "-r", "-z", "--name-only", self.commit)
        return set(os.fsdecode(listed).split("\0"))

    def yaml(self, path: Path) -> dict[str, Any]:
        """The content of a YAML file, an empty mapping if there is none."""
        if path not in self._parsed:
            try:
                content = YAML(typ="safe").load((self.read(path) or b"").decode())
            except (YAMLError, ValueError) as error:
                raise UserError(f"{path} at {self.name}: not valid YAML: {error}") from None
            self._parsed[path] = self._mapping(content, str(path))
        return self._parsed[path]

    def section(self, path: Path, key: str) -> dict[str, Any]:
        """What a YAML file has under a key, an empty mapping if that is nothing."""
        return self._mapping(self.yaml(path).get(key), f"{path}: {key}")

    def _mapping(self, value: Any, place: str) -> dict[str, Any]:
        if not isinstance(value, dict | None):
            raise UserError(
                f"{place} at {self.name}: expected a mapping of keys to values, found {value!r:.80}"
            )
        return value or {}

    def predictions(self, dataset: str) -> pd.DataFrame | None:
        """The table that `stages.scores.prediction_table` made, or None if there is none."""
        path = layout.predictions(dataset)
        content = self.read(path)
        return None if content is None else prediction_table(content, f"{path} at {self.name}")


def prediction_table(content: bytes, place: str) -> pd.DataFrame:
    """Read a table that `stages.scores.prediction_table` made.

    Args:
        content: of the CSV file.
        place: where that is, for an error.
    """
    text = {"actual": str, "predicted": str}
    try:
        # A class may be called NA.
        table = pd.read_csv(io.BytesIO(content), dtype=text, keep_default_na=False)
        table = table[["actual", "predicted", *PROBABILITIES]].astype(dict.fromkeys(PROBABILITIES, float))
    except (ValueError, KeyError) as error:
        raise _unexpected(place, error) from None
    right = table["probability"].between(0, 1, inclusive="right")
    if table.empty or not (right & table["probability_of_actual"].between(0, 1)).all():
        raise _unexpected(place, "no rows, or a probability that is none")
    return table


def _unexpected(place: str, found: object) -> UserError:
    return UserError(f"{place}: expected a table as dvc repro evaluate writes it, found: {found}")


def find(name: str) -> Revision:
    """The revision of a name: a commit, branch or tag of git, or `workspace`.

    Raises:
        UserError: if git knows no such revision.
    """
    if name == WORKSPACE:
        return Revision(name, None)
    found = try_git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    if found is None:
        shallow = try_git("rev-parse", "--is-shallow-repository") == b"true\n"
        raise UserError(
            f"expected a commit, branch or tag of this git repository, or workspace, found {name!r}"
            + ("; this clone has no older commits: run git fetch --unshallow" if shallow else "")
        )
    commit = found.decode().strip()
    return Revision(name[:SHORT] if name == commit else name, commit)


def snapshot(revision: Revision) -> str:
    """A commit with the revision's files: of the workspace, those that git tracks or would track.

    Neither the index nor any branch changes.
    """
    if revision.commit is not None:
        return revision.commit
    with tempfile.TemporaryDirectory() as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder, "index"))}
        git("add", "--all", **index)
        tree = git("write-tree", **index)
    identity = {
        f"GIT_{who}_{what}": "review" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    return git("commit-tree", "-m", "The workspace", tree.decode().strip(), **identity).decode().strip()
