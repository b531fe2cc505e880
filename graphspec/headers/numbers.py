"""How numbers are written in a table: the spec may say another decimal sign and a sign between thousands.

From: text of cells. To: numbers, and for cells that are none, what they look like. A cell is read by this and nothing
else, in `check` and in the runtime.
"""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class NumberFormat:
    """decimal: before the fraction; thousands: between groups of three digits, "" for none."""

    decimal: str = "."
    thousands: str = ""

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        point = re.escape(self.decimal)
        groups = rf"|[0-9]{{1,3}}(?:{re.escape(self.thousands)}[0-9]{{3}})+" if self.thousands else ""
        whole = rf"(?:[0-9]+{groups})"
        digits = rf"(?:{whole}(?:{point}[0-9]*)?|{point}[0-9]+)(?:[eE][+-]?[0-9]+)?"
        return re.compile(rf"[+-]?(?:{digits}|[iI][nN][fF](?:[iI][nN][iI][tT][yY])?|[nN][aA][nN])")

    def number(self, cell: str) -> float | None:
        """The number that a stripped cell is (`nan` and `inf` are), else None."""
        if self._pattern.fullmatch(cell) is None:
            return None
        plain = cell.replace(self.thousands, "") if self.thousands else cell
        return float(plain.replace(self.decimal, "."))

    def all_of(self, cells: Sequence[str]) -> list[float | None]:
        """`number` of every cell; quick where all are plain numbers, but for empty ones."""
        together = "".join(cells) if self == PLAIN_NUMBERS else "_"
        if together.isascii() and "_" not in together:  # all else that Python reads is a number here too
            try:
                return [float(cell) if cell else None for cell in cells]
            except ValueError:
                pass
        return [self.number(cell) for cell in cells]


PLAIN_NUMBERS = NumberFormat()


def is_number(cell: str) -> bool:
    """The cell reads as a number, plainly written; `nan` does."""
    return PLAIN_NUMBERS.number(cell) is not None


def is_integer(cell: str) -> bool:
    """The cell reads as a whole number; `3.0` does, as tables with blanks are often written so."""
    number = PLAIN_NUMBERS.number(cell)
    return number is not None and number.is_integer()


def same_cell(cell: str, mark: int | float | str) -> bool:
    """The same text, or the same number: `3.0` in a file is 3 in a spec."""
    number, wanted = PLAIN_NUMBERS.number(cell.strip()), PLAIN_NUMBERS.number(str(mark).strip())
    return cell.strip() == str(mark).strip() or (number is not None and same_number(number, wanted))


def same_number(number: float, other: float | None) -> bool:
    """Equal, NaN with NaN too."""
    return number == other or (other is not None and math.isnan(number) and math.isnan(other))


_SIGN = r"[+-]?"
_THOUSANDS = {mark: re.compile(rf"{_SIGN}[0-9]{{1,3}}(?:{re.escape(mark)}[0-9]{{3}})+") for mark in ",.' \u00a0\u202f’"}
_DECIMALS = {mark: re.compile(rf"{_SIGN}[0-9]*{re.escape(mark)}[0-9]+(?:[eE][+-]?[0-9]+)?") for mark in ",."}
_BOTH = {
    mark: re.compile(rf"{_SIGN}[0-9]{{1,3}}(?:{re.escape(other)}[0-9]{{3}})+{re.escape(mark)}[0-9]+")
    for mark, other in ((",", "."), (".", ","))
}
_DATE = re.compile(
    r"[0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]{1,2}(?:[ T].*)?|[0-9]{1,2}[-/.][0-9]{1,2}[-/.](?:[0-9]{4}|[0-9]{2})(?:[ T].*)?"
    r"|[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?"
)
_PERCENT = re.compile(rf"{_SIGN}[0-9]+(?:[.,][0-9]+)?\s*%")


_WITH_UNIT = re.compile(
    rf"[$€£¥]\s?{_SIGN}[0-9][0-9.,]*|{_SIGN}[0-9][0-9.,]*\s?(?:[$€£¥]|[A-Za-zµ°][A-Za-z°/]{{0,4}}[²³]?)"
)
"""`€ 12.50`, `12.50 €`, `37.2 °C`, `80 kg`."""


def look_alike(cells: Sequence[str], numbers: NumberFormat) -> str:
    """What cells that are no numbers seem to be, and what to do; "" where that cannot be told.

    Grouped thousands are also decimal commas of three digits: the kind that fits every cell is meant, thousands first.
    """
    if not cells:
        return ""
    shown = repr(cells[0])
    if all(map(_DATE.fullmatch, cells)):
        return f"{shown} looks like a date or a time: add a column with the number you mean, such as days or the month"
    if all(map(_PERCENT.fullmatch, cells)):
        return f"{shown} is a percentage: write the share as a number"
    if all(map(_WITH_UNIT.fullmatch, cells)):
        return f"{shown} looks like a number with a currency or a unit: write the number alone, the unit in the header"
    for mark, form in _THOUSANDS.items():
        if mark not in (numbers.decimal, numbers.thousands) and all(map(form.fullmatch, cells)):
            return (
                f"{shown} looks like a number with marks between thousands: say data: {{thousands: {json.dumps(mark)}}}"
            )
    for mark, form in _DECIMALS.items():
        if mark == numbers.decimal:
            continue
        other = "." if mark == "," else ","
        if all(map(form.fullmatch, cells)):
            word = "comma" if mark == "," else "point"
            return f'{shown} looks like a number with a decimal {word}: say data: {{decimal: "{mark}"}}'
        if all(form.fullmatch(cell) or _BOTH[mark].fullmatch(cell) for cell in cells):
            return f'{shown} looks like a number: say data: {{decimal: "{mark}", thousands: "{other}"}}'
    return ""
