"""What the cells of an array in an .npz file are, as far as a spec can be held against them.

From: the arrays of a column, and which numbers stand for blanks. To: its different cells where they are few whole
numbers or texts, else those that would be refused if any is: the least and the largest, one that is not whole, one
blank. Arrays are read in pieces, and no further than `LOOKED_BYTES` each. Not here: what the cells mean to a variable
(`cell_reader`).
"""

import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

from graphspec.headers.npz import Member
from graphspec.headers.numbers import PLAIN_NUMBERS
from graphspec.headers.table import SourceError
from graphspec.language.data import Cell

LOOKED_BYTES = 2**25
_PIECE_BYTES = 2**18
_FEW = 1000
"""Whole numbers up to this, of either sign, are counted one by one."""

Array = Any


@dataclass
class ArrayCells:
    """What was seen of a column's arrays.

    counts: of the cells that stand for all others, as text, in no order. complete: they are all there are, every one
    counted. off: the length or the sum of a row that is furthest from 1, where `rows_of` asked for it.
    """

    counts: Counter[str] = field(default_factory=Counter)
    complete: bool = True
    off: float = 1.0


def look_at(members: Sequence[Member], missing: Sequence[Cell], measure: str = "") -> ArrayCells:
    """The cells of one column, of all its splits. measure: "length" or "sum" of each row's first axis, to hold to 1.

    Raises SourceError for what cannot be read.
    """
    numbers = (PLAIN_NUMBERS.number(str(mark).strip()) for mark in missing)
    look = _Look(tuple(number for number in numbers if number is not None), measure)
    for member in members:
        place = f"array {member.key} of {member.file.name}"
        try:
            for piece in _pieces(member, look):
                look.at_text(piece) if piece.dtype.kind == "U" else look.at_numbers(piece)
        except UnicodeDecodeError as error:
            raise SourceError(f"{place} holds bytes that are no UTF-8 text", "save it as text") from error
        except Exception as error:  # zipfile, zlib and numpy raise many kinds for a damaged member
            raise SourceError(f"{place} cannot be read ({error})", "write the file again; it may be damaged") from error
    return look.found()


def _pieces(member: Member, look: "_Look") -> Iterator[Array]:
    """Some whole rows at a time [rows, *shape], but for arrays in Fortran's order: those in no rows at all [n]."""
    import numpy as np

    with zipfile.ZipFile(member.file) as archive, archive.open(f"{member.key}.npy") as stream:
        read = np.lib.format.read_array_header_1_0
        read = read if np.lib.format.read_magic(stream) == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(stream)
        if dtype.kind not in "buifUS":
            return
        one = () if fortran else shape[1:]
        row = prod(one) * dtype.itemsize
        left = prod(shape) * dtype.itemsize
        if left > LOOKED_BYTES:
            look.cells.complete, left = False, LOOKED_BYTES
        step = max(1, _PIECE_BYTES // max(row, 1)) * row
        while left >= row > 0:
            content = stream.read(min(step, left // row * row))
            if not content:
                raise ValueError("it ends early")
            left -= len(content)
            piece = np.frombuffer(content, dtype).reshape(-1, *one)
            yield np.char.decode(piece, "utf-8") if dtype.kind == "S" else piece


class _Look:
    def __init__(self, blanks: tuple[float, ...], measure: str) -> None:
        self.blanks, self.measure, self.cells = blanks, measure, ArrayCells()
        self.witnesses: dict[str, float] = {}
        self.blank = 0

    def at_text(self, piece: Array) -> None:
        """Different texts, as long as they are few."""
        if len(self.cells.counts) <= _FEW:
            self.cells.counts.update(piece.ravel().tolist())
        else:
            self.cells.complete = False

    def at_numbers(self, piece: Array) -> None:
        """Blanks, the range, and whole numbers one by one as long as there is nothing else."""
        import numpy as np

        self._measure_rows(piece)
        cells = piece.ravel()
        given = ~np.isnan(cells) if cells.dtype.kind == "f" else np.ones(cells.shape, dtype=np.bool_)
        for number in self.blanks:
            given &= cells != number
        self.blank += int(given.size - np.count_nonzero(given))
        cells = cells[given] if not given.all() else cells
        if not cells.size:
            return
        low, high = float(cells.min()), float(cells.max())
        self.witnesses["low"] = min(low, self.witnesses.get("low", low))
        self.witnesses["high"] = max(high, self.witnesses.get("high", high))
        wholes = cells.dtype.kind != "f" or not self._breaks(cells)
        if wholes and low >= -_FEW and high <= _FEW and "many" not in self.witnesses:
            seen = np.bincount(cells.astype(np.int64) + _FEW)
            self.cells.counts.update({str(place - _FEW): int(seen[place]) for place in np.flatnonzero(seen)})
        else:
            self.witnesses["many"] = 1.0

    def _breaks(self, cells: Array) -> bool:
        """Whether some number is not whole; the first is kept."""
        import numpy as np

        broken = cells != np.round(cells)
        if broken.any():
            self.witnesses.setdefault("broken", float(cells[broken.argmax()]))
        return bool(broken.any())

    def _measure_rows(self, piece: Array) -> None:
        import numpy as np

        if self.measure and piece.ndim > 1:
            values = piece.astype(np.float64)
            sizes = np.sqrt((values**2).sum(axis=1)) if self.measure == "length" else values.sum(axis=1)
            sizes = sizes[np.isfinite(sizes)]
            if sizes.size:
                self.cells.off = max(self.cells.off, *_furthest(sizes), key=lambda size: abs(size - 1))

    def found(self) -> ArrayCells:
        """The cells that stand for all."""
        cells = self.cells
        if "many" in self.witnesses:
            cells.complete = False
            kept = [self.witnesses[name] for name in ("low", "high", "broken") if name in self.witnesses]
            cells.counts = Counter({f"{number:.15g}": 1 for number in kept})
        if self.blank:
            cells.counts[""] += self.blank  # NaN too: no name, in an array of numbers
        return cells


def _furthest(sizes: Array) -> tuple[float, float]:
    return float(sizes.min()), float(sizes.max())
