"""Places that a person names as the source of a data set, and those that the stages write."""

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from stages.common import layout
from stages.common.errors import UserError


def expect_outside_outputs(addresses: Iterable[str], key: str) -> None:
    """Raise a UserError if files are to be read from where stages write, and would replace them.

    Args:
        addresses: folders, files and URLs.
        key: what names them in params.yaml, or FROM.
    """
    for address in addresses:
        path = _find_local_path(address)
        for written in layout.OUTPUTS:
            if path is not None and path.resolve().is_relative_to(written.resolve()):
                raise UserError(
                    f"{key}: expected a place outside of {written}, whose files the stages replace, found "
                    f"{address}; move these files, to data/own for instance, and name that place"
                )


def expand(place: str) -> Path:
    """Return the path of a place, with `~` as a home directory if there is one."""
    try:
        return Path(place).expanduser()
    except RuntimeError:  # no such user: a folder may have that name
        return Path(place)


def _find_local_path(address: str) -> Path | None:
    """Return the path of an address, or None if it is on another machine."""
    parts = urlsplit(address)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    return None if "://" in address else expand(address)
