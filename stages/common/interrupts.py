"""Interrupts: Ctrl-C and SIGTERM, which Python alone answers only between two calls into TensorFlow."""

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

GRACE_SECONDS = 0.5  # for Python's own answer, which also removes unfinished writes
NUMBERS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def answer_soon() -> Iterator[None]:
    """Let an interrupt end the process within a second, while the block runs in the main thread.

    An epoch of a training is a single call into TensorFlow, and takes up to a quarter of a minute. The exit
    code is that which a shell reports.
    """
    receiver, sender = socket.socketpair()
    sender.setblocking(False)
    earlier = signal.set_wakeup_fd(sender.fileno())  # gets a byte for each signal, at once
    has_ended = threading.Event()

    def watch() -> None:
        with receiver:
            while numbers := receiver.recv(1):
                if numbers[0] in NUMBERS and not has_ended.wait(GRACE_SECONDS):
                    try:
                        sys.stdout.flush()
                    finally:
                        os._exit(128 + numbers[0])

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        has_ended.set()
        signal.set_wakeup_fd(earlier)
        sender.close()
        watcher.join()
