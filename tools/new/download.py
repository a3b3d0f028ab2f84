"""Copies of files from a folder or a URL, whose sizes and hashes are not known yet."""

from pathlib import Path
from typing import Any

from stages.common import checksums
from stages.common.addresses import hide_secrets
from stages.common.errors import UserError
from stages.sources import mirrors

ASSUMED_BYTES = 10**12  # of a file whose size is not known yet; bounds the time of its download


def copy(address: str, target: Path) -> None:
    """Write the decompressed content at an address, which may end in .gz there, to a file.

    Raises:
        UserError: if there is no such file, or it is damaged.
    """
    path = Path(address)
    if "://" not in address and path.exists() and not path.is_file():
        raise UserError(f"{address}: expected a file, found a folder, a device or a pipe; check FROM")
    try:
        with target.open("wb") as file:
            for chunk in mirrors.read_chunks(address, ASSUMED_BYTES):
                file.write(chunk)
    except mirrors.MirrorError as error:
        message = f"{address}: expected a file, found: {error}; {_advise(error, address)}"
        raise UserError(hide_secrets(message)) from None


def _advise(error: mirrors.MirrorError, address: str) -> str:
    if not error.retryable:
        return "check FROM"
    return "try again" if "://" in address else "the file is damaged: copy it again"


def describe(file: Path) -> dict[str, Any]:
    """Return the size and the SHA-256 of a file, as params.yaml has them."""
    return {"bytes": file.stat().st_size, "sha256": checksums.sha256(file)}
