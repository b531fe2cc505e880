"""IDX files: rows of several files one after another, and what is wrong with one that is damaged."""

import struct
from pathlib import Path

import numpy as np
import pytest

from runtime.data.read.idx import read_idx


def _write(file: Path, array: np.ndarray, head: bytes | None = None) -> Path:
    head = struct.pack(f">I{array.ndim}I", 0x0800 | array.ndim, *array.shape) if head is None else head
    file.write_bytes(head + array.astype(np.uint8).tobytes())
    return file


def test_files_stand_one_after_another(tmp_path: Path) -> None:
    images = np.arange(5 * 3 * 4).reshape(5, 3, 4)
    first, second = _write(tmp_path / "a", images[:2]), _write(tmp_path / "b", images[2:])
    assert np.array_equal(read_idx([first, second]), images)
    assert read_idx([_write(tmp_path / "c", np.arange(7))]).tolist() == list(range(7))


@pytest.mark.parametrize(
    "head, told",
    [
        (b"", "not an IDX file of bytes"),
        (b"\x00\x00\x08", "not an IDX file of bytes"),
        (b"\x00\x00\x0d\x01\x00\x00\x00\x06", "not an IDX file of bytes"),  # floats
        (b"\x00\x00\x08\x00", "not an IDX file of bytes"),
        (b"\x1f\x8b\x08\x08", "not an IDX file of bytes"),  # still packed
        (struct.pack(">I2I", 0x0802, 4, 3), "has 18 bytes, its header tells 24"),
        (struct.pack(">I2I", 0x0802, 1, 3), "has 18 bytes, its header tells 15"),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, head: bytes, told: str) -> None:
    with pytest.raises(ValueError, match=told) as caught:
        read_idx([_write(tmp_path / "damaged", np.zeros(6), head)])
    assert "damaged" in str(caught.value)


def test_rows_of_another_shape(tmp_path: Path) -> None:
    first, second = _write(tmp_path / "a", np.zeros((2, 3))), _write(tmp_path / "b", np.zeros((2, 4)))
    with pytest.raises(ValueError, match=r"b holds rows of \(4,\), a of \(3,\)"):
        read_idx([first, second])
