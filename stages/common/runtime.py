"""The way TensorFlow computes: with bits that travel between processors, or with all of the machine."""

import os
import sys
from functools import cache
from typing import Literal

from stages.common.errors import UserError

# `portable` gives the same bits on every x86-64 processor; `native` is faster, above all in convolutions, and
# gives the same bits on the same kind of processor with as many threads. Only train can be native.
Computation = Literal["portable", "native"]

# With one thread, Eigen cuts its sums by the size of the L1 cache, which differs between processors. With
# more, it cuts them by the number of threads. So that number is a constant, and more than one;
# docs/reproducibility.md has the measurements.
THREADS = 2
ONE_DNN, ONE_DNN_PRODUCTS = "TF_ENABLE_ONEDNN_OPTS", "TENSORFLOW_USE_CUSTOM_CONTRACTION_KERNEL"
GRAPHICS_CARDS, NO_GRAPHICS_CARD = "CUDA_VISIBLE_DEVICES", "-1"

# Set, not defaulted: a variable left over in a shell must not change a result.
VARIABLES = {
    # Refuse operations with results that depend on timing.
    "TF_DETERMINISTIC_OPS": "1",
    # The Keras configuration in a home directory may name another backend or another type of weights.
    "KERAS_BACKEND": "tensorflow",
    "KERAS_HOME": os.devnull,
    # TensorFlow's errors reach Python as exceptions; its own log only adds notices about the hardware.
    "TF_CPP_MIN_LOG_LEVEL": "3",
}
PORTABLE_VARIABLES = {
    # oneDNN's kernels round differently from one generation of processors to the next; Eigen's do not.
    # The second switch takes oneDNN out of Eigen's products, too.
    ONE_DNN: "0",
    ONE_DNN_PRODUCTS: "0",
    # A graphics card would round differently again.
    GRAPHICS_CARDS: NO_GRAPHICS_CARD,
}
NATIVE_VARIABLES = {ONE_DNN: "1", ONE_DNN_PRODUCTS: "1"}
# These compile another way, choose other kernels or less precise ones, or stop a training early.
REMOVED_VARIABLES = (
    *("TF_XLA_FLAGS", "XLA_FLAGS", "KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH", "NVIDIA_TF32_OVERRIDE"),
    *("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "ONEDNN_CPU_ISA_HINTS", "DNNL_CPU_ISA_HINTS"),
    *("ONEDNN_DEFAULT_FPMATH_MODE", "DNNL_DEFAULT_FPMATH_MODE"),
)
MOST_THREADS = "LOKY_MAX_CPU_COUNT"  # a variable that joblib reads

_chosen: Computation = "portable"


def choose(computation: Computation) -> None:
    """Choose how the TensorFlow of this process computes, before anything imports it.

    Raises:
        UserError: if TensorFlow has been imported to compute in another way.
    """
    global _chosen  # noqa: PLW0603 - TensorFlow reads its variables once for a process, too
    if computation != _chosen and "tensorflow" in sys.modules:
        raise UserError(
            f"params.yaml: computation: expected {_chosen}, in which way TensorFlow computes in this process "
            f"already, found {computation}; start another process for it, such as a new worker"
        )
    _chosen = computation


def chosen_computation() -> Computation:
    """Return how TensorFlow computes in this process."""
    return _chosen


def count_threads() -> int:
    """Return the number of TensorFlow's threads: in native computation, that of the processors it may use.

    Raises:
        UserError: if the variable that limits it is no number.
    """
    return THREADS if _chosen == "portable" else _count_processors()


@cache  # since the number may change, but not that of the threads
def _count_processors() -> int:
    from joblib import cpu_count  # noqa: PLC0415 - takes 0.15 s, which portable computation saves

    try:
        return int(cpu_count())
    except ValueError:
        found = os.environ.get(MOST_THREADS)
        raise UserError(
            f"{MOST_THREADS}: expected a number of processors, found {found!r}; correct the variable"
        ) from None


def set_variables() -> None:
    """Set the environment variables that TensorFlow and Keras read when they are imported."""
    os.environ.update(VARIABLES)
    if os.environ.get(GRAPHICS_CARDS) == NO_GRAPHICS_CARD:  # as from a portable process that started this one
        del os.environ[GRAPHICS_CARDS]
    os.environ.update(PORTABLE_VARIABLES if _chosen == "portable" else NATIVE_VARIABLES)
    for kind in ("INTRAOP", "INTEROP"):
        os.environ[f"TF_NUM_{kind}_THREADS"] = str(count_threads())
    for name in REMOVED_VARIABLES:
        os.environ.pop(name, None)
