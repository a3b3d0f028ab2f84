"""Measurements of the project; they judge nothing, and no test runs them for time."""

import stages  # noqa: F401 - before anything imports TensorFlow, whose kernels and threads it fixes
