"""The versions of packages in versions.yaml, which dvc.yaml names as parameters, and the installed ones."""

from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from stages.common.errors import UserError
from stages.common.params_file import read_yaml

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
