"""Git's HEAD, which an experiment that was killed has left without a branch."""

import re
from collections.abc import Iterator

from tools.common import dvc, git

# Git's record of a checkout: the branch that was left.
CHECKOUT = re.compile(r"checkout: moving from (\S+) to ([0-9a-f]{40})\n?")


def attach() -> Iterator[str]:
    """Put HEAD back on the branch on which `dvc exp run` began, as DVC does when an experiment ends.

    Files stay as they are. Nothing is done unless HEAD is where DVC has put it.
    """
    base = _resolve(dvc.EXPERIMENT_BASE)
    if base is None:
        return
    if git.try_run("symbolic-ref", "--quiet", "HEAD") is None and _resolve("HEAD") == base:
        branch = _find_branch(base)
        if branch is None:
            yield (
                f"git: HEAD is on no branch, at {base:.7}, where dvc exp run was killed; go back with "
                "git switch BRANCH"
            )
            return
        git.run("symbolic-ref", "HEAD", f"refs/heads/{branch}")
        git.run("reset", "--quiet")  # of the index, where DVC has put what the experiment changes
        yield f"git: is on branch {branch} again, which dvc exp run had left when it was killed"
        yield from _tell_changes()
    git.run("update-ref", "-d", dvc.EXPERIMENT_BASE)


def _tell_changes() -> Iterator[str]:
    """Say where the changes of the experiment are."""
    if git.try_run("diff", "--quiet", "HEAD", "--", "params.yaml") is None:
        yield (
            "params.yaml: has the values of the experiment, as git diff params.yaml shows; git checkout "
            "params.yaml brings back the committed ones"
        )
    elif _resolve(dvc.EXPERIMENT_CHANGES) is not None:
        yield (
            "params.yaml: is as committed; what was changed before the experiment and by it comes back with "
            f"git stash apply {dvc.EXPERIMENT_CHANGES}"
        )


def _find_branch(commit: str) -> str | None:
    """Return the branch that was left by the last checkout, if the branch still is at a commit."""
    record = git.try_run("log", "-1", "--walk-reflogs", "--format=%gs", "HEAD") or b""
    match = CHECKOUT.fullmatch(record.decode(errors="replace"))
    if match is None or match[2] != commit or _resolve(f"refs/heads/{match[1]}") != commit:
        return None
    return match[1]


def _resolve(reference: str) -> str | None:
    output = git.try_run("rev-parse", "--quiet", "--verify", reference)
    return None if output is None else output.decode().strip()
