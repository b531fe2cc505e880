"""What a column of a table is taken for, from its cells alone, and the reason in words.

A guess is written into a spec beside its reason, for the author to correct; nothing is hidden, so a column that is left
out has a reason too.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from graphspec.headers.automatic_names import one_name
from graphspec.headers.blank_numbers import number_for_blank
from graphspec.headers.cell_reader import SIGNS, looks_blank
from graphspec.headers.columns import Column
from graphspec.headers.numbers import NumberFormat, look_alike
from graphspec.reading.suggestions import amount, counted

Kind = Literal["number", "binary", "category", "left out"]

MOST_LABEL_CLASSES, MOST_NUMBERED_CLASSES = 200, 20
"""A label of more different texts is no class; one of more different whole numbers is a number."""
MOST_CLASSES = 50
"""A column of more classes has more weights than a start needs."""
CLASS_WORDS = frozenset({"none", "unknown"})
"""Words for a blank that are as often a class, in a column of texts that is no label."""
_ROW_NUMBER = re.compile(r"(row|line|index|id|nr|no|number|unnamed: ?0|obs|case|key)(id|nr|no|number)?", re.IGNORECASE)


@dataclass(frozen=True)
class Guess:
    """One column.

    names: of its classes, in order (none of a coding as 0 and 1); None: the file was not read to its end. marks: what
    its cells say for a blank, beside empty ones. blanks: how many cells are one. counts: of each class. why: the
    reason, where there is something to say.
    """

    column: str
    kind: Kind
    names: tuple[str, ...] | None = ()
    marks: tuple[str, ...] = ()
    blanks: int = 0
    counts: tuple[int, ...] = ()
    why: str = ""


def guess(column: Column, numbers: NumberFormat, *, label: bool) -> Guess:
    """What the column is, as far as its cells tell. label: it is to be predicted, so that it is left out on no account.

    Raises ValueError, in words, for a label that has no values or too many.
    """
    found = _Cells(column, numbers, label)
    return found.as_label() if label else found.as_input()


class _Cells:
    """The different cells of a column: blanks apart, and as numbers where all others are some."""

    def __init__(self, column: Column, numbers: NumberFormat, label: bool) -> None:
        self.name, self.complete = column.name, column.complete
        cells = dict(zip(column.values, column.counts, strict=True))
        words = {cell for cell in cells if looks_blank(cell)}
        others = [cell for cell in cells if cell and cell not in words]
        read = dict(zip(others, numbers.all_of(others), strict=True))
        finite = all(number is not None and math.isfinite(number) for number in read.values())
        self.numbers: Mapping[str, float] = {c: n for c, n in read.items() if n is not None} if finite else {}
        if not self.numbers and not label:
            words = {word for word in words if word.lower() not in CLASS_WORDS}
        words |= self._sentinels(cells) or (self._minus_one() if label else set())
        self.marks = tuple(sorted(word for word in words if word))
        self.blanks = sum(count for cell, count in cells.items() if not cell or cell in words)
        self.cells = {cell: count for cell, count in cells.items() if cell and cell not in words}
        self.numbers = {cell: number for cell, number in self.numbers.items() if cell in self.cells}

    def _sentinels(self, cells: Mapping[str, int]) -> set[str]:
        """A number apart from all others that stands in several rows."""
        counts: dict[float, int] = {}
        for cell, number in self.numbers.items():
            counts[number] = counts.get(number, 0) + cells[cell]
        code = number_for_blank(counts)
        return {cell for cell, number in self.numbers.items() if number == code}

    def _minus_one(self) -> set[str]:
        """-1 beside whole numbers of 0 and more, as the reader of classes takes it too: no label; -1 and 1, with or
        without 0, are classes."""
        values = frozenset(self.numbers.values())
        codes = -1.0 in values and values not in SIGNS and min(values) == -1 and all(v.is_integer() for v in values)
        return {cell for cell, number in self.numbers.items() if number == -1} if codes else set()

    @property
    def rows(self) -> int:
        """Cells that are no blanks."""
        return sum(self.cells.values())

    def _guess(
        self, kind: Kind, why: str = "", names: tuple[str, ...] | None = (), counts: tuple[int, ...] = ()
    ) -> Guess:
        return Guess(self.name, kind, names, self.marks, self.blanks, counts, why)

    def _classes(self, kind: Kind, why: str = "") -> Guess:
        """Classes by name, numbers in their order; 3 and 3.0 are one."""
        if not self.complete:
            return self._guess("category", why, None)
        counts: dict[str, int] = {}
        for cell, count in self.cells.items():
            name = one_name(cell, self.numbers.get(cell))
            counts[name] = counts.get(name, 0) + count
        names = sorted(counts, key=float) if self.numbers else sorted(counts)
        plain = kind == "binary" and names == ["0", "1"]
        return self._guess(kind, why, () if plain else tuple(names), tuple(counts[name] for name in names))

    def as_label(self) -> Guess:
        different = len(set(self.numbers.values()) or self.cells)
        if different < 2:
            raise ValueError(
                f"column {self.name} has {'no value' if not different else 'one value only'} to learn from"
            )
        if self.numbers:
            whole = all(number.is_integer() for number in self.numbers.values())
            if not whole or different > MOST_NUMBERED_CLASSES:
                return self._guess("number")
            signs = "; if -1 means no label: missing: [-1]" if frozenset(self.numbers.values()) in SIGNS else ""
            return self._classes("category", f"whole numbers, taken for classes; a number has `domain: real`{signs}")
        if different > MOST_LABEL_CLASSES:
            told = look_alike(list(self.cells), NumberFormat())
            raise ValueError(f"column {self.name} has {amount(different)} different texts, too many for classes"
                             + (f": {told}" if told else ""))  # fmt: skip
        return self._classes("category")

    def as_input(self) -> Guess:
        different = len(set(self.numbers.values()) or self.cells)
        if different < 2:
            return self._guess("left out", "has no value" if not different else "is the same in every row")
        if self.numbers:
            return self._of_numbers(different)
        told = look_alike(list(self.cells), NumberFormat())
        if told:
            return self._guess("left out", told)
        if different > 20 and 2 * different > self.rows:
            return self._guess("left out", "has another text in most rows")
        if different > MOST_CLASSES:
            return self._guess("left out", f"has {amount(different)} different texts")
        return self._classes("binary" if different == 2 else "category")

    def _of_numbers(self, different: int) -> Guess:
        values = sorted(set(self.numbers.values()))
        if different == 2:
            return self._classes("binary")
        whole = all(value.is_integer() for value in values)
        if whole and different == self.rows > 10 and _ROW_NUMBER.fullmatch(self.name.strip()):
            return self._guess("left out", "counts or names the rows")
        if whole and different == self.rows > 10 and values[-1] - values[0] == different - 1:
            return self._guess("left out", "counts the rows")
        return self._guess("number")


def told_blanks(guesses: list[Guess]) -> str:
    """`12 cells are blank (NA, -9)`; nothing where none is."""
    total = sum(each.blanks for each in guesses)
    marks = sorted({mark for each in guesses for mark in each.marks})
    if not total:
        return ""
    return counted(total, "cell is", "cells are") + " blank" + (f" ({', '.join(marks)} too)" if marks else "")
