"""Remedies for a file that is missing."""

import configparser
from pathlib import Path

# DVC's settings of the project, and of this clone alone.
CONFIGURATIONS = (Path(".dvc/config"), Path(".dvc/config.local"))


def get_or_make(stage: str = "") -> str:
    """Return how to get an output: by running its stage, or from the default remote, if DVC has one here."""
    settings = configparser.ConfigParser(strict=False, interpolation=None)
    try:
        settings.read(CONFIGURATIONS, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError):  # DVC itself will say so
        settings.clear()
    run = f"dvc repro {stage}".rstrip()
    return f"run dvc pull, or {run}" if settings.has_option("core", "remote") else f"run {run}"
