"""Tools that people run beside the pipeline; no stage imports them."""

import logging
import sys

from stages.common import packages

if sys.argv[0] == "-m":  # python -m tools.NAME, which imports this first; not a test or a notebook
    packages.explain_missing_packages()
# Of a home directory that cannot be written to; Matplotlib's cache is then a temporary folder, which will do.
logging.getLogger("matplotlib").setLevel(logging.ERROR)
