"""Git, run in the current folder."""

import os
import re
import subprocess
from pathlib import Path

from stages.common.errors import UserError

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
