"""The machine and the versions that produced a result, for whoever cannot reproduce it."""

import json
import platform
from importlib import metadata
from pathlib import Path

from stages import THREADS

PACKAGES = ("tensorflow", "keras", "numpy", "scikit-learn", "dvc")
LINUX_CPU = Path("/proc/cpuinfo")


def describe() -> dict[str, str]:
    """CPU, system, versions and number of threads, by name; not Python's version, which changes no bit."""
    return {
        "cpu": cpu(),
        "system": f"{platform.system()} {platform.machine()}",
        **{package: _version(package) for package in PACKAGES},
        "threads": str(THREADS),
    }


def cpu() -> str:
    """The kind of CPU: results are promised to be the same, to the bit, where this is the same."""
    if not LINUX_CPU.exists():
        return platform.processor() or "unknown"
    lines = (line.partition(":") for line in LINUX_CPU.read_text(encoding="utf-8").splitlines())
    fields = {key.strip(): value.strip() for key, _, value in lines}
    flags = fields.get("flags", "").split()
    vectors = next((flag for flag in ("avx512f", "avx2", "avx") if flag in flags), "no avx")
    model = fields.get("model name", platform.machine())
    kind = f"family {fields.get('cpu family', '?')}, model {fields.get('model', fields.get('CPU part', '?'))}"
    return f"{model}, {kind}, {vectors}"


def to_json() -> str:
    """`describe` as the text of a JSON file."""
    return json.dumps(describe(), indent=2) + "\n"


def _version(package: str) -> str:
    for name in (package, f"{package}-cpu"):  # on Linux, the lock file has the CPU build of TensorFlow
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return "not installed"
