"""Hashes of files and folders as DVC computes them, and its cache, where they are names."""

import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

FOLDER_SUFFIX = ".dir"  # of the hash of a folder
MOST_FILES_OF_MIXED_ENDS = 14  # 16,384 combinations are tried in half a second


def find_rotten_objects(cache: Path) -> Iterator[tuple[Path, str, str]]:
    """Yield files of a cache with another hash than their name says: path, expected hash, present hash."""
    for path in (cache / "files/md5").glob("[0-9a-f][0-9a-f]/*"):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "md5").hexdigest()
        expected = path.parent.name + path.name
        if digest != expected.removesuffix(FOLDER_SUFFIX):
            yield path, expected, digest


def is_in_cache(path: Path, cache: Path) -> bool:
    """Return whether a cache has a copy of a file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "md5").hexdigest()
    return find_object(cache, digest).is_file()


def find_object(cache: Path, digest: str) -> Path:
    """Return where a cache has the content of a hash, or would have it."""
    return cache / "files/md5" / digest[:2] / digest[2:]


def hash_content(content: bytes) -> str:
    """Return the hash that DVC has for a file of this content."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def hash_folder(files: Mapping[str, bytes]) -> str:
    """Return the hash that DVC has for a folder.

    Args:
        files: the content of each file, by its path in the folder.
    """
    return _hash_entries({path: hash_content(content) for path, content in files.items()})


def file_matches(content: bytes, expected: str) -> bool:
    """Return whether a file has the hash that DVC recorded, with line ends of Unix or of Windows.

    git may store a file with other line ends than the file had when DVC took the hash.
    """
    return expected == hash_content(content) or expected in _hash_variants(content)


def folder_matches(files: Mapping[str, bytes], expected: str) -> bool:
    """Return whether a folder has the hash that DVC recorded; line ends as for `file_matches`.

    Args:
        files: the content of each file, by its path in the folder.
        expected: the recorded hash.
    """
    if hash_folder(files) == expected:
        return True
    variants = [_hash_variants(content) for content in files.values()]
    if len(files) <= MOST_FILES_OF_MIXED_ENDS:
        choices: Iterable[Sequence[str]] = itertools.product(*variants)
    else:
        choices = zip(*variants, strict=True)  # all files with the ends of Unix, or all with those of Windows
    return any(_hash_entries(dict(zip(files, hashes, strict=True))) == expected for hashes in choices)


def _hash_variants(content: bytes) -> tuple[str, str]:
    """Return the hashes of a file with the line ends of Unix, and with those of Windows."""
    unix = content.replace(b"\r\n", b"\n")
    return hash_content(unix), hash_content(unix.replace(b"\n", b"\r\n"))


def _hash_entries(hashes: Mapping[str, str]) -> str:
    entries = [{"md5": hashes[path], "relpath": path} for path in sorted(hashes)]
    return hash_content(json.dumps(entries, sort_keys=True).encode()) + FOLDER_SUFFIX
