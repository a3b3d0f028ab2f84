"""The program that a training runs: code and packages, which all workers of a cluster must share."""

import json
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from stages.common import checksums

PACKAGES = (
    "h5py",
    "keras",
    "numpy",
    "optuna",
    "pandas",
    "scikit-learn",
    "scipy",
    "tensorflow-cpu",
    "tensorflow",
)


def describe_program(code: Sequence[str]) -> str:
    """Return the checksums of code and the versions of the packages of a training, as JSON.

    Args:
        code: patterns of its files, in the current folder.
    """
    files = sorted(file for pattern in code for file in Path().glob(pattern))
    versions = {
        package.name: package.version for package in metadata.distributions() if package.name in PACKAGES
    }
    return json.dumps(
        [[(file.as_posix(), checksums.sha256(file)) for file in files], sorted(versions.items())]
    )
