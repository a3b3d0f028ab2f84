"""The pipeline: fetch, preprocess, train and evaluate."""

import signal
import sys

# python -m stages and python -m tools.NAME import this first, tests and notebooks under another name. Until
# stages.common.command.finish, Ctrl-C ends a command at once, without a traceback of the imports.
if sys.argv[0] == "-m" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
