"""A command of the project: its errors, its signals and its exit code."""

import argparse
import signal
import sys
from collections.abc import Callable

from stages.errors import UserError


def run(main: Callable[[str], None]) -> None:
    """Run a stage on the data set that the command line names, `python -m stages.NAME DATASET`, and exit."""
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.add_argument("dataset", help="a key under `datasets:` in params.yaml")
    dataset = parser.parse_args().dataset
    finish(lambda: main(dataset))


def finish(action: Callable[[], int | None]) -> None:
    """Do something and exit with the code that it returns, None being 0.

    After a mistake that the user can mend, a `UserError` or an `OSError` such as a full disk, the code
    is 2. Those become one line on stderr, without a traceback.
    """
    # As an exception, so that what is half-written is taken away.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(action())
    except (UserError, OSError) as error:
        print("error:", " ".join(str(error).split()), file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)  # what a shell reports for a command stopped by Ctrl-C
