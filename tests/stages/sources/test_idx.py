"""The IDX format: what is written is read back, and nothing else is accepted."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from stages.common.errors import UserError
from stages.sources import idx

any_array = arrays.arrays(
    dtype=st.sampled_from(list(idx.DTYPES.values())),
    shape=arrays.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=6),
)
with_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "file"


@with_folder
@given(array=any_array)
def test_reads_back_what_it_wrote(file: Path, array: np.ndarray) -> None:
    idx.write(file, array)
    again = idx.read(file)
    assert again.dtype == array.dtype
    assert again.shape == array.shape
    assert again.tobytes() == array.tobytes()


@with_folder
@given(array=any_array)
def test_writes_native_and_big_endian_arrays_alike(file: Path, array: np.ndarray) -> None:
    idx.write(file, array)
    big_endian = file.read_bytes()
    idx.write(file, array.astype(array.dtype.newbyteorder("=")))
    assert file.read_bytes() == big_endian


def test_reads_the_example_of_the_format(file: Path) -> None:
    file.write_bytes(bytes.fromhex("00000B02 00000002 00000003 0001 0002 0003 FFFF FFFE 7FFF"))
    assert idx.read(file).tolist() == [[1, 2, 3], [-1, -2, 32767]]


@with_folder
@given(array=any_array, data=st.data())
def test_refuses_a_truncated_file(file: Path, array: np.ndarray, data: st.DataObject) -> None:
    idx.write(file, array)
    content = file.read_bytes()
    file.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    with pytest.raises(UserError, match=r"expected .*, found .*; fetch it again$"):
        idx.read(file)


@with_folder
@given(array=any_array, extra=st.binary(min_size=1, max_size=100))
def test_refuses_trailing_bytes(file: Path, array: np.ndarray, extra: bytes) -> None:
    idx.write(file, array)
    file.write_bytes(file.read_bytes() + extra)
    with pytest.raises(UserError, match=r"expected \d+ bytes .*, found \d+"):
        idx.read(file)


@with_folder
@given(content=st.binary(max_size=64))
def test_reads_or_refuses_whatever_the_bytes(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    try:
        array = idx.read(file)
    except UserError as error:
        assert "\n" not in str(error)
    else:
        idx.write(file, array)
        assert file.read_bytes() == content


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "an empty file"),
        (b"\x00\x00\x08", "00 00 08"),
        (b"\x1f\x8b\x08\x08" + bytes(100), "1f 8b 08 08"),
        (b"\x00\x00\x0a\x01" + bytes(100), "00 00 0a 01"),
        (b"<html>", "3c 68 74 6d"),
    ],
    ids=["empty", "three bytes", "gzip", "unknown type", "html"],
)
def test_names_file_expectation_and_finding_of_a_wrong_magic(file: Path, content: bytes, found: str) -> None:
    file.write_bytes(content)
    with pytest.raises(UserError) as error:
        idx.read(file)
    assert str(error.value) == (
        f"{file}: expected an IDX file, which begins with the bytes 00 00 and one of "
        f"08, 09, 0b, 0c, 0d, 0e, found {found}; fetch it again"
    )


@pytest.mark.parametrize(
    "content",
    [
        "02080000 02000000 03000000 010203040506",
        "00000802 02000000 03000000 010203040506",
        "00000B01 03000000 0001 0002 0003",
    ],
    ids=["of the whole header", "of the sizes", "of the sizes, before values of two bytes"],
)
def test_names_another_byte_order(file: Path, content: str) -> None:
    file.write_bytes(bytes.fromhex(content))
    with pytest.raises(UserError) as error:
        idx.read(file)
    assert str(error.value) == (
        f"{file}: expected sizes with the first byte first, as the IDX format has them, found another byte "
        "order (little-endian); write the file anew, big-endian"
    )


def test_refuses_a_header_that_promises_more_than_the_file_has(file: Path) -> None:
    file.write_bytes(bytes.fromhex("00000803 FFFFFFFF FFFFFFFF FFFFFFFF") + b"few")
    with pytest.raises(UserError, match=r"expected 79228162458924105385300197391 bytes .*, found 19"):
        idx.read(file)


@pytest.mark.parametrize(
    "header",
    [
        "00000864" + "00000001" * 100,
        "00000804 00000000 FFFFFFFF FFFFFFFF FFFFFFFF",
        "00000E04 FFFFFFFF FFFFFFFF FFFFFFFF 00000000",
    ],
    ids=["100 dimensions", "too big beside a zero", "too big before a zero"],
)
def test_refuses_a_shape_that_numpy_cannot_have(file: Path, header: str) -> None:
    file.write_bytes(bytes.fromhex(header) + (b"x" if header.startswith("00000864") else b""))
    with pytest.raises(UserError, match="fetch it again"):
        idx.read(file)


@with_folder
@given(
    code=st.sampled_from(sorted(idx.DTYPES)),
    sizes=st.lists(st.integers(0, 3) | st.integers(0, 2**32 - 1), max_size=255),
    values=st.binary(max_size=64),
)
def test_reads_or_refuses_whatever_the_sizes(file: Path, code: int, sizes: list[int], values: bytes) -> None:
    header = bytes([0, 0, code, len(sizes)]) + b"".join(size.to_bytes(4, "big") for size in sizes)
    file.write_bytes(header + values)
    try:
        assert idx.read(file).shape == tuple(sizes)
    except UserError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize("dtype", ["bool", "uint16", "int64", "complex64", "U3"])
def test_refuses_to_write_a_type_that_the_format_lacks(file: Path, dtype: str) -> None:
    with pytest.raises(
        ValueError, match="one of the types uint8, int8, int16, int32, float32, float64, found"
    ):
        idx.write(file, np.zeros(3, dtype))
    assert not file.exists()


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([[0, 255], [7]], "uint8"),
        ([[0, 256], [7]], "int16"),
        ([[0], [-1]], "int16"),
        ([[-(2**15)], [2**15 - 1]], "int16"),
        ([[2**15], [-1]], "int32"),
        ([[2**31 - 1], [-(2**31)]], "int32"),
        ([[2**31], [7]], "int64"),
        ([[-(2**31) - 1], [7]], "int64"),
        ([[], []], "uint8"),
    ],
)
def test_whole_numbers_take_the_smallest_type_that_holds_all_of_them(
    values: list[list[int]], dtype: str
) -> None:
    given = [np.array(several, np.int64) for several in values]
    found = idx.to_smallest_dtype(*given)
    assert {array.dtype.name for array in found} == {dtype}
    assert [array.tolist() for array in found] == values


def test_other_numbers_stay_as_they_are() -> None:
    given = (np.array([1.0]), np.array([1, 2]))
    assert [array.dtype.name for array in idx.to_smallest_dtype(*given)] == ["float64", "int64"]
