"""Git, run in the current folder."""

import os
import subprocess
from pathlib import Path

from stages.common.errors import UserError


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
    """Clone the current repository into a folder, with a commit checked out; no object is copied."""
    run("clone", "--quiet", "--shared", "--no-checkout", ".", str(folder))
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
