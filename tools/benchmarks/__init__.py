"""Measurements of the project; they judge nothing, and no test runs them for time."""

import os

# As it is before `stages` fixes threads and kernels: what is compared with must be free to choose its own.
ENVIRONMENT = dict(os.environ)
