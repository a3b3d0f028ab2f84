"""The versions of packages in versions.yaml, which dvc.yaml names as parameters, and the installed ones."""

from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from stages.common.errors import UserError
from stages.common.params_file import read_yaml

FILE = Path("versions.yaml")


def installed_version(package: str) -> str | None:
    """Return the version of an installed package, or None.

    On Linux, the lock file has the build of TensorFlow for CPUs alone, tensorflow-cpu.
    """
    for name in (package, f"{package}-cpu"):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None


def check(packages: Iterable[str]) -> None:
    """Compare the versions in versions.yaml with the installed ones.

    DVC records the former as what a result was made with, so they must be true.

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
        f"{package}: expected {expected.get(package, 'a version')}, "
        f"found {installed_version(package)} installed"
        for package in packages
        if expected.get(package) != installed_version(package)
    ]
    if differing:
        raise UserError(f"{FILE}: {'; '.join(differing)}; run make install, or make lock to upgrade")
