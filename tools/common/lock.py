"""An exclusive lock: a second process that would write the same files is refused."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import zc.lockfile

from stages.common.errors import UserError


@contextmanager
def exclusive_lock(path: Path, purpose: str) -> Iterator[None]:
    """Hold a lock file; the system releases it when the process ends, however it ends.

    Args:
        path: the lock file, which stays.
        purpose: the work that is done meanwhile, for an error.

    Raises:
        UserError: if another process holds the lock.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        lock = zc.lockfile.LockFile(str(path))
    except zc.lockfile.LockError:
        raise UserError(f"{path}: expected no other {purpose}, found one; wait, or stop it") from None
    with closing(lock):
        yield
