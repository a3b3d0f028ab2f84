"""The stages of the pipeline, and the one place that fixes how TensorFlow computes.

Python runs this file before any module of the package, so before TensorFlow reads these
variables. They are set, not defaulted: a variable left over in a shell must not change a result.
"""

import gc
import os

# Floating-point sums depend on how they are cut. With one thread Eigen cuts products by the size of the L1
# cache, which differs between processors; with more, by the number of threads. So that is a constant, not
# the number of cores, and more than one; docs/reproducibility.md has what was measured.
THREADS = 2

os.environ.update(
    TF_NUM_INTRAOP_THREADS=str(THREADS),
    TF_NUM_INTEROP_THREADS=str(THREADS),
    # oneDNN's kernels round differently from one generation of processors to the next, Eigen's do not.
    # The second switch takes oneDNN out of Eigen's products, too.
    TF_ENABLE_ONEDNN_OPTS="0",
    TENSORFLOW_USE_CUSTOM_CONTRACTION_KERNEL="0",
    # Refuse operations whose result depends on timing.
    TF_DETERMINISTIC_OPS="1",
    # A graphics card would round differently again, and these networks do not need one.
    CUDA_VISIBLE_DEVICES="-1",
    # The Keras configuration in a home directory may name another backend or another type of weights.
    KERAS_BACKEND="tensorflow",
    KERAS_HOME=os.devnull,
    # TensorFlow's errors reach Python as exceptions; its own log only adds notices about the hardware.
    TF_CPP_MIN_LOG_LEVEL="3",
)
# These compile another way, or stop a training early.
for name in ("TF_XLA_FLAGS", "XLA_FLAGS", "KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH"):
    os.environ.pop(name, None)

# TensorFlow's import makes a million objects, none of them garbage. Python would look through all of them
# again and again meanwhile, for a second of the four that the import takes.
gc.set_threshold(100_000)
