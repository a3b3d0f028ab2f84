"""Check of the environment for packages of requirements.lock that are gone, without a package of its own."""

import re
import sys
from importlib import metadata
from pathlib import Path

LOCK_FILE = Path("requirements.lock")
# A line of the lock file: a name, a version, and after a semicolon the systems that need the package.
LOCKED = re.compile(r"^([\w.-]+)==([^\s;]+)(?: ; (.*?))?(?: \\)?$", re.MULTILINE)
MOST_NAMES = 3  # in the message


def find_missing(lock: str) -> list[str]:
    """Return the packages of a lock file that are not installed in its version, or of which a part is gone.

    A part is a module or a folder.

    Returns:
        Names with versions, such as `numpy 2.4.6`.
    """
    missing = []
    for name, version, marker in LOCKED.findall(lock):
        if marker and not _is_for_this_system(marker):
            continue
        package = f"{name} {version}"
        distribution = _find(name) or _find(name.removesuffix("-cpu"))  # as after make install CUDA=1
        if distribution is None or distribution.version != version:
            missing.append(package)
            continue
        record = distribution.read_text("RECORD") or ""
        tops = {line.partition(",")[0].partition("/")[0] for line in record.splitlines()} - {"..", ""}
        if not all(Path(str(distribution.locate_file(top))).exists() for top in tops):
            missing.append(package)
    return missing


def _find(name: str) -> metadata.Distribution | None:
    try:
        return metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None


def _is_for_this_system(marker: str) -> bool:
    try:
        from packaging.markers import Marker  # noqa: PLC0415 - may be what is missing
    except ImportError:
        return False  # packaging itself is among the missing
    return Marker(marker).evaluate()


def main() -> int:
    """Print a line if a package is missing; return the exit code."""
    missing = find_missing(LOCK_FILE.read_text(encoding="utf-8"))
    if not missing:
        return 0
    names = ", ".join(missing[:MOST_NAMES])
    more = f" and {len(missing) - MOST_NAMES} more" if len(missing) > MOST_NAMES else ""
    print(
        f"error: {sys.prefix}: expected the packages of {LOCK_FILE}, found no {names}{more}; "
        "mend it: make install",
        file=sys.stderr,
    )
    return 2


if __name__ == "__main__":
    sys.exit(main())
