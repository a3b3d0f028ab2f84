"""Files and folders appear whole or not at all."""

import errno
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers import ROOT

from stages.common.errors import UserError
from stages.common.files import atomic_file, atomic_folder, write_text

Flushed = list[tuple[Path, set[str]]]


class BreakdownError(Exception):
    """Something that happens while a file is being written."""


def test_a_folder_takes_the_place_of_the_old_one_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "folder"
    for content in ("old", "new"):
        with atomic_folder(target) as new:
            (new / "file").write_text(content)
    assert [file.read_text() for file in target.iterdir()] == ["new"]
    assert list(target.parent.iterdir()) == [target]


@pytest.fixture
def flushed(monkeypatch: pytest.MonkeyPatch) -> Flushed:
    """Flushes to the disk, in their order: the path, and the names in it at that moment if it is a folder."""
    calls: Flushed = []
    flush = os.fsync

    def note(file: int) -> None:
        path = Path(f"/proc/self/fd/{file}").readlink()
        calls.append((path, {entry.name for entry in path.iterdir()} if path.is_dir() else set()))
        flush(file)

    monkeypatch.setattr(os, "fsync", note)
    return calls


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux says which file is open")
def test_a_power_cut_finds_contents_before_names(tmp_path: Path, flushed: Flushed) -> None:
    target = tmp_path / "folder"
    with atomic_folder(target) as new:
        (new / "a").write_text("content")
        (new / "b").write_text("content")
    *contents, names, place = flushed
    assert sorted(path.name for path, _ in contents) == ["a", "b"]
    assert target not in {path.parent for path, _ in contents}  # it is not yet in its place
    assert (names[0], names[1]) == (contents[0][0].parent, {"a", "b"})
    assert place[0] == tmp_path
    assert target.name in place[1]

    flushed.clear()
    write_text(target / "c", "content")
    (content, _), (folder, files) = flushed
    assert content.name == "c"
    assert content.parent != target
    assert folder == target
    assert "c" in files


def test_a_folder_with_files_of_others_is_not_replaced(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    target.mkdir()
    for name in ("mine.txt", ".DS_Store", "._file", "Thumbs.db", "earlier-1.png"):
        (target / name).write_text("brought")

    def replace() -> None:
        with atomic_folder(target, earlier=r"earlier-\d\.png") as new:
            (new / "file").write_text("new")

    with pytest.raises(UserError, match=r"expected no files but those .*, found mine\.txt;"):
        replace()
    assert (target / "mine.txt").read_text() == "brought"
    (target / "mine.txt").unlink()
    replace()
    assert [file.name for file in target.iterdir()] == ["file"]


def test_a_folder_that_breaks_down_leaves_the_old_one_and_no_trace(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    with atomic_folder(target) as new:
        (new / "old").write_text("old")
    with pytest.raises(BreakdownError), atomic_folder(target) as new:
        (new / "new").write_text("half")
        raise BreakdownError
    assert [file.name for file in target.iterdir()] == ["old"]
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_that_breaks_down_leaves_the_old_one_and_no_trace(tmp_path: Path) -> None:
    target = tmp_path / "file"
    write_text(target, "old")
    with pytest.raises(BreakdownError), atomic_file(target) as new:
        new.write_text("half")
        raise BreakdownError
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


STOPPED = """
import os, signal, sys, time
from pathlib import Path
from stages.common import command
from stages.common.errors import UserError
from stages.common.files import atomic_folder

def main():
    with atomic_folder(Path(sys.argv[1]) / "folder") as new:
        (new / "half").write_text("half")
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)

command.finish(main)
"""


def test_a_stage_that_is_told_to_stop_leaves_no_trace(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", STOPPED, str(tmp_path)], cwd=ROOT, check=False, timeout=30)
    assert done.returncode == 143
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("file", "error"), [("elsewhere/file", PermissionError), ("file.txt", UserError), (None, UserError)]
)
def test_only_what_could_not_be_written_is_said_to_be_so(
    tmp_path: Path, file: str | None, error: type[Exception]
) -> None:
    named = str(tmp_path.parent / "elsewhere" if file == "elsewhere/file" else tmp_path / str(file))
    with pytest.raises(error, match="Permission denied"), atomic_file(tmp_path / "file"):
        raise PermissionError(errno.EACCES, "Permission denied", *([named] if file else []))


def test_a_disk_without_locks_is_an_error_and_no_endless_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", refuse)  # as some network file systems do
    with pytest.raises(UserError, match=f"{tmp_path}: expected a disk on which files can be locked"):
        write_text(tmp_path / "file", "text")
    assert list(tmp_path.iterdir()) == []


WRITES = """
import sys
from pathlib import Path
from stages.common.errors import UserError
from stages.common.files import atomic_folder

for number in range(200):
    with atomic_folder(Path(sys.argv[1]) / "folder") as new:
        for name in "ab":
            (new / name).write_text(f"{sys.argv[2]} {number}")
"""


HOLDS = """
import sys, time
from pathlib import Path
from stages.common.files import atomic_file

with atomic_file(Path(sys.argv[1]) / "file") as new:
    new.write_text("half")
    print("ready", flush=True)
    time.sleep(600)
"""


def test_a_folder_that_several_replace_at_once_is_that_of_one_of_them(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITES, str(tmp_path)]
    running = [subprocess.Popen([*command, str(number)], cwd=ROOT) for number in range(4)]
    while any(process.poll() is None for process in running):
        time.sleep(0.01)
        try:
            seen = sorted(path.name for path in (tmp_path / "folder").iterdir())
        except FileNotFoundError:
            seen = []
        assert seen in ([], ["a"], ["b"], ["a", "b"])  # it may go while it is listed
    assert [process.returncode for process in running] == [0] * 4
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
    assert (tmp_path / "folder/a").read_text() == (tmp_path / "folder/b").read_text()


def test_what_a_killed_process_left_goes_with_the_next_write(tmp_path: Path) -> None:
    killed = subprocess.Popen([sys.executable, "-c", HOLDS, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE)
    assert killed.stdout is not None
    killed.stdout.readline()
    (dead,) = tmp_path.iterdir()
    young, old = tmp_path / ".file.partial.young", tmp_path / ".file.partial.old"
    for folder in (young, old):  # of a process that is about to lock it, and of one that was killed then
        folder.mkdir()
    os.utime(old, (0, 0))
    write_text(tmp_path / "file", "whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([dead.name, young.name, "file"])
    killed.kill()
    killed.communicate()
    write_text(tmp_path / "file", "whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == [young.name, "file"]


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare, which Linux has")
def test_a_write_of_a_process_in_another_container_is_left_alone(tmp_path: Path) -> None:
    inside = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child"]
    if subprocess.run([*inside, "true"], check=False).returncode:
        pytest.skip("the system does not permit namespaces")
    with atomic_file(tmp_path / "file") as unfinished:
        unfinished.write_text("first")
        write = "from pathlib import Path; from stages.common.files import write_text; import sys\n"
        write += "write_text(Path(sys.argv[1]), 'second')"
        command = [*inside, sys.executable, "-c", write, str(tmp_path / "file")]
        subprocess.run(command, cwd=ROOT, check=True)
        assert (tmp_path / "file").read_text() == "second"
        assert unfinished.read_text() == "first"
    assert (tmp_path / "file").read_text() == "first"


def test_text_is_utf8_with_unix_line_ends(tmp_path: Path) -> None:
    write_text(tmp_path / "file", "é\n")
    assert (tmp_path / "file").read_bytes() == b"\xc3\xa9\n"
