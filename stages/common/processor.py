"""Description of the processor that this program runs on."""

import platform
from pathlib import Path

LINUX_CPU = Path("/proc/cpuinfo")
LINUX_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")


def describe_processor() -> str:
    """Describe the processor, down to the instructions by which programs choose their kernels."""
    if not LINUX_CPU.exists():
        return platform.processor() or "unknown"
    lines = (line.partition(":") for line in LINUX_CPU.read_text(encoding="utf-8").splitlines())
    fields = {key.strip(): value.strip() for key, _, value in lines}
    flags = fields.get("flags", "").split()
    vectors = next((flag for flag in ("avx512f", "avx2", "avx") if flag in flags), "no avx")
    name = fields.get("model name", platform.machine())
    family, model = fields.get("cpu family", "?"), fields.get("model", fields.get("CPU part", "?"))
    return f"{name}, family {family}, model {model}, {vectors}"


def describe_caches() -> str:
    """Describe the sizes of the processor's caches, by which programs cut their sums, such as 32K 1024K."""
    sizes = [file.read_text(encoding="utf-8").strip() for file in sorted(LINUX_CACHES.glob("index*/size"))]
    return f"caches {' '.join(sizes) or 'unknown'}"
