"""Checksums of files, in the format of `sha256sum --check`."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from stages.common import remedies
from stages.common.errors import UserError
from stages.common.files import write_text

# For a file that a disk or a copy has changed. DVC looks at times and sizes, and may not have noticed.
REMEDY = "run python -m tools.repair, then dvc repro"


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal; the file may be larger than the memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_file(path: Path, expected: str) -> None:
    """Raise a UserError unless a file exists and has the expected SHA-256."""
    _expect_file(path)
    digest = sha256(path)
    if digest != expected:
        raise UserError(f"{path}: expected SHA-256 {expected}, found {digest}; {REMEDY}")


def checksum_path(path: Path) -> Path:
    """Return the path of a file's checksum, FILE.sha256."""
    return path.with_name(f"{path.name}.sha256")


def write(path: Path, files: Sequence[Path]) -> None:
    """Write the checksums of files to `path`, in the same folder."""
    write_text(path, "".join(f"{sha256(file)}  {file.name}\n" for file in files))


def check(path: Path, files: Sequence[Path]) -> None:
    """Check files against the checksums that `write` has written.

    Raises:
        UserError: if a file has another checksum, or `path` has none for it.
    """
    _expect_file(path)
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    matches = [re.fullmatch(r"([0-9a-f]{64})  (.+)", line) for line in lines]
    checksums = {match[2]: match[1] for match in matches if match}
    for file in files:
        if file.name not in checksums:
            raise UserError(f"{path}: expected the SHA-256 of {file.name}, found none; {REMEDY}")
        check_file(file, checksums[file.name])


def _expect_file(path: Path) -> None:
    if not path.exists():
        raise UserError(f"{path}: expected a file, found none; {remedies.get_or_make()}")
