"""Cells that say where a line belongs: keys, compared as people mean them, and what lines are sorted by.

From: a column as text. To: keys of which the same ones are equal, and numbers to sort by. Raises `LayoutError` with the
file and line of a cell that will not do.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from graphspec.headers.numbers import PLAIN_NUMBERS, NumberFormat
from graphspec.headers.table import SourceError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Where = Callable[[int], str]
"""A line by its number from 0, in words: `visits.csv line 12`."""


class LayoutError(SourceError):
    """Elements do not stand as the spec says (GS028)."""


def canonical(cell: str) -> str:
    """The same text for the same key: 3, 3.0 and 03 are one."""
    number = PLAIN_NUMBERS.number(cell) if cell[:1] in "+-.0123456789" and cell else None
    if number is None or not number.is_integer() or abs(number) > 2**53:
        return cell
    return str(int(number))


def read_keys(column: str, cells: Sequence[str], where: Where) -> list[str]:
    """Keys in their canonical text. LayoutError for a blank, and for one key that is spelled in two ways: the numbers
    1 and 01 may be two people, or one."""
    spelled: dict[str, tuple[str, int]] = {}
    keys: dict[str, str] = {}
    for line, cell in enumerate(cells):
        if cell in keys:
            continue
        key = canonical(cell.strip())
        if not key:
            raise LayoutError(f"{where(line)} has no {column}", "a line without a key belongs to no row: fill it")
        other, first = spelled.setdefault(key, (cell, line))
        if other.strip() != cell.strip():
            message = f"column {column} holds {other!r} ({where(first)}) and {cell!r} ({where(line)})"
            raise LayoutError(message, "as numbers they are one key, as text two: write each key in one way")
        keys[cell] = key
    return [keys[cell] for cell in cells]


def look_alikes(keys: Sequence[str]) -> list[tuple[str, str]]:
    """Keys that differ by case or by spaces within them: probably one each."""
    found: dict[str, str] = {}
    pairs = []
    for key in dict.fromkeys(keys):
        folded = " ".join(key.casefold().split())
        if found.setdefault(folded, key) != key:
            pairs.append((found[folded], key))
    return pairs


def read_order(column: str, cells: Sequence[str], where: Where, numbers: NumberFormat) -> "NDArray[np.generic]":
    """Numbers that sort as the cells do: all numbers, or all dates and times as ISO 8601 writes them."""
    import numpy as np

    stripped = [cell.strip() for cell in cells]
    blank = next((line for line, cell in enumerate(stripped) if not cell or cell.lower() == "nan"), None)
    if blank is not None:
        message = f"{where(blank)} has no {column}, by which elements are sorted"
        raise LayoutError(message, "fill it, or leave `order` out: elements then stand as in the file")
    if all(map(_is_whole, stripped)):
        whole = [int(cell) for cell in stripped]
        if not whole or max(map(abs, whole)) < 2**63:
            return np.array(whole, dtype=np.int64)
    found = numbers.all_of(stripped)
    if None not in found:
        return np.array(found, dtype=np.float64)
    moments = [_moment(cell) for cell in stripped]
    undated = [line for line, moment in enumerate(moments) if moment is None]
    if undated:
        wrong = next((line for line in undated if found[line] is None), undated[0])
        as_number = found[wrong] is not None
        what = "is a number among dates" if as_number else "is no number and no date such as 2024-03-31"
        raise LayoutError(
            f"{where(wrong)}: {column} {cells[wrong]!r} {what}",
            "elements are sorted by numbers, or by dates and times as ISO 8601 writes them (2024-03-31T18:30)",
        )
    zones = [moment.tzinfo is not None for moment in moments if moment is not None]
    if any(zones) and not all(zones):
        line = zones.index(False)
        message = f"{where(line)}: {column} {cells[line]!r} has no time zone, and others have one"
        raise LayoutError(message, "write all times with a zone, or none")
    return np.array([_microseconds(moment) for moment in moments if moment is not None], dtype=np.int64)


def _is_whole(cell: str) -> bool:
    return cell.isascii() and (cell[1:] if cell[:1] in "+-" else cell).isdigit()


def _moment(cell: str) -> datetime | None:
    try:
        return datetime.fromisoformat(cell)
    except ValueError:
        return None


def _microseconds(moment: datetime) -> int:
    """Since the year 1970, of a time without a zone as if it were in Greenwich."""
    since = (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)) - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
