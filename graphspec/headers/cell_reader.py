"""The one definition of what a text cell means to a variable: a name, a number, a blank, or nothing that fits.

From: a variable, what `missing` lists, and the different cells of a column. To: a number per cell (a class index where
there are classes), NaN for a blank, None for what is no value. `check` and the runtime both ask it, so that what the
one accepts the other reads. Not here: arrays of numbers (`runtime.data.read.cells` holds them to the same rules).
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from graphspec.graphs.graph import Variable
from graphspec.headers.numbers import PLAIN_NUMBERS, NumberFormat
from graphspec.language import ColumnSpec
from graphspec.language.data import Cell
from graphspec.reading.suggestions import counted

_BLANK_WORDS = (
    "unlabelled unlabeled unlabel unknown none null nan na missing blank nolabel nolabels nolabelled nolabeled noclass "
    "notlabelled notlabeled withoutlabel withoutlabels unannotated unassigned unclassified unsorted untagged undefined "
    "tbd todo"
)
LARGEST_WHOLE = 2**53
"""Whole numbers up to this are told apart by a float of 64 bits."""
SIGNS = (frozenset({-1.0, 1.0}), frozenset({-1.0, 0.0, 1.0}))
"""Values that are a coding as likely as they are values and blanks."""


def read_as(variable: Variable, entry: ColumnSpec) -> Variable:
    """The variable that cells are read for: weights that add up to 1 where a label is soft, grey levels in [0, 1] where
    they are made black and white afterwards."""
    if entry.soft:
        return replace(variable, domain="simplex", shape=(variable.support or 0,), names=(), support=None)
    return variable if entry.binarize is None else replace(variable, domain="unit", names=(), support=None)


def looks_blank(cell: str) -> bool:
    """People write this for a cell that is blank, or call a folder of pictures without a label so. It is none unless
    the spec says so."""
    bare = re.sub(r"[\W_]", "", cell.lower())
    return bare in _BLANK_WORDS.split() or (not bare and cell != "")


@dataclass(frozen=True)
class _Marks:
    """What `missing` lists, as text and as numbers."""

    texts: frozenset[str]
    numbers: frozenset[float]

    @classmethod
    def of(cls, missing: Sequence[Cell], numbers: NumberFormat) -> "_Marks":
        texts = frozenset(str(mark).strip() for mark in missing)
        given = [float(mark) if not isinstance(mark, str) else numbers.number(mark.strip()) for mark in missing]
        return cls(texts, frozenset(number for number in given if number is not None))

    def has(self, cell: str, number: float | None = None) -> bool:
        return cell in self.texts or (number is not None and number in self.numbers)


@dataclass(frozen=True)
class CellReader:
    """How the text cells of one column are read for a variable.

    A name that is declared always is a value. Blanks are empty cells, NaN, what `missing` lists, and -1 in a column of
    whole numbers of a category, binary or count. cells: the different cells of the column.
    """

    variable: Variable
    missing: tuple[Cell, ...]
    cells: Sequence[str]
    numbers: NumberFormat = PLAIN_NUMBERS

    @cached_property
    def values(self) -> list[float | None]:
        """Of each of `cells`: its number or class index, NaN for a blank, None where it is neither.

        Whether a number lies in the range of the domain is another question (`in_range`).
        """
        stripped = [cell.strip() for cell in self.cells]
        numbers = self.numbers.all_of(stripped)
        if not self.variable.discrete:
            return [self._real(cell, number) for cell, number in zip(stripped, numbers, strict=True)]
        return [self._discrete(cell, number) for cell, number in zip(stripped, numbers, strict=True)]

    def _real(self, cell: str, number: float | None) -> float | None:
        if number is not None and not self._marks.numbers and not self._marks.texts:
            return number
        return math.nan if not cell or self._marks.has(cell, number) else number

    def _discrete(self, cell: str, number: float | None) -> float | None:
        index = self._index_of(cell, number)
        if index is not None:
            return index
        if self._is_blank(cell, number) or (number == -1 and self.minus_one_is_blank):
            return math.nan
        if number is None or not number.is_integer() or abs(number) > LARGEST_WHOLE or self._names_are_numbers:
            return None
        if number == -1:  # beside cells that are no whole numbers
            return None
        names = len(self.variable.names)
        return number if not names or 0 <= number < names else None

    def _is_blank(self, cell: str, number: float | None) -> bool:
        return not cell or (number is not None and math.isnan(number)) or self._marks.has(cell, number)

    def _index_of(self, cell: str, number: float | None) -> float | None:
        """The class that is called so; a number written otherwise, 3.0 for 3, is the same name."""
        if cell in self._names[0]:
            return self._names[0][cell]
        return None if number is None else self._names[1].get("nan" if math.isnan(number) else number)

    @cached_property
    def _names(self) -> tuple[Mapping[str, float], Mapping[float | str, float]]:
        texts = {name.strip(): float(index) for index, name in enumerate(self.variable.names)}
        numbers: dict[float | str, float] = {}
        for name, index in texts.items():
            number = PLAIN_NUMBERS.number(name)
            if number is not None:
                numbers.setdefault("nan" if math.isnan(number) else number, index)
        return texts, numbers

    @cached_property
    def _names_are_numbers(self) -> bool:
        return bool(self._names[0]) and all(PLAIN_NUMBERS.number(name) is not None for name in self._names[0])

    @cached_property
    def _marks(self) -> _Marks:
        return _Marks.of(self.missing, self.numbers)

    @cached_property
    def _whole_numbers(self) -> frozenset[float]:
        """The numbers of a column that has nothing but whole numbers and blanks, else none."""
        found = set()
        for cell in map(str.strip, self.cells):
            number = self.numbers.number(cell)
            if self._is_blank(cell, number) and self._index_of(cell, number) is None:
                continue
            if number is None or not number.is_integer():
                return frozenset()
            found.add(number)
        return frozenset(found)

    @cached_property
    def minus_one_is_blank(self) -> bool:
        """-1 stands for a blank in this column."""
        return self.variable.discrete and not self._minus_one_is_named and -1 in self._whole_numbers

    @property
    def _minus_one_is_named(self) -> bool:
        return self._index_of("-1", -1.0) is not None

    @cached_property
    def could_be_signs(self) -> bool:
        """The values are -1 and 1, or -1, 0 and 1, and nothing says whether -1 is a value or a blank."""
        return self.minus_one_is_blank and self._whole_numbers in SIGNS

    def number(self, cell: str) -> float | None:
        """The number that a cell is, whatever it stands for."""
        return self.numbers.number(cell.strip())

    def is_blank(self, cell: str) -> bool:
        """The cell is a blank, and no name."""
        text, number = cell.strip(), self.number(cell)
        if self._index_of(text, number) is not None:
            return False
        return self._is_blank(text, number) or (number == -1 and self.minus_one_is_blank)

    def in_range(self, value: float) -> bool:
        """A number that `values` gave lies in the domain."""
        variable, domain = self.variable, self.variable.domain
        if variable.discrete:
            low = variable.minimum
            return value >= low and (variable.support is None or value < low + variable.support)
        if not math.isfinite(value) or (value < 0 and domain in ("unit", "positive", "simplex")):
            return False
        return (domain != "unit" or value <= 1) and (domain != "positive" or value > 0)

    def named(self, mark: Cell) -> bool:
        """What `missing` lists is a name of the variable, and so never a blank."""
        text = str(mark).strip()
        return self.variable.discrete and self._index_of(text, PLAIN_NUMBERS.number(text)) is not None


def signs_problem(variable: Variable, column: str, minus_ones: int, zeros: bool) -> tuple[str, str]:
    """(message, hint) for a column whose values `could_be_signs`. minus_ones: how many cells are -1."""
    values = ("-1", "0", "1") if zeros else ("-1", "1")
    shown = f"{', '.join(values[:-1])} and {values[-1]}"
    cells = counted(minus_ones, "cell is", "cells are")
    message = f"column {column} holds only {shown} ({cells} -1): is -1 a value of '{variable.name}', or a blank?"
    blank = "a blank: `missing: [-1]` beside the column"
    if variable.domain == "count":
        return message, f"{blank}; a count has no negative values"
    quoted = ", ".join(f'"{value}"' for value in values)
    kind = "domain: category, " if variable.domain == "binary" and zeros else ""
    return message, f"a value: `{kind}names: [{quoted}]` in the variable; {blank}"
