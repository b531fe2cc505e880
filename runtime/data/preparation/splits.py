"""Which rows are held out. From: the split rules of `data`. To: training, validation and test rows of the source.

A row's place follows from the seed and its own identity: rows that are added move others only where a count ends.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graphspec.language import DataSection, Split
from graphspec.reading.suggestions import few
from runtime.data.randomness import drawn_order
from runtime.data.read.row_identity import by_name
from runtime.data.read.table import Array, Table, whole
from runtime.data.stream.proportions import proportional_order, ranks_within
from runtime.errors import DataError

RowNumbers = NDArray[np.int64]
Mask = NDArray[np.bool_]
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


def split_rows(data: DataSection, table: Table, strata: RowNumbers, trains: Mask | None = None) -> Splits:
    """Draw the splits, fixed by `data.seed`.

    `test` is the source's own split, else 0.2 of the rows. A `test` rule draws from all rows, also from those of the
    source's own test split. `validation` draws from what is left for training. strata: [N], what is kept in proportion
    where the rule names no column. trains: [N] rows that must not be held out. Raises DataError for a rule that cannot
    be met.
    """
    every = np.arange(table.rows)
    draw = _Draw(table, data.seed, strata, np.zeros(table.rows, dtype=np.bool_) if trains is None else trains)
    notes: tuple[str, ...] = ()
    if data.test is None and table.training_rows is not None:
        test = draw.spared(every[table.training_rows :], "test")
    else:
        test = draw.rows(DEFAULT_TEST if data.test is None else data.test, "test", every)
        if table.training_rows is not None:
            notes = (f"`test` is given, so rows of {table.name}'s own test split are drawn from like any other row",)
    remaining = np.setdiff1d(every, test)
    rule = DEFAULT_VALIDATION if data.validation is None else data.validation
    validation = draw.rows(rule, "validation", remaining)
    training = np.setdiff1d(remaining, validation)
    if not len(training):
        raise DataError("no training rows are left", "hold out fewer rows for test and validation")
    return Splits(training, validation, test, notes)


@dataclass(frozen=True)
class _Draw:
    """What every draw of held-out rows needs to know."""

    table: Table
    seed: int
    strata: RowNumbers
    trains: Mask

    def rows(self, rule: HeldOut, part: str, rows: RowNumbers) -> RowNumbers:
        """The rows of `rows` that `rule` holds out, sorted."""
        if isinstance(rule, Split) and rule.column is not None:
            return self.spared(_by_value(rule, part, rows, self.table), part)
        if isinstance(rule, Split) and rule.group is not None:
            return self._groups(rule, rule.group, part, rows)
        fold = isinstance(rule, Split) and rule.fold is not None
        open_rows = rows if fold else rows[~self.trains[rows]]
        order = drawn_order(self.table.identities, self.seed, "split", part)
        drawn = order[np.isin(order, open_rows)]
        strata = self.strata
        if isinstance(rule, Split) and rule.stratify is not None:
            strata = _codes(rule.stratify, part, self.table)
        if isinstance(rule, Split) and rule.fold is not None and rule.of is not None:
            if len(rows) < rule.of:
                raise DataError(f"{part} asks for {rule.of} folds of {len(rows)} rows", f"say of: {len(rows)} or fewer")
            folds = np.arange(len(drawn)) * rule.of // len(drawn)
            return self.spared(np.sort(drawn[proportional_order(strata[drawn])][folds == rule.fold]), part)
        count = min(_count(rule, part, len(rows)), len(drawn))
        return np.sort(drawn[_last_of_each_last(strata[drawn])[:count]])

    def _groups(self, rule: Split, group: str, part: str, rows: RowNumbers) -> RowNumbers:
        groups = _codes(group, part, self.table)
        closed = np.isin(groups, groups[self.trains])
        names = np.array([same_text(cell) for cell in _cells(group, part, self.table)])
        order = drawn_order(by_name(names), self.seed, "split", part)
        drawn = order[np.isin(order, rows)]
        if rule.fold is not None and rule.of is not None:
            chosen = drawn[_folds_of_groups(rule.of, part, groups[drawn]) == rule.fold]
        else:
            assert rule.fraction is not None, "the schema lets through one of fraction, column and fold"
            chosen = drawn[_whole_groups(rule.fraction, part, groups[drawn])]
        return self._kept(np.sort(chosen), ~closed[np.sort(chosen)], part)

    def spared(self, rows: RowNumbers, part: str) -> RowNumbers:
        """`rows` without those that must train."""
        return self._kept(rows, ~self.trains[rows], part)

    def _kept(self, rows: RowNumbers, keep: Mask, part: str) -> RowNumbers:
        if len(rows) and not keep.any():
            raise DataError(
                f"every {part} row has trained the weights that this training starts from",
                f"hold out other rows, or say {part}: 0",
            )
        return rows[keep]


def _last_of_each_last(strata: RowNumbers) -> RowNumbers:
    """Rows in proportion, but the last one of every stratum after all others: it is needed in what is left."""
    order = proportional_order(strata)
    rank, size = ranks_within(strata)
    is_last = (rank == size - 1)[order]
    return np.concatenate([order[~is_last], order[is_last]])


def _count(rule: HeldOut, part: str, rows: int) -> int:
    if isinstance(rule, Split):
        assert rule.fraction is not None, "asked for a share"
        return _share(rule.fraction, part, rows)
    if not isinstance(rule, int):
        return _share(rule, part, rows)
    if rule >= rows:
        raise DataError(
            f"{part} asks for {rule} rows, and only {rows} are there to draw from", f"say {part}: a smaller count"
        )
    return rule


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
        shown = few(sorted(set(names.tolist())), 8)
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


def _whole_groups(fraction: float, part: str, groups: RowNumbers) -> NDArray[np.bool_]:
    """Mask over drawn rows: groups in the order drawn until their size comes closest to the share."""
    values, first, sizes = np.unique(groups, return_index=True, return_counts=True)
    if len(values) < 2:
        raise DataError(f"{part} keeps groups together, and there is only one group", "group by another column")
    order = np.argsort(first)
    reached = np.cumsum(sizes[order])
    number = min(int(np.argmin(np.abs(reached - fraction * len(groups)))) + 1, len(values) - 1)
    return np.isin(groups, values[order[:number]])


def _folds_of_groups(of: int, part: str, groups: RowNumbers) -> RowNumbers:
    """Fold of each drawn row: groups, largest first, go to the smallest fold; of equal size, the one drawn first."""
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
