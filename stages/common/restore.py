"""Outputs that DVC has removed before a stage failed, brought back from DVC's cache and from git."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

TIMEOUT_SECONDS = 120.0


def restore(cached: Sequence[Path], tracked: Sequence[Path]) -> None:
    """Bring outputs back as they were recorded last; those that were never recorded stay away.

    DVC removes outputs before it runs their stage, unless they persist; a mistake in a parameter would cost
    the network that was there.

    Args:
        cached: outputs in DVC's cache.
        tracked: outputs in git, which a stage that fails may have begun to write.
    """
    if missing := [str(path) for path in cached if not path.exists()]:
        _run(sys.executable, "-m", "dvc", "checkout", "--quiet", *missing)
    for path in tracked:
        _run("git", "checkout", "--quiet", "--", str(path))


def _run(*command: str) -> None:
    """Run a command for what it can do; what it cannot is no reason to hide the stage's own error."""
    try:
        subprocess.run(command, capture_output=True, check=False, timeout=TIMEOUT_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return
