"""Download of a file from the first mirror that serves the right bytes."""

import gzip
import hashlib
import io
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

from stages.common.addresses import hide_secrets
from stages.common.errors import UserError
from stages.sources.schema import RawFile

ATTEMPTS = 3  # a mirror that fails three times within seconds is down, and the next may be up
CHUNK_BYTES = 1 << 20
GZIP_MAGIC = b"\x1f\x8b"
# The environment variable of a folder or URL to try first, with a folder for each data set.
MIRROR_VARIABLE = "DATASETS_MIRROR"


class Timeouts(NamedTuple):
    """Limits on the time of a download, and the pause between attempts.

    Attributes:
        silence_seconds: the longest pause of a server; no working mirror pauses for so long.
        bytes_per_second: the lowest mean rate, decompressed; nobody would wait for less.
        pause_seconds: before the second attempt at a mirror; doubled before the third.
    """

    silence_seconds: float = 30.0
    bytes_per_second: float = 50_000.0
    pause_seconds: float = 1.0

    def compute_time_limit(self, size: int) -> float:
        """Return the longest time of a download of so many bytes, in seconds."""
        return self.silence_seconds + size / self.bytes_per_second


DEFAULT_TIMEOUTS = Timeouts()


class MirrorError(Exception):
    """An error of a mirror that did not serve the file.

    Attributes:
        retryable: whether another attempt may succeed, as after a lost connection.
    """

    def __init__(self, reason: str, *, retryable: bool = False) -> None:
        """Keep the reason in one line."""
        super().__init__(" ".join(reason.split()))
        self.retryable = retryable


def download(
    mirrors: Sequence[str],
    name: str,
    expected: RawFile,
    target: Path,
    timeouts: Timeouts = DEFAULT_TIMEOUTS,
) -> str:
    """Write the decompressed content of one file to `target`.

    Args:
        mirrors: folders or URLs, of any kind that fsspec opens, in the order in which to try them;
            each holds `name`.gz or `name`, compressed or not.
        name: the name of the file on every mirror.
        expected: size and SHA-256 of the decompressed content.
        target: the file to write; after an error its content is not the file's.
        timeouts: for slow servers.

    Returns:
        The mirror that served the content, without a secret in its address.

    Raises:
        UserError: if no mirror has the file, with a reason for each mirror.
    """
    attempts = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        wait=tenacity.wait_exponential(timeouts.pause_seconds),
        retry=tenacity.retry_if_exception(lambda error: isinstance(error, MirrorError) and error.retryable),
        reraise=True,
    )
    reasons = []
    for mirror in mirrors:
        address = f"{mirror.rstrip('/')}/{name}"
        try:
            attempts(_copy, address, expected, target, timeouts)
        except MirrorError as error:
            reasons.append(hide_secrets(f"{address}: {error}"))
            print(f"warning: {reasons[-1]}", file=sys.stderr)
        else:
            return hide_secrets(mirror)
    raise UserError(
        f"no mirror has {name}: {'; '.join(reasons)}; "
        f"set {MIRROR_VARIABLE} to a folder or URL that has DATASET/{name}"
    )


def _copy(address: str, expected: RawFile, target: Path, timeouts: Timeouts) -> None:
    """Write the content at an address; raise a MirrorError if it is not the expected content."""
    digest = hashlib.sha256()
    size = 0
    with (
        target.open("wb") as out,
        tqdm(total=expected.bytes, desc=target.name, unit="B", unit_scale=True, disable=None) as progress,
    ):
        for chunk in read_chunks(address, expected.bytes, timeouts):
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


def read_chunks(address: str, expected_bytes: int, timeouts: Timeouts = DEFAULT_TIMEOUTS) -> Iterator[bytes]:
    """Yield the content of `address`.gz, or else of `address`, decompressed, or raise a MirrorError."""
    start = time.monotonic()
    try:
        with _open(address, expected_bytes, timeouts) as stream:
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
            f"the server answers {error.status} {error.message}", retryable=busy or down
        ) from None
    except TimeoutError:
        time_limit = timeouts.compute_time_limit(expected_bytes)
        if time.monotonic() - start >= time_limit:
            raise MirrorError(f"expected the whole file within {time_limit:.0f} s, found a part") from None
        raise MirrorError(f"nothing arrived for {timeouts.silence_seconds:g} s", retryable=True) from None
    except (aiohttp.ClientError, ConnectionError, EOFError) as error:
        raise MirrorError(_describe_error(error), retryable=True) from None
    except Exception as error:  # noqa: BLE001 - each protocol of fsspec has errors of its own
        raise MirrorError(_describe_error(error)) from None


def _open(address: str, expected_bytes: int, timeouts: Timeouts) -> io.BufferedReader:
    """Open `address`.gz or, if there is no such file, `address`, for reading from beginning to end."""
    if not address.startswith(("http://", "https://")):
        filesystem, address = fsspec.url_to_fs(address)
        options = {}
    else:
        timeout = aiohttp.ClientTimeout(
            total=timeouts.compute_time_limit(expected_bytes),
            sock_connect=timeouts.silence_seconds,
            sock_read=timeouts.silence_seconds,
        )
        client = {"timeout": timeout, "trust_env": True}  # trust_env: through a proxy, if one is set
        filesystem = fsspec.filesystem("http", client_kwargs=client, skip_instance_cache=True)
        # One stream, not a request for each block. Without a size, fsspec would ask for the size in another
        # request, and report every failure of that as "not found".
        options = {"block_size": 0, "size": expected_bytes}
    try:
        return io.BufferedReader(filesystem.open(f"{address}.gz", "rb", **options))
    except FileNotFoundError:
        return io.BufferedReader(filesystem.open(address, "rb", **options))


def _describe_error(error: Exception) -> str:
    return str(error) or type(error).__name__
