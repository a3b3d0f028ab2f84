"""Commands of the project: their arguments, errors, signals and exit codes."""

import gc
import os
import signal
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from io import TextIOWrapper
from typing import NoReturn

from stages.common.addresses import hide_secrets
from stages.common.errors import UserError

# What a shell reports for a command that a signal ended: SIGINT is Ctrl-C.
SIGINT_EXIT_CODE, SIGPIPE_EXIT_CODE, SIGTERM_EXIT_CODE = 130, 141, 143
RED, PLAIN = "\x1b[31m", "\x1b[0m"
MOST_ERROR_CHARACTERS = 2000  # a quoted value may be as long as a file


class Parser(ArgumentParser):
    """A parser of arguments that reports a mistake in one line, with exit code 2."""

    def error(self, message: str) -> NoReturn:
        """Report a wrong argument, without the usage, which --help shows."""
        fail(f"{message}; {self.prog} --help lists the arguments")


def number_from(least: int) -> Callable[[str], int]:
    """Return the type of an argument that is a whole number from `least`."""

    def read(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise ArgumentTypeError(f"expected a number from {least}, found {text!r}")
        return int(text)

    return read


def finish(action: Callable[[], int | None]) -> NoReturn:
    """Call an action and exit with the code that it returns; None is 0.

    After a `UserError`, or an `OSError` such as a full disk, the code is 2, and the error is one line on
    stderr, without a traceback.
    """
    # SIGTERM and SIGINT become exceptions, so that unfinished writes are removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(SIGTERM_EXIT_CODE))
    is_started_alone = signal.getsignal(signal.SIGINT) is signal.SIG_DFL  # by stages/__init__.py
    if is_started_alone:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if isinstance(sys.stdout, TextIOWrapper):  # a file's name may have bytes that stdout cannot encode
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = action()
        sys.stdout.flush()
        sys.exit(code)
    except BrokenPipeError:  # whoever reads the output, such as `head`, has enough of it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(SIGPIPE_EXIT_CODE)
    except (UserError, OSError) as error:
        fail(str(error))
    except KeyboardInterrupt:
        sys.exit(SIGINT_EXIT_CODE)
    finally:
        if is_started_alone:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # no traceback of the end of the process, either
        gc.freeze()  # the end of the process would look through all of TensorFlow for garbage, for a second


def fail(message: str) -> NoReturn:
    """Print an error in one line on stderr, without control characters, and exit with 2."""
    line = hide_secrets(" ".join(message.split()))
    if len(line) > MOST_ERROR_CHARACTERS:
        line = f"{line[:MOST_ERROR_CHARACTERS]}..."
    printable = "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)
    in_colour = sys.stderr.isatty() and not os.environ.get("NO_COLOR")  # https://no-color.org
    print(f"{RED}error:{PLAIN}" if in_colour else "error:", printable, file=sys.stderr)
    sys.exit(2)
