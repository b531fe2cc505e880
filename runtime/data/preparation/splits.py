"""Which rows are held out. From: the split rules of `data`. To: training, validation and test rows of the source.

Rows are drawn without a look at any label, unless a rule names a label's column (`stratify`, `group`, `column`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graphspec.language import DataSection, Split
from runtime.data.randomness import shuffled
from runtime.data.read.table import Array, Table, whole
from runtime.errors import DataError

RowNumbers = NDArray[np.int64]
HeldOut = int | float | Split
DEFAULT_TEST = 0.2
DEFAULT_VALIDATION = 0.1


@dataclass(frozen=True)
class Splits:
    """Sorted 0-based rows of the source; together every row once."""

    training: RowNumbers
    validation: RowNumbers
    test: RowNumbers
    notes: tuple[str, ...] = ()


def split_columns(data: DataSection) -> tuple[str, ...]:
    """Columns that the split rules read."""
    rules = [rule for rule in (data.test, data.validation) if isinstance(rule, Split)]
    named = [name for rule in rules for name in (rule.stratify, rule.group, rule.column) if name is not None]
    return tuple(dict.fromkeys(named))


def split_rows(data: DataSection, table: Table) -> Splits:
    """Draw the splits, fixed by `data.seed`.

    `test` is the source's own split, else 0.2 of the rows. A `test` rule draws from all rows, also from those of the
    source's own test split. `validation` draws from what is left for training. Raises DataError for a rule that
    cannot be met.
    """
    every = np.arange(table.rows)
    notes: tuple[str, ...] = ()
    if data.test is None and table.training_rows is not None:
        test = every[table.training_rows :]
    else:
        test = _draw(DEFAULT_TEST if data.test is None else data.test, "test", every, table, data.seed)
        if table.training_rows is not None:
            notes = (f"`test` is given, so rows of {table.name}'s own test split are drawn from like any other row",)
    remaining = np.setdiff1d(every, test)
    rule = DEFAULT_VALIDATION if data.validation is None else data.validation
    validation = _draw(rule, "validation", remaining, table, data.seed)
    training = np.setdiff1d(remaining, validation)
    if not len(training):
        raise DataError("no training rows are left", "hold out fewer rows for test and validation")
    return Splits(training, validation, test, notes)


def _draw(rule: HeldOut, part: str, rows: RowNumbers, table: Table, seed: int) -> RowNumbers:
    """The rows of `rows` that `rule` holds out, sorted."""
    if isinstance(rule, Split) and rule.column is not None:
        return _by_value(rule, part, rows, table)
    order = shuffled(table.rows, seed, "split", part)
    drawn = order[np.isin(order, rows)]
    if isinstance(rule, Split):
        strata = _codes(rule.stratify, part, table)[drawn] if rule.stratify is not None else None
        groups = _codes(rule.group, part, table)[drawn] if rule.group is not None else None
        if rule.fold is not None and rule.of is not None:
            return np.sort(drawn[_folds(rule.of, part, len(drawn), strata, groups) == rule.fold])
        assert rule.fraction is not None, "the schema lets through one of fraction, column and fold"
        if groups is not None:
            return np.sort(drawn[_whole_groups(rule.fraction, part, groups)])
        count = _share(rule.fraction, part, len(rows))
        return np.sort(drawn[_per_stratum(count, strata)] if strata is not None else drawn[:count])
    count = rule if isinstance(rule, int) else _share(rule, part, len(rows))
    if count >= len(rows):
        raise DataError(
            f"{part} asks for {count} rows, and only {len(rows)} are there to draw from", f"say {part}: a smaller count"
        )
    return np.sort(drawn[:count])


def _share(share: float, part: str, rows: int) -> int:
    """A share of the rows, at least one, to the nearest whole number."""
    if rows < 2:
        raise DataError(f"{rows} rows are too few to hold out {share:g} for {part}", f"say {part}: 0, or add rows")
    return min(max(1, int(share * rows + 0.5)), rows - 1)


def _by_value(rule: Split, part: str, rows: RowNumbers, table: Table) -> RowNumbers:
    assert rule.column is not None, "asked by column"
    cells = _cells(rule.column, part, table)
    wanted = str(rule.value)
    names = np.array([same_text(value) for value in cells])
    chosen: RowNumbers = rows[names[rows] == same_text(rule.value)]
    if not len(chosen):
        shown = ", ".join(sorted(set(names.tolist()))[:8])
        raise DataError(f"no row has {wanted!r} in column {rule.column!r}, which {part} asks for", f"values: {shown}")
    return chosen


def same_text(value: object) -> str:
    """Cells that mean the same compare equal: 3, 3.0 and '3'."""
    text = str(value).strip()
    try:
        number = float(text)
    except ValueError:
        return text
    return str(int(number)) if number.is_integer() else str(number)


def _cells(column: str, part: str, table: Table) -> Array:
    cells = whole(table.columns[column])
    if cells.ndim != 1 or cells.dtype == object:
        raise DataError(f"{part} reads column {column!r}, whose cells are no single values", "name a column of scalars")
    return cells


def _codes(column: str, part: str, table: Table) -> RowNumbers:
    """One whole number per row, the same for equal cells; blanks are one value of their own."""
    codes = np.unique(_cells(column, part, table), return_inverse=True)[1]
    return codes.astype(np.int64)


def apportion(count: int, sizes: Mapping[int, int]) -> dict[int, int]:
    """`count` shared out in proportion to `sizes`, by largest remainder; ties go to the smaller key."""
    total = sum(sizes.values())
    exact = {key: count * size / total for key, size in sizes.items()}
    result = {key: int(value) for key, value in exact.items()}
    by_remainder = sorted(sizes, key=lambda key: (result[key] - exact[key], key))
    for key in by_remainder[: count - sum(result.values())]:
        result[key] += 1
    return result


def _per_stratum(count: int, strata: RowNumbers) -> NDArray[np.bool_]:
    """Mask over shuffled rows: the first ones of each stratum, in proportion."""
    values, sizes = np.unique(strata, return_counts=True)
    share = apportion(count, dict(zip(values.tolist(), sizes.tolist(), strict=True)))
    chosen = np.zeros(len(strata), dtype=np.bool_)
    for value, number in share.items():
        chosen[np.flatnonzero(strata == value)[:number]] = True
    return chosen


def _whole_groups(fraction: float, part: str, groups: RowNumbers) -> NDArray[np.bool_]:
    """Mask over shuffled rows: groups in order of first appearance until their size comes closest to the share."""
    values, first, sizes = np.unique(groups, return_index=True, return_counts=True)
    if len(values) < 2:
        raise DataError(f"{part} keeps groups together, and there is only one group", "group by another column")
    order = np.argsort(first)
    reached = np.cumsum(sizes[order])
    number = min(int(np.argmin(np.abs(reached - fraction * len(groups)))) + 1, len(values) - 1)
    return np.isin(groups, values[order[:number]])


def _folds(of: int, part: str, rows: int, strata: RowNumbers | None, groups: RowNumbers | None) -> RowNumbers:
    """Fold of each shuffled row. Rows (of one stratum after the other) are dealt in turn; groups, largest first, go
    to the smallest fold."""
    if groups is None:
        if rows < of:
            raise DataError(f"{part} asks for {of} folds of {rows} rows", f"say of: {rows} or fewer")
        order = np.argsort(strata, kind="stable") if strata is not None else np.arange(rows)
        folds = np.empty(rows, dtype=np.int64)
        folds[order] = np.arange(rows) % of
        return folds
    values, first, sizes = np.unique(groups, return_index=True, return_counts=True)
    if len(values) < of:
        raise DataError(f"{part} asks for {of} folds of {len(values)} groups", f"say of: {len(values)} or fewer")
    fold_of: dict[int, int] = {}
    filled = [0] * of
    for index in np.lexsort((first, -sizes)).tolist():
        smallest = filled.index(min(filled))
        fold_of[int(values[index])] = smallest
        filled[smallest] += int(sizes[index])
    return np.array([fold_of[int(group)] for group in groups], dtype=np.int64)
