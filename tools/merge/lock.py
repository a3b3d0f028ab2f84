"""The merge of dvc.lock stage by stage, as each record of a stage is true as a whole or not at all."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.common import files
from tools.common import dvc_lock, git
from tools.merge import conflicts
from tools.merge.conflicts import Conflict

Stages = Mapping[str, Any]


@dataclass(frozen=True)
class Versions:
    """The stages in the versions of dvc.lock that are to be merged, by name.

    Attributes:
        base: in the version from which both branches began.
        ours: in that of the current branch.
        theirs: in that of the other branch.
    """

    base: Stages
    ours: Stages
    theirs: Stages

    def merge(self) -> dict[str, Any]:
        """Return each stage as the only branch that has changed it has it.

        Where both have, ours stays, and DVC runs the stage again, as neither has the merged parameters. Lines
        of both would be the record of a run that never was, and DVC would believe it.
        """
        names = dict.fromkeys([*self.ours, *self.theirs])
        chosen = {name: self._choose(name) for name in names}
        return {name: stage for name, stage in chosen.items() if stage is not None}

    def list_theirs(self) -> list[str]:
        """Return the stages whose outputs the other branch has made."""
        return [name for name, stage in self.merge().items() if stage != self.ours.get(name)]

    def _choose(self, name: str) -> Any:
        base, ours, theirs = (stages.get(name) for stages in (self.base, self.ours, self.theirs))
        if ours == base:
            return theirs
        if theirs == base:
            return ours
        return theirs if ours is None else ours


def find_versions(declared: Mapping[Path, Conflict], *, is_under_way: bool) -> Versions | None:
    """Return the versions of dvc.lock to merge, or None if dvc.lock is no conflict.

    Somebody may have added dvc.lock, with marks or with lines of both branches; until the next commit, git
    knows the versions. Of a dvc.lock that was committed with marks, the merge commit has them; if there is
    none, the stages stay in which nothing is marked.

    Args:
        declared: the conflicts in git's index, by file.
        is_under_way: whether git waits for the end of a merge, or of another operation.
    """
    text = dvc_lock.read_text()
    is_marked = git.CONFLICT_MARK.search(text) is not None
    conflict = declared.get(dvc_lock.FILE)
    if conflict is None and (is_marked or is_under_way):
        conflict = conflicts.list_added().get(dvc_lock.FILE)
    if conflict is None and is_marked:
        conflict = _find_parents()
    if conflict is not None:
        return Versions(*map(_read_stages, (conflict.base, conflict.ours, conflict.theirs)))
    if not is_marked:
        return None
    ours, theirs = map(dvc_lock.parse, conflicts.split_sides(text))
    agreed = {name: stage for name, stage in ours.items() if theirs.get(name) == stage}
    return Versions(agreed, agreed, agreed)


def write(stages: Stages) -> None:
    """Write dvc.lock with these stages, in one step."""
    with files.atomic_file(dvc_lock.FILE) as new:
        dvc_lock.dump(stages, new)


def _find_parents() -> Conflict | None:
    base = git.try_run("merge-base", "HEAD^1", "HEAD^2")
    if base is None:
        return None
    return Conflict(
        *(f"{commit}:./{dvc_lock.FILE}" for commit in (base.decode().strip(), "HEAD^1", "HEAD^2"))
    )


def _read_stages(name: str | None) -> dict[str, Any]:
    content = git.try_run("show", name) if name else None
    return dvc_lock.parse((content or b"").decode(errors="replace"))
