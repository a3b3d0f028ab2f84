"""Programs that this project starts, and the interrupts that are theirs to answer."""

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

import psutil


def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[Any]:
    """Run a program to its end, as `subprocess.run` does, but leave interrupts to the program.

    `subprocess.run` kills a program a quarter of a second after Ctrl-C, which is too early for a DVC that has
    yet to bring git back to its branch. Here, Ctrl-C reaches the program as it comes from the terminal, and
    SIGTERM is passed on as Ctrl-C.

    Args:
        command: the program and its arguments.
        options: further arguments of `subprocess.run`.

    Raises:
        KeyboardInterrupt: after Ctrl-C, once the program has ended.
        SystemExit: likewise, after SIGTERM.
    """
    with postpone_interrupts():
        return subprocess.run(command, check=False, **options)


@contextmanager
def postpone_interrupts() -> Iterator[None]:
    """Delay interrupts until the block has ended; programs that it has started get them at once."""
    if threading.current_thread() is not threading.main_thread():  # no other thread gets signals
        yield
        return
    signals: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        signals.append(number)
        if number == signal.SIGTERM or not _is_in_foreground():  # else the terminal tells them, too
            for process in psutil.Process().children(recursive=True):
                with suppress(psutil.Error):
                    process.send_signal(signal.SIGINT)

    earlier = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number, handler in earlier.items():
        # A program in the background ignores Ctrl-C, and so do those that it starts.
        if handler not in (signal.SIG_IGN, None):
            signal.signal(number, note)
    try:
        yield
    finally:
        for number, handler in earlier.items():
            if handler is not None:
                signal.signal(number, handler)
        if signals:
            signal.raise_signal(signals[0])


def _is_in_foreground() -> bool:
    """Return whether Ctrl-C in a terminal reaches this process and those that it has started."""
    if os.name != "posix":
        return True
    try:
        terminal = os.open("/dev/tty", os.O_RDWR)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
