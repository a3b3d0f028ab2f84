"""The way TensorFlow computes: threads and kernels that give the same bits on every x86-64 processor."""

import os

# With one thread, Eigen cuts its sums by the size of the L1 cache, which differs between processors. With
# more, it cuts them by the number of threads. So that number is a constant, and more than one;
# docs/reproducibility.md has the measurements.
THREADS = 2

# Set, not defaulted: a variable left over in a shell must not change a result.
VARIABLES = {
    "TF_NUM_INTRAOP_THREADS": str(THREADS),
    "TF_NUM_INTEROP_THREADS": str(THREADS),
    # oneDNN's kernels round differently from one generation of processors to the next; Eigen's do not.
    # The second switch takes oneDNN out of Eigen's products, too.
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "TENSORFLOW_USE_CUSTOM_CONTRACTION_KERNEL": "0",
    # Refuse operations with results that depend on timing.
    "TF_DETERMINISTIC_OPS": "1",
    # A graphics card would round differently again, and these networks do not need one.
    "CUDA_VISIBLE_DEVICES": "-1",
    # The Keras configuration in a home directory may name another backend or another type of weights.
    "KERAS_BACKEND": "tensorflow",
    "KERAS_HOME": os.devnull,
    # TensorFlow's errors reach Python as exceptions; its own log only adds notices about the hardware.
    "TF_CPP_MIN_LOG_LEVEL": "3",
}
# These compile another way, or stop a training early.
REMOVED_VARIABLES = ("TF_XLA_FLAGS", "XLA_FLAGS", "KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH")


def set_variables() -> None:
    """Set the environment variables that TensorFlow and Keras read when they are imported."""
    os.environ.update(VARIABLES)
    for name in REMOVED_VARIABLES:
        os.environ.pop(name, None)
