"""The function that a Dask worker calls: it chooses how TensorFlow computes before anything imports it."""

import ctypes
import importlib
import os
import sys
from typing import Any

from stages.common import runtime
from stages.common.errors import UserError
from stages.common.runtime import Computation

# Parameters of glibc's mallopt, and the bytes of a block that its own rule for large ones reaches at most.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGEST_THRESHOLD = 2**25


def call(computation: Computation, module: str, function: str, *arguments: Any) -> Any:
    """Import a function, call it, and return what it returns, or the UserError that it raises.

    Dask would show the traceback of an error.

    Args:
        computation: in which the function trains.
        module: its full name.
        function: the name of the function in it.
        arguments: of the function.
    """
    _keep_freed_memory()
    try:
        runtime.choose(computation)  # an error, if this worker has computed in another way before
        return getattr(importlib.import_module(module), function)(*arguments)
    except UserError as error:
        return error


def _keep_freed_memory() -> None:
    """Let freed memory be used again, where Dask has told glibc to give it back to the system at once.

    Each tensor would get new pages from the system, and a training of a dense network take twice as long.
    """
    # Dask's nanny sets the variable on every system; CDLL(None) is an error on Windows.
    if sys.platform == "linux" and "MALLOC_TRIM_THRESHOLD_" in os.environ:
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
        if mallopt is not None:
            mallopt(M_MMAP_THRESHOLD, LARGEST_THRESHOLD)
            mallopt(M_TRIM_THRESHOLD, 2 * LARGEST_THRESHOLD)
