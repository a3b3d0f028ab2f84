"""The SHA-256 of files: found, expected, and kept beside them as `sha256sum --check` reads it."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from stages.common import files
from stages.common.errors import UserError

# A disk or a copy has changed what a stage wrote; DVC, which looks at times and sizes, may not have noticed.
REMEDY = "run python -m tools.repair, then dvc repro"


def sha256(path: Path) -> str:
    """The hash of a file, which may be larger than the memory, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def expect(path: Path, expected: str) -> None:
    """Raise a UserError unless a file is there and has the expected hash."""
    _exists(path)
    found = sha256(path)
    if found != expected:
        raise UserError(f"{path}: expected SHA-256 {expected}, found {found}; {REMEDY}")


def beside(path: Path) -> Path:
    """Where the hash of a single file is kept."""
    return path.with_name(f"{path.name}.sha256")


def write(path: Path, of: Sequence[Path]) -> None:
    """Write the hashes of some files in the folder of `path`."""
    files.write_text(path, "".join(f"{sha256(file)}  {file.name}\n" for file in of))


def check(path: Path, of: Sequence[Path]) -> None:
    """Check files against the hashes that `write` has written.

    Raises:
        UserError: if one is another file than it was, or there is no hash of it.
    """
    _exists(path)
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    matches = [re.fullmatch(r"([0-9a-f]{64})  (.+)", line) for line in lines]
    known = {match[2]: match[1] for match in matches if match}
    for file in of:
        if file.name not in known:
            raise UserError(f"{path}: expected the SHA-256 of {file.name}, found none; {REMEDY}")
        expect(file, known[file.name])


def _exists(path: Path) -> None:
    if not path.exists():
        raise UserError(f"{path}: expected a file, found none; run dvc repro")
