"""A command of the project: its errors, its signals and its exit code."""

import gc
import os
import signal
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from io import TextIOWrapper
from typing import NoReturn

from stages.common.errors import UserError

STOPPED = 143  # what a shell reports for a command that SIGTERM ended
RED, PLAIN = "\x1b[31m", "\x1b[0m"
LONGEST = 2000  # characters of an error: what an error quotes may be as long as a file


class Parser(ArgumentParser):
    """A parser whose errors are those of a user: one line, code 2."""

    def error(self, message: str) -> NoReturn:
        """Report a wrong argument, without the usage that --help shows."""
        fail(f"{message}; {self.prog} --help lists what there is")


def whole_number(least: int) -> Callable[[str], int]:
    """The type of an argument that is a number from `least`."""

    def read(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise ArgumentTypeError(f"expected a number from {least}, found {text!r}")
        return int(text)

    return read


def finish(action: Callable[[], int | None]) -> NoReturn:
    """Do something and exit with the code that it returns, None being 0.

    After a mistake that the user can mend, a `UserError` or an `OSError` such as a full disk, the code
    is 2. Those become one line on stderr, without a traceback.
    """
    # As an exception, so that what is half-written is taken away.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(STOPPED))
    if isinstance(sys.stdout, TextIOWrapper):  # names of files need not be text
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        sys.exit(action())
    except (UserError, OSError) as error:
        fail(str(error))
    except KeyboardInterrupt:
        sys.exit(130)  # what a shell reports for a command stopped by Ctrl-C
    finally:
        gc.freeze()  # the end of the process would look through all of TensorFlow for garbage, for a second


def fail(message: str) -> NoReturn:
    """Print one line on stderr, of characters that no terminal takes for commands, and exit with 2."""
    line = " ".join(message.split())
    if len(line) > LONGEST:
        line = f"{line[:LONGEST]}..."
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)
    in_colour = sys.stderr.isatty() and not os.environ.get("NO_COLOR")  # https://no-color.org
    print(f"{RED}error:{PLAIN}" if in_colour else "error:", shown, file=sys.stderr)
    sys.exit(2)
