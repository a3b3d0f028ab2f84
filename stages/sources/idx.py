"""The IDX format, in which MNIST is published: a header with the shape, then the values, big-endian.

Format: http://yann.lecun.com/exdb/mnist/, section "the IDX file format".
"""

import mmap
import struct
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.common.errors import UserError

# Two zeros, the code of the values' type, the number of dimensions; the size of each dimension follows.
MAGIC = struct.Struct(">HBB")
DTYPES: dict[int, np.dtype[Any]] = {
    0x08: np.dtype("uint8"),
    0x09: np.dtype("int8"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}


def read(path: Path) -> NDArray[Any]:
    """Map an IDX file into memory; only the header is read here, the values when they are used.

    Returns:
        The array, read-only, of the shape and the dtype in the header.

    Raises:
        UserError: if the content is no complete IDX file.
    """
    content = _map(path)
    magic = content[: MAGIC.size].rjust(
        MAGIC.size, b"\xff"
    )  # a file that is too short does not begin with zeros
    zeros, code, dimensions = MAGIC.unpack(magic)
    if magic[2:] == b"\0\0" and magic[1] in DTYPES:
        raise _build_byte_order_error(path)
    if zeros != 0 or code not in DTYPES:
        codes = ", ".join(f"{code:02x}" for code in DTYPES)
        raise UserError(
            f"{path}: expected an IDX file, which begins with the bytes 00 00 and one of {codes}, "
            f"found {content[: MAGIC.size].hex(' ') or 'an empty file'}; fetch it again"
        )
    header_bytes = MAGIC.size + 4 * dimensions
    if len(content) < header_bytes:
        raise UserError(
            f"{path}: expected {header_bytes} bytes of IDX header, found {len(content)}; fetch it again"
        )
    shape = struct.unpack_from(f">{dimensions}I", content, MAGIC.size)
    dtype = DTYPES[code]
    expected = header_bytes + prod(shape) * dtype.itemsize
    if len(content) != expected:
        little_endian = struct.unpack_from(f"<{dimensions}I", content, MAGIC.size)
        if len(content) == header_bytes + prod(little_endian) * dtype.itemsize:
            raise _build_byte_order_error(path)
        raise UserError(
            f"{path}: expected {expected} bytes for an IDX file of shape {shape} and type {dtype.name}, "
            f"found {len(content)}; fetch it again"
        )
    try:
        values: NDArray[Any] = np.frombuffer(content, dtype, offset=header_bytes)
        return values.reshape(shape)
    except ValueError as error:  # more dimensions, or larger ones, than NumPy has
        raise UserError(f"{path}: expected an array, found shape {shape}: {error}; fetch it again") from None


def _build_byte_order_error(path: Path) -> UserError:
    return UserError(
        f"{path}: expected sizes with the first byte first, as the IDX format has them, found another byte "
        "order (little-endian); write the file anew, big-endian"
    )


def _map(path: Path) -> mmap.mmap | bytes:
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if path.stat().st_size else b""


def to_smallest_dtype(*arrays: NDArray[Any]) -> tuple[NDArray[Any], ...]:
    """Convert arrays of whole numbers to one dtype: the smallest of uint8, int16 and int32 for all values.

    Arrays with other numbers, or with larger ones, are returned as they are.
    """
    if any(array.dtype.kind not in "iub" for array in arrays):
        return arrays
    smallest = min(int(array.min(initial=0)) for array in arrays)
    largest = max(int(array.max(initial=0)) for array in arrays)
    for dtype in (np.uint8, np.int16, np.int32):
        if np.iinfo(dtype).min <= smallest and largest <= np.iinfo(dtype).max:
            return tuple(array.astype(dtype) for array in arrays)
    return arrays


def write(path: Path, array: NDArray[Any]) -> None:
    """Write an array of any shape as an IDX file.

    Raises:
        ValueError: if the format has no code for the array's dtype, whatever its byte order.
    """
    big_endian = array.dtype.newbyteorder(">")
    code = next((code for code, dtype in DTYPES.items() if dtype == big_endian), None)
    if code is None:
        names = ", ".join(dtype.name for dtype in DTYPES.values())
        raise ValueError(f"{path}: expected an array of one of the types {names}, found {array.dtype.name}")
    header = struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape)
    path.write_bytes(header + array.astype(big_endian).tobytes())
