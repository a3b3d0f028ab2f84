"""The versions of packages in versions.yaml, which dvc.yaml names as parameters, and the installed ones."""

from __future__ import annotations  # an older Python, too, is to say what it is

import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from stages.common.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

OLDEST_PYTHON = (3, 11)
OWN_PACKAGES = ("stages", "tools")
FILE = Path("versions.yaml")


def installed_version(package: str) -> str | None:
    """Return the version of an installed package, or None."""
    for name in (package, f"{package}-cpu"):  # on Linux, requirements.lock has tensorflow as tensorflow-cpu
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None


def check_versions(packages: Iterable[str]) -> None:
    """Compare the versions in versions.yaml with the installed versions.

    DVC records the versions in the file with each result, so they must be the installed versions.

    Raises:
        UserError: naming each package of another version than is installed.
    """
    from stages.common.params_file import read_yaml  # noqa: PLC0415 - needs packages, which may be missing

    packages = tuple(packages)
    if not packages:
        return
    expected = read_yaml(FILE)
    if not isinstance(expected, dict):
        raise UserError(f"{FILE}: expected a mapping of packages to versions, found {expected!r:.80}")
    differing = [
        f"{package}: expected {expected.get(package, 'an entry in the file')}, "
        f"found {installed_version(package) or 'no version'} installed"
        for package in packages
        if expected.get(package) != installed_version(package)
    ]
    if differing:
        raise UserError(f"{FILE}: {'; '.join(differing)}; run make install, or make lock to upgrade")


def explain_missing_packages() -> None:
    """Let a program that lacks a package, or runs in another Python, end with one line and exit code 2.

    To be called before packages are imported. Without an activated environment, .venv/bin/dvc has whatever
    Python is first on the PATH run the stages.
    """
    sys.excepthook = _report


def _report(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    name = (getattr(error, "name", None) or "").partition(".")[0]
    if sys.version_info < OLDEST_PYTHON:
        found = f"Python {sys.version_info[0]}.{sys.version_info[1]}, too old for this project"
    elif isinstance(error, ModuleNotFoundError) and name not in OWN_PACKAGES:
        found = f"no package {name}"
    else:
        sys.__excepthook__(kind, error, traceback)
        return
    print(
        f"error: {sys.executable}: expected the Python of this project's .venv, with all its packages, "
        f"found {found}; activate it (. .venv/bin/activate), use make, or mend it: make install",
        file=sys.stderr,
    )
    raise SystemExit(2)
