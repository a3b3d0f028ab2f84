"""The machine and the versions that made a model, for whoever cannot reproduce it."""

import json
import platform
from importlib import metadata
from pathlib import Path

from stages import THREADS
from stages.common import checksums, files

PACKAGES = (
    *("tensorflow", "keras", "h5py", "numpy", "scipy", "scikit-learn", "pandas", "matplotlib", "pillow"),
    "dvc",
)
LINUX_CPU = Path("/proc/cpuinfo")


def describe() -> dict[str, str]:
    """CPU, system, versions and number of threads, by name."""
    return {
        "cpu": cpu(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{package: _version(package) for package in PACKAGES},
        "threads": str(THREADS),
    }


def cpu() -> str:
    """The kind of CPU, down to the instructions that programs choose their kernels by."""
    if not LINUX_CPU.exists():
        return platform.processor() or "unknown"
    lines = (line.partition(":") for line in LINUX_CPU.read_text(encoding="utf-8").splitlines())
    fields = {key.strip(): value.strip() for key, _, value in lines}
    flags = fields.get("flags", "").split()
    vectors = next((flag for flag in ("avx512f", "avx2", "avx") if flag in flags), "no avx")
    model = fields.get("model name", platform.machine())
    kind = f"family {fields.get('cpu family', '?')}, model {fields.get('model', fields.get('CPU part', '?'))}"
    return f"{model}, {kind}, {vectors}"


def record(model: Path, path: Path) -> None:
    """Write where a model was made to a JSON file, with the model's hash.

    Where the file names the same model already, it stays: that machine made it first.
    """
    made = {"model_sha256": checksums.sha256(model)}
    recorded = parse(path.read_bytes() if path.exists() else None)
    if recorded.get("model_sha256") != made["model_sha256"]:
        files.write_text(path, json.dumps({**made, **describe()}, indent=2) + "\n")


def parse(content: bytes | None) -> dict[str, str]:
    """What `record` wrote; empty if there is nothing, or nothing that it could have written."""
    try:
        recorded = json.loads(content or b"{}")
    except ValueError:
        return {}
    whole = isinstance(recorded, dict) and all(isinstance(value, str) for value in recorded.values())
    return recorded if whole else {}


def architecture(system: str) -> str:
    """The kind of processor that programs are compiled for, of a `system` as `describe` gives it."""
    machine = system.rpartition(" ")[2]
    return {"AMD64": "x86_64", "arm64": "aarch64"}.get(machine, machine)  # Windows's and Apple's names


def _version(package: str) -> str:
    for name in (package, f"{package}-cpu"):  # on Linux, the lock file has the CPU build of TensorFlow
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return "not installed"
