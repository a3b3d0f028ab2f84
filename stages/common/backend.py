"""TensorFlow and Keras, imported with the kernels and threads of `runtime`.

Every other module takes them from here: `from stages.common.backend import keras, tf`.

Raises:
    ImportError: if TensorFlow or Keras was imported before, with other kernels.
"""

import gc
import sys

from stages.common import runtime

if imported_before := [name for name in ("tensorflow", "keras") if name in sys.modules]:
    raise ImportError(
        f"stages: expected to be imported before {imported_before[0]}, since it sets TensorFlow's kernels "
        f"and threads, found {imported_before[0]} imported already; in a fresh interpreter, import "
        "stages.common.backend first"
    )
runtime.set_variables()
# Keras imports these for wrappers and plots that nothing here uses, and does without where they are missing.
unwanted = {"sklearn", "matplotlib"} - sys.modules.keys()
# TensorFlow's import makes a million objects, none of them garbage. Python would search all of them again and
# again, for a second of the four that the import takes, and after it in every collection.
gc_was_enabled = gc.isenabled()
gc.disable()
sys.modules.update(dict.fromkeys(unwanted))  # type: ignore[arg-type] # None says that there is no such module
try:
    import keras
    import tensorflow as tf
finally:
    for name in unwanted:
        del sys.modules[name]
    gc.freeze()
    if gc_was_enabled:
        gc.enable()

__all__ = ["keras", "tf"]
