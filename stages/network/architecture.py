"""Description of what a network's bits depend on besides parameters, data, code and packages: the machine."""

import platform

from stages.common import runtime
from stages.common.backend import tf
from stages.common.processor import describe_caches, describe_processor

# Linux's name of an architecture by the name on Windows or on a Mac.
LINUX_NAMES = {"AMD64": "x86_64", "arm64": "aarch64"}


def describe_architecture() -> str:
    """Return the architecture of this machine, such as x86_64: portable computation depends on no more.

    Native computation does, on what follows after commas: the processor, its caches, the number of threads,
    and graphics cards.
    """
    machine = platform.machine()
    architecture = LINUX_NAMES.get(machine, machine)
    if runtime.chosen_computation() == "portable":
        return architecture
    cards = [
        tf.config.experimental.get_device_details(card).get("device_name", "a graphics card")
        for card in tf.config.list_physical_devices("GPU")
    ]
    threads = f"{runtime.count_threads()} threads"
    return ", ".join([architecture, "native", describe_processor(), describe_caches(), threads, *cards])
