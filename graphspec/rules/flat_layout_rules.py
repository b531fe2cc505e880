"""GS028 of element columns that stand flat in an .npz file: their lengths are whole numbers and add up."""

from dataclasses import replace

from graphspec.headers.columns import Column, show_shape
from graphspec.headers.element_counts import capacity_of, check_lengths, check_total, whole_lengths
from graphspec.headers.key_cells import LayoutError
from graphspec.headers.row_cells import row_cells
from graphspec.headers.sources import FileSource, dialect_of
from graphspec.reading.suggestions import did_you_mean, few
from graphspec.rules.standings import NOTHING, Standings
from graphspec.text.report import Report


def check_flat(standings: Standings, report: Report) -> None:
    """Fills `standings.flat`, and counts rows by their lengths."""
    data, layouts, info, source = standings.data, standings.layouts, standings.rows, standings.main
    assert info.columns is not None
    if not isinstance(source, FileSource) or source.format != "npz":
        for name in layouts.lengths:
            message = f"`lengths` is for the arrays of an .npz file, and {data.source} is none"
            hint = "a table has a line an element: `key: COLUMN`"
            report.error("GS028", ("data", "plates", name, "lengths"), message, key=True, hint=hint)
        return
    totals: dict[str, int | None] = {}
    for plate in sorted(layouts.lengths, key=lambda name: len(layouts.levels[name])):
        column, path = layouts.lengths[plate], ("data", "plates", plate, "lengths")
        found = info.columns.get(column)
        if found is None:
            hint = did_you_mean(column, info.columns, f"columns: {few(info.columns)}")
            report.error("GS028", path, f"{data.source} has no column '{column}'", hint=hint)
            standings.flat[plate] = NOTHING
            continue
        above = layouts.levels[plate][:-1]
        if not above:
            info = replace(info, rows={**info.rows, "train": found.rows})
        try:
            totals[plate] = _total(standings, plate, column, found, totals.get(above[-1]) if above else found.rows)
            _check_totals(standings, plate, totals[plate])
        except LayoutError as error:
            report.error("GS028", path, error.message, hint=error.hint)
            totals[plate] = None
        total, columns = totals[plate], info.columns or {}
        columns = columns if total is not None else {n: replace(c, rows=None) for n, c in columns.items()}
        standings.flat[plate] = replace(info, columns=columns, rows={"train": total}, test_columns=None)
        if totals[plate] is not None and not info.has_test:
            standings.elements[plate] = totals[plate] or 0
    standings.rows = info


def _total(standings: Standings, plate: str, column: str, found: Column, outer: int | None) -> int | None:
    """Elements of the training split, by their lengths; None where they are too many to be looked at."""
    import numpy as np

    assert isinstance(standings.main, FileSource)
    if found.kind not in ("integer", "number") or found.shape != ():
        what = "text" if found.kind == "text" else f"cells of shape {show_shape(found.shape)}"
        raise LayoutError(f"column {column} holds {what}, no lengths", "one whole number a row")
    columns = standings.rows.columns or {}
    cells = row_cells(standings.main, columns, [column], dialect_of(standings.data)).get(column)
    if cells is None:
        return None
    above = standings.layouts.levels[plate][:-1]
    lengths = whole_lengths(column, np.array(cells[0]), outer, above[-1] if above else "rows")
    check_lengths(capacity_of(standings.spec, plate), lengths, lambda row: f"{above[-1] if above else 'row'} {row}")
    return int(lengths.sum())


def _check_totals(standings: Standings, plate: str, total: int | None) -> None:
    for name, entry in standings.data.variables.items():
        if standings.layouts.plate_of.get(name) != plate or total is None:
            continue
        for column in entry.names:
            found = (standings.rows.columns or {}).get(column)
            if found is not None and found.rows is not None:
                check_total(column, found.rows, standings.layouts.lengths[plate], total, plate)
