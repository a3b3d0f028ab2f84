"""The programs that this package runs."""

import os
import subprocess
import sys
from pathlib import Path

from stages.common.errors import UserError


def git(*arguments: str, **variables: str) -> bytes:
    """Run git in the current folder, with environment variables added, and return what it prints.

    Raises:
        UserError: with what git says, if it fails.
    """
    done = _git(*arguments, **variables)
    if done.returncode != 0:
        raise UserError(f"git {arguments[0]}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def try_git(*arguments: str) -> bytes | None:
    """The same for a question whose answer may be no: None if git fails."""
    done = _git(*arguments)
    return done.stdout if done.returncode == 0 else None


def _git(*arguments: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["git", *arguments],
            capture_output=True,
            check=False,
            env={**os.environ, **variables},
        )
    except FileNotFoundError:
        raise UserError("git: expected the program to be installed, found no such command") from None


def dvc(*arguments: str, folder: Path = Path()) -> str:
    """Run DVC of this environment in a folder and return what it prints.

    Raises:
        UserError: with what DVC says, if it fails.
    """
    # The stages' commands start with `python`, which must be this one.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": path},
    )
    if done.returncode != 0:
        raise UserError(f"dvc {' '.join(arguments[:2])}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
