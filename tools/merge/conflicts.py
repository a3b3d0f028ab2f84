"""Conflicts in git's index, and their marks in files."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.common import git

LITERAL = {"GIT_LITERAL_PATHSPECS": "1"}  # a star in a name is a star


@dataclass(frozen=True)
class Conflict:
    """The versions of a file that git could not merge, as names of objects in git.

    Attributes:
        base: the version from which both branches began; None where there was no such file.
        ours: of the current branch, or in a rebase, of the new base; None where the file was removed.
        theirs: of the other branch, or in a rebase, of the commit; None where the file was removed.
    """

    base: str | None
    ours: str | None
    theirs: str | None


def list_unmerged() -> dict[Path, Conflict]:
    """Return the conflicts that git has declared, by file."""
    return _read_index("--unmerged")


def list_added() -> dict[Path, Conflict]:
    """Return the conflicts that were declared until somebody added their files; git forgets them in time."""
    return _read_index("--resolve-undo")


def _read_index(selection: str) -> dict[Path, Conflict]:
    versions: dict[Path, dict[int, str]] = {}
    for entry in git.run("ls-files", "-z", selection).decode(errors="surrogateescape").split("\0"):
        if entry:
            description, _, name = entry.partition("\t")
            _, blob, stage = description.split(" ")
            versions.setdefault(Path(name), {})[int(stage)] = blob
    return {
        path: Conflict(*(by_stage.get(stage) for stage in (1, 2, 3))) for path, by_stage in versions.items()
    }


def list_marked(paths: Iterable[Path]) -> list[Path]:
    """Return those of some files of git in which conflicts are marked."""
    names = [str(path) for path in paths]
    pattern = r"^(<<<<<<<|>>>>>>>) "
    output = git.try_run("--literal-pathspecs", "grep", "-zIlE", pattern, "--", *names) if names else None
    return _split(output or b"")


def list_changed(*revisions: str) -> list[Path]:
    """Return the files that differ from a revision, or without one, from git's index."""
    return _split(git.run("diff", "--name-only", "--relative", "-z", *revisions))


def list_kept(paths: Iterable[Path]) -> list[Path]:
    """Return those of some files, also in folders, that git has or would add."""
    names = [str(path) for path in paths]
    options = ("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate")
    return _split(git.run(*options, "--", *names, **LITERAL)) if names else []


def restore(conflicts: Mapping[Path, Conflict]) -> None:
    """Write files as our branch has them, or where it has none, as the other does; they stay conflicts."""
    ours = {str(path) for path, conflict in conflicts.items() if conflict.ours}
    theirs = {str(path) for path, conflict in conflicts.items() if conflict.theirs} - ours
    for side, names in (("--ours", ours), ("--theirs", theirs)):
        if names:
            git.run("checkout", "--quiet", side, "--", *names, **LITERAL)


def split_sides(text: str) -> tuple[str, str]:
    """Return a text with marks of conflicts as our branch has it, and as the other does."""
    ours, theirs = (
        re.sub(
            r"^<<<<<<< .*\n((?:.*\n)*?)(?:\|\|\|\|\|\|\| .*\n(?:.*\n)*?)?=======\n((?:.*\n)*?)>>>>>>> .*\n?",
            side,
            text,
            flags=re.MULTILINE,
        )
        for side in (r"\1", r"\2")
    )
    return ours, theirs


def _split(output: bytes) -> list[Path]:
    return [Path(name) for name in output.decode(errors="surrogateescape").split("\0") if name]
