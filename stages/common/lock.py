"""One process at a time: a second one that would write the same files is refused."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import zc.lockfile

from stages.common.errors import UserError


@contextmanager
def alone(path: Path, what: str) -> Iterator[None]:
    """Hold a file that no second process can hold at the same time; a killed one lets it go.

    Args:
        path: of the file, which stays.
        what: the work that is done meanwhile, for an error.

    Raises:
        UserError: if another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        lock = zc.lockfile.LockFile(str(path))
    except zc.lockfile.LockError:
        raise UserError(f"{path}: expected no other {what}, found one; wait, or stop it") from None
    with closing(lock):
        yield
