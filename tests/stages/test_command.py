"""The output of a command: red in a terminal, plain elsewhere."""

import os
import pty
import subprocess
import sys

import pytest
from helpers import ROOT, environment

WRONG = [sys.executable, "-m", "stages", "fetch", "no-such-set"]


@pytest.mark.parametrize(("no_color", "begins"), [(None, "\x1b[31merror:\x1b[0m "), ("1", "error: ")])
def test_an_error_in_a_terminal_is_red_unless_no_color_is_set(no_color: str | None, begins: str) -> None:
    terminal, inside = pty.openpty()
    done = subprocess.run(WRONG, cwd=ROOT, env=environment(NO_COLOR=no_color), stderr=inside, check=False)
    os.close(inside)
    assert done.returncode == 2
    assert os.read(terminal, 1000).decode().startswith(begins)
    os.close(terminal)


def test_a_name_of_a_file_that_is_no_text_is_printed() -> None:
    program = "from stages.common import command; command.finish(lambda: print('\\udcff.png'))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=True)
    assert done.stdout == rb"\udcff.png" + os.linesep.encode()


def test_an_error_elsewhere_is_plain() -> None:
    done = subprocess.run(
        WRONG, cwd=ROOT, env=environment(NO_COLOR=None), capture_output=True, text=True, check=False
    )
    assert done.stderr.startswith("error: ")


def test_an_error_is_one_line_of_a_length_that_can_be_read() -> None:
    program = "from stages.common import command; command.fail('long\\n' * 1000)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: long long ")
    assert done.stderr.endswith("...\n")
    assert len(done.stderr) < 2020


def test_an_interrupt_ends_a_command_without_a_traceback() -> None:
    # Where these tests run in the background, the shell has switched the signal off.
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    program = (
        f"{heard}from stages.common import command\n"
        "command.finish(lambda: signal.raise_signal(signal.SIGINT))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


def test_a_reader_that_has_enough_ends_a_command_without_a_word() -> None:
    program = "from stages.common import command; command.finish(lambda: print('line\\n' * 100_000))"
    pipe = f'{sys.executable} -c "{program}" | head -n 1; echo ${{PIPESTATUS[0]}}'.replace("\n", "\\n")
    done = subprocess.run(["bash", "-c", pipe], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "line\n141\n"
    assert done.stderr == ""
