"""The lines that DVC prints while it runs stages."""

import re

STARTED = re.compile(r"Running stage '(.+)':")


def find_started_stage(line: str) -> str | None:
    """Return the name of the stage that DVC says to begin with, or None if a line says something else."""
    match = STARTED.match(line)
    return match[1] if match else None
