"""TensorFlow and Keras, imported with the kernels and threads of `runtime`.

Every other module takes them from here: `from stages.common.backend import keras, tf`.

Raises:
    ImportError: if TensorFlow or Keras was imported before, with other kernels.
"""

import gc
import sys

from stages.common import runtime

if early := [name for name in ("tensorflow", "keras") if name in sys.modules]:
    raise ImportError(
        f"stages: expected to be imported before {early[0]}, since it sets TensorFlow's kernels and threads, "
        f"found {early[0]} imported already; in a fresh interpreter, import stages.common.backend first"
    )
runtime.set_variables()
# TensorFlow's import makes a million objects, none of them garbage. Python would search all of them again and
# again, for a second of the four that the import takes, and after it in every collection.
collecting = gc.isenabled()
gc.disable()
try:
    import keras
    import tensorflow as tf
finally:
    gc.freeze()
    if collecting:
        gc.enable()

__all__ = ["keras", "tf"]
