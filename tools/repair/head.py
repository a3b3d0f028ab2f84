"""Git's HEAD, which an experiment that was killed has left without a branch."""

import re
from collections.abc import Iterator
from pathlib import Path

from tools.common import dvc, git

# Git's record of a checkout: its time, and the branch that was left.
CHECKOUT = re.compile(r"HEAD@\{(\d+)\} checkout: moving from (\S+) to ([0-9a-f]+)\n?")
MOST_SECONDS = 5  # from DVC's note of an experiment to its checkout
# What DVC itself changes: its own arguments, and results, some of which it may have removed.
OTHERS = [f":(exclude){path}" for path in (".dvc/tmp", "dvc.lock", "metrics", "plots", "predictions")]


def attach() -> Iterator[str]:
    """Put HEAD back on the branch on which `dvc exp run` began, as DVC does when an experiment ends.

    Files stay as they are. Nothing is done if anything else but that experiment can have moved HEAD, or if
    another worktree or project in the repository may run an experiment.
    """
    if not _is_alone():
        return
    if git.try_run("symbolic-ref", "--quiet", "HEAD") is not None:
        if _resolve(dvc.EXPERIMENT_BASE) is not None:  # DVC would take it for HEAD
            git.run("update-ref", "-d", dvc.EXPERIMENT_BASE)
        return
    branch = _find_branch()
    if branch is None:
        return
    if git.try_run("diff", "--cached", "--quiet", dvc.EXPERIMENT_CHANGES, "--", ".", *OTHERS) is not None:
        git.run("reset", "--quiet")  # DVC has put the same changes into the index as into the files
    git.run("symbolic-ref", "HEAD", f"refs/heads/{branch}")
    yield f"git: is on branch {branch} again, which dvc exp run had left when it was killed"
    if _lacks_changes():
        git.run("stash", "store", "--message", "dvc exp run, killed", dvc.EXPERIMENT_CHANGES)
        yield (
            "git: what was changed before the experiment, and by it, is not in the files any more; git stash "
            "apply brings it back"
        )
    elif git.try_run("diff", "--quiet", "HEAD", "--", "params.yaml") is None:
        yield "params.yaml: has your changes and the values of the experiment, as git diff params.yaml shows"
    git.run("update-ref", "-d", dvc.EXPERIMENT_BASE)


def _find_branch() -> str | None:
    """Return the branch that a killed experiment has left, if nothing has happened in git since."""
    base = _resolve(dvc.EXPERIMENT_BASE)
    note = Path(_ask("rev-parse", "--git-path", dvc.EXPERIMENT_BASE))
    if base is None or not note.exists() or _resolve("HEAD") != base or git.find_next_step() is not None:
        return None
    record = CHECKOUT.fullmatch(
        _ask("log", "-1", "--walk-reflogs", "--date=unix", "--format=%gd %gs", "HEAD")
    )
    if record is None or not base.startswith(record[3]):
        return None
    is_by_experiment = abs(int(record[1]) - note.stat().st_mtime) <= MOST_SECONDS
    return record[2] if is_by_experiment and _resolve(f"refs/heads/{record[2]}") == base else None


def _is_alone() -> bool:
    """Return whether the repository has one worktree, and this project is at its root."""
    lines = _ask("worktree", "list", "--porcelain").splitlines()
    return sum(line.startswith("worktree ") for line in lines) == 1 and not _ask("rev-parse", "--show-prefix")


def _lacks_changes() -> bool:
    """Return whether a file that the experiment has begun with is as committed, though it was changed."""
    changed = _ask("diff", "--name-only", "-z", "HEAD", dvc.EXPERIMENT_CHANGES, "--", ".", *OTHERS).split(
        "\0"
    )
    return any(git.try_run("diff", "--quiet", "HEAD", "--", name) is not None for name in changed if name)


def _resolve(reference: str) -> str | None:
    return _ask("rev-parse", "--quiet", "--verify", reference) or None


def _ask(*arguments: str) -> str:
    """Return what git answers, an empty text if git fails."""
    return (git.try_run(*arguments) or b"").decode(errors="replace").strip()
