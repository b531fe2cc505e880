"""IDX files, in which MNIST comes: two zero bytes, a type, the number of dimensions, sizes (big endian), then bytes.

torchvision reads them too, but its import alone takes longer than an epoch of a small model and 80 MiB.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_BYTES = b"\x00\x00\x08"


def read_idx(paths: Sequence[Path]) -> NDArray[np.uint8]:
    """The files' rows one after another, [N, ...] uint8; each file is read to its place, so nothing is held twice.

    Raises ValueError naming the file that is damaged or whose rows are of another shape.
    """
    sizes = [_sizes(path) for path in paths]
    shape = sizes[0][1:]
    found = np.empty((sum(size[0] for size in sizes), *shape), np.uint8)
    begin = 0
    for path, size in zip(paths, sizes, strict=True):
        if size[1:] != shape:
            raise ValueError(f"{path.name} holds rows of {size[1:]}, {paths[0].name} of {shape}")
        with path.open("rb") as file:
            file.seek(len(_BYTES) + 1 + 4 * len(size))
            file.readinto(found[begin : begin + size[0]].data)
        begin += size[0]
    return found


def _sizes(path: Path) -> tuple[int, ...]:
    """Rows and the shape of one, as the header tells; checked against the file's length."""
    with path.open("rb") as file:
        start = file.read(4)
        dimensions = start[3] if len(start) == 4 else 0
        header = file.read(4 * dimensions)
    if start[:3] != _BYTES or not dimensions or len(header) < 4 * dimensions:
        raise ValueError(f"{path.name} is not an IDX file of bytes")
    sizes = tuple(int(size) for size in np.frombuffer(header, ">u4"))
    expected, length = 4 + len(header) + int(np.prod(sizes)), path.stat().st_size
    if length != expected:
        raise ValueError(f"{path.name} has {length} bytes, its header tells {expected}")
    return sizes
