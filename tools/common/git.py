"""Git, run in the current folder."""

import os
import re
import subprocess
from pathlib import Path

from stages.common.errors import UserError

# A file or folder in .git while an operation is under way, and the command that ends the operation. A rebase
# comes first, as it may have the file of a cherry-pick, too.
NEXT_STEPS = {
    "rebase-merge": "git rebase --continue",
    "rebase-apply/applying": "git am --continue",
    "rebase-apply": "git rebase --continue",
    "MERGE_HEAD": "git commit",
    "CHERRY_PICK_HEAD": "git cherry-pick --continue",
    "REVERT_HEAD": "git revert --continue",
}
CONFLICT_MARK = re.compile(r"^(<<<<<<<|>>>>>>>) ", re.MULTILINE)  # around two versions of some lines


def run(*arguments: str, **variables: str) -> bytes:
    """Run git, with environment variables added, and return its output.

    Raises:
        UserError: with git's own message, if git fails.
    """
    completed = _run(*arguments, **variables)
    if completed.returncode != 0:
        raise UserError(f"git {arguments[0]}: {completed.stderr.decode(errors='replace').strip()}")
    return completed.stdout


def try_run(*arguments: str) -> bytes | None:
    """Run git for a question whose answer may be no: return its output, or None if git fails."""
    completed = _run(*arguments)
    return completed.stdout if completed.returncode == 0 else None


def clone(commit: str, folder: Path) -> None:
    """Make a repository of a single commit of the current repository in a folder, and check the commit out.

    `git clone` would not do: of a shallow clone, it leaves out commits that no branch has.
    """
    run("init", "--quiet", str(folder))
    serve = "git -c uploadpack.allowAnySHA1InWant=true upload-pack"
    fetch = ("fetch", "--quiet", "--depth=1", f"--upload-pack={serve}", str(Path.cwd()), commit)
    run("-C", str(folder), *fetch)
    run("-C", str(folder), "checkout", "--quiet", "--detach", commit)


def find_next_step() -> str | None:
    """Return the command that ends the operation under way, such as a merge; None if none is."""
    for name, step in NEXT_STEPS.items():
        if Path(run("rev-parse", "--git-path", name).decode().strip()).exists():
            return step
    return None


def _run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["git", *arguments],
            capture_output=True,
            check=False,
            env={**os.environ, **variables},
        )
    except FileNotFoundError:
        raise UserError("git: expected the program to be installed, found no such command") from None
