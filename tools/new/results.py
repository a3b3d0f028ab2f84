"""Results of a data set: the files that its stages have written, and which of them have another copy."""

from collections.abc import Iterator
from pathlib import Path

from stages.common import layout
from tools.common import dvc, dvc_hashes, dvc_lock, git


def list_files(name: str) -> list[Path]:
    """Return every file where the stages of a data set write."""
    return [file for path in layout.outputs(name) for file in _walk(path)]


def list_unsaved(name: str) -> list[Path]:
    """Return the files where the stages of a data set write of which neither git nor DVC has a copy."""
    files = list_files(name)
    if not files:
        return []
    cache = Path(dvc.run("cache", "dir").strip())
    return [file for file in files if not _is_in_git(file) and not dvc_hashes.is_in_cache(file, cache)]


def list_strange(name: str) -> list[Path]:
    """Return the unsaved files that no stage would make again, as dvc.lock does not have them."""
    unsaved = list_unsaved(name)
    stages = dvc_lock.parse(dvc_lock.FILE.read_text(encoding="utf-8")) if dvc_lock.FILE.exists() else {}
    recorded = dvc_lock.collect_outputs(dvc_lock.read_stages(stages, name)) if stages else {}
    return [
        file
        for file in unsaved
        if file != layout.raw(name) / layout.PICTURE_LIST
        and not dvc_hashes.file_matches(file.read_bytes(), recorded.get(file.as_posix(), ""))
    ]


def _walk(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from (file for file in sorted(path.rglob("*")) if file.is_file())
    elif path.exists():
        yield path


def _is_in_git(path: Path) -> bool:
    return git.try_run("ls-files", "--error-unmatch", "--", str(path)) is not None
