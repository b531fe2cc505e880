"""Rules of `data.test` and `data.validation`, and how many rows each split will have where that can be known."""

from dataclasses import dataclass

from graphspec.headers.columns import Column, fit
from graphspec.headers.numbers import same_cell
from graphspec.headers.sources import SourceInfo
from graphspec.language import DataSection, Split
from graphspec.reading.suggestions import did_you_mean, few
from graphspec.text.report import Report

TEST_SHARE = 0.2
"""Of all rows, where the source has no test split and the spec asks for none (design, Data)."""
VALIDATION_SHARE = 0.1
"""Of the training rows."""
HeldOut = int | float | Split


@dataclass(frozen=True)
class Sizes:
    """Rows of each split; None where it depends on cells, or on a source that is not there.

    total: rows of the source, its own test split included.
    """

    total: int | None = None
    test: int | None = None
    validation: int | None = None
    training: int | None = None


def check_splits(data: DataSection, info: SourceInfo, report: Report) -> Sizes:
    """GS087 for columns that do not exist and splits that leave no training rows; GS113 for a replaced test split."""
    for field, held in (("test", data.test), ("validation", data.validation)):
        if isinstance(held, Split) and info.columns is not None:
            _check_split_columns(field, held, data, info.columns, report)
    if info.has_test and data.test is not None:
        message = f"{data.source} has a test split of its own, which `test` replaces"
        hint = "leave it out to compare with other results on this data set"
        report.warning("GS113", ("data", "test"), message, key=True, hint=hint)
    sizes = split_sizes(data, info)
    _check_sizes(data, sizes, report)
    return sizes


def _check_split_columns(
    field: str, held: Split, data: DataSection, columns: dict[str, Column], report: Report
) -> None:
    for part in ("stratify", "group", "column"):
        name = getattr(held, part)
        if name is None:
            continue
        path = ("data", field, part)
        if name not in columns:
            hint = f"{did_you_mean(name, columns)} columns: {few(columns)}".strip()
            report.error("GS087", path, f"{data.source} has no column '{name}' to split by", hint=hint)
            continue
        shape = columns[name].shape
        if columns[name].picture or (shape is not None and fit(shape, ()) is None):
            message = f"column {name} cannot split rows: its cells are no single values"
            report.error("GS087", path, message, hint="choose a column of numbers or names")
        elif part == "column":
            _check_split_value(field, held, columns[name], report)


def _check_split_value(field: str, held: Split, column: Column, report: Report) -> None:
    assert held.value is not None, "the schema asks for `value` beside `column`"
    if column.complete and not any(same_cell(cell, held.value) for cell in column.values):
        hint = f"{did_you_mean(str(held.value), column.values)} values: {few(column.values)}".strip()
        report.error("GS087", ("data", field, "value"), f"column {column.name} never holds '{held.value}'", hint=hint)


def split_sizes(data: DataSection, info: SourceInfo) -> Sizes:
    """Rows per split. `test` is taken from all rows of the source, `validation` from what remains."""
    total = _total(info)
    if total is None:
        return Sizes()
    if data.test is None and info.has_test:
        test = info.rows["test"]
    else:
        test = _held_out(TEST_SHARE if data.test is None else data.test, total)
    if test is None:
        return Sizes(total)
    validation = _held_out(VALIDATION_SHARE if data.validation is None else data.validation, total - test)
    return Sizes(total, test, validation, None if validation is None else total - test - validation)


def _total(info: SourceInfo) -> int | None:
    counted = [rows for rows in info.rows.values() if rows is not None]
    return sum(counted) if counted and len(counted) == len(info.rows) else None


def _held_out(held: HeldOut, rows: int) -> int | None:
    """Rows held out of `rows`; None where cells decide."""
    if isinstance(held, Split):
        if held.fraction is not None:
            return None if held.group is not None else _share(held.fraction, rows)
        return None if held.of is None else rows // held.of
    return held if isinstance(held, int) else _share(held, rows)


def _share(share: float, rows: int) -> int:
    """To the nearest whole number, at least one row, never all."""
    return min(max(1, int(share * rows + 0.5)), rows - 1)


def _check_sizes(data: DataSection, sizes: Sizes, report: Report) -> None:
    hint = "hold out fewer rows"
    if sizes.total is None or sizes.test is None:
        return
    if data.test is not None and sizes.test >= sizes.total:
        message = f"test takes {sizes.test} rows, and {data.source} has {sizes.total}"
        report.error("GS087", ("data", "test"), message, hint=hint)
    elif sizes.training is not None and sizes.training <= 0:
        left = sizes.total - sizes.test
        message = f"validation takes {sizes.validation} rows, and {left} are left beside the test rows"
        report.error("GS087", ("data", "validation"), message, hint=hint)
