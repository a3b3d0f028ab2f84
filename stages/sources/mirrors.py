"""Download one file from the first mirror that serves the right bytes."""

import gzip
import hashlib
import io
import re
import sys
import time
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

import aiohttp
import fsspec
import tenacity
from tqdm import tqdm

from stages.common.errors import UserError
from stages.sources.schema import RawFile

ATTEMPTS = 3  # a mirror that fails three times within seconds is down, and the next may be up
CHUNK_BYTES = 1 << 20
GZIP_MAGIC = b"\x1f\x8b"


class Patience(NamedTuple):
    """How long a server may take.

    Attributes:
        silence_seconds: how long it may send nothing; no working mirror pauses for so long.
        bytes_per_second: what it must send on average, decompressed; nobody would wait for less.
        pause_seconds: before the second attempt at a mirror; doubled before the third.
    """

    silence_seconds: float = 30.0
    bytes_per_second: float = 50_000.0
    pause_seconds: float = 1.0

    def seconds_for(self, size: int) -> float:
        """How long a download of so many bytes may take."""
        return self.silence_seconds + size / self.bytes_per_second


USUAL = Patience()


class MirrorError(Exception):
    """A mirror did not serve the file.

    Attributes:
        may_pass: whether another attempt may succeed, as after a lost connection.
    """

    def __init__(self, reason: str, *, may_pass: bool = False) -> None:
        """Say why, and whether it may be different the next time."""
        super().__init__(" ".join(reason.split()))
        self.may_pass = may_pass


def download(
    mirrors: Sequence[str],
    name: str,
    expected: RawFile,
    target: Path,
    patience: Patience = USUAL,
) -> str:
    """Write the decompressed content of one file to `target`.

    Args:
        mirrors: folders or URLs, of any kind that fsspec opens, in the order in which to try them;
            each holds `name`.gz or `name`, compressed or not.
        name: of the file, on every mirror.
        expected: size and SHA-256 of the decompressed content.
        target: where to write; what is there after an error is not the file.
        patience: with slow servers.

    Returns:
        The mirror that the content came from, without any password in its address.

    Raises:
        UserError: if no mirror has the file, with the reason of each.
    """
    attempts = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        wait=tenacity.wait_exponential(patience.pause_seconds),
        retry=tenacity.retry_if_exception(lambda error: isinstance(error, MirrorError) and error.may_pass),
        reraise=True,
    )
    reasons = []
    for mirror in mirrors:
        address = f"{mirror.rstrip('/')}/{name}"
        try:
            attempts(_copy, address, expected, target, patience)
        except MirrorError as error:
            reasons.append(_without_password(f"{address}: {error}"))
            print(f"warning: {reasons[-1]}", file=sys.stderr)
        else:
            return _without_password(mirror)
    raise UserError(
        f"no mirror has {name}: {'; '.join(reasons)}; "
        "set the environment variable DATASETS_MIRROR to a folder or URL that has it"
    )


def _copy(address: str, expected: RawFile, target: Path, patience: Patience) -> None:
    """Write the content at an address, or raise a MirrorError if it is not the expected one."""
    digest = hashlib.sha256()
    size = 0
    with (
        target.open("wb") as out,
        tqdm(total=expected.bytes, desc=target.name, unit="B", unit_scale=True, disable=None) as progress,
    ):
        for chunk in chunks(address, expected.bytes, patience):
            size += len(chunk)
            if size > expected.bytes:
                raise MirrorError(f"expected {expected.bytes} bytes, found more")
            digest.update(chunk)
            out.write(chunk)
            progress.update(len(chunk))
    if size < expected.bytes:
        raise MirrorError(f"expected {expected.bytes} bytes, found {size}")
    if digest.hexdigest() != expected.sha256:
        raise MirrorError(f"expected SHA-256 {expected.sha256}, found {digest.hexdigest()}")


def chunks(address: str, expected_bytes: int, patience: Patience = USUAL) -> Iterator[bytes]:
    """Read the content at `address`.gz or else at `address`, decompressed, or raise a MirrorError."""
    start = time.monotonic()
    try:
        with _open(address, expected_bytes, patience) as stream:
            compressed = stream.peek(len(GZIP_MAGIC)).startswith(GZIP_MAGIC)
            content = gzip.GzipFile(fileobj=stream) if compressed else stream
            while chunk := content.read(CHUNK_BYTES):
                yield chunk
    except FileNotFoundError:
        raise MirrorError("not found, with or without .gz") from None
    except aiohttp.TooManyRedirects:
        raise MirrorError("the server redirects without end") from None
    except aiohttp.ClientResponseError as error:
        busy = error.status == HTTPStatus.TOO_MANY_REQUESTS
        down = error.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        raise MirrorError(
            f"the server answers {error.status} {error.message}", may_pass=busy or down
        ) from None
    except TimeoutError:
        allowed = patience.seconds_for(expected_bytes)
        if time.monotonic() - start >= allowed:
            raise MirrorError(f"expected all of it within {allowed:.0f} s, found less") from None
        raise MirrorError(f"nothing arrived for {patience.silence_seconds:g} s", may_pass=True) from None
    except (aiohttp.ClientError, ConnectionError, EOFError) as error:
        raise MirrorError(_text(error), may_pass=True) from None
    except Exception as error:  # noqa: BLE001 - each protocol of fsspec has errors of its own
        raise MirrorError(_text(error)) from None


def _open(address: str, expected_bytes: int, patience: Patience) -> io.BufferedReader:
    """Open `address`.gz or, if there is no such file, `address`, for reading from beginning to end."""
    if not address.startswith(("http://", "https://")):
        filesystem, address = fsspec.url_to_fs(address)
        how = {}
    else:
        timeout = aiohttp.ClientTimeout(
            total=patience.seconds_for(expected_bytes),
            sock_connect=patience.silence_seconds,
            sock_read=patience.silence_seconds,
        )
        client = {"timeout": timeout, "trust_env": True}  # trust_env: through a proxy, if one is set
        filesystem = fsspec.filesystem("http", client_kwargs=client, skip_instance_cache=True)
        # One stream, not a request a block; and a size, whatever it is, lest fsspec asks for it in a
        # request of its own, all of whose failures it reports as "not found".
        how = {"block_size": 0, "size": expected_bytes}
    try:
        return io.BufferedReader(filesystem.open(f"{address}.gz", "rb", **how))
    except FileNotFoundError:
        return io.BufferedReader(filesystem.open(address, "rb", **how))


def _text(error: Exception) -> str:
    return str(error) or type(error).__name__


def _without_password(text: str) -> str:
    """Addresses may carry a name and a password, which no log is to keep."""
    return re.sub(r"(?<=://)[^/\s]*@", "", text)
