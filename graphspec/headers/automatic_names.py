"""`names: auto`: the classes of a variable are the different cells of its column, read when the spec is loaded.

From: a spec and where its data may be. To: the same spec with the names written out, so that a run needs no data to
know its classes. Only the one column is read, all of it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from graphspec.graphs.graph import Variable
from graphspec.headers import Dialect, SourceError, csv_rows, npz_members, picture_folder
from graphspec.headers.cell_reader import CellReader, looks_blank, signs_problem
from graphspec.headers.columns import written_out
from graphspec.headers.npz import small_column
from graphspec.headers.parquet import cells_as_text, opened_parquet
from graphspec.headers.sources import (
    FileSource,
    KnownSource,
    MissingSource,
    column_names,
    dialect_of,
    require_file,
    resolve_source,
)
from graphspec.language import ColumnSpec, DataSection, Spec, VariableSpec
from graphspec.language.data import Cell, is_pattern
from graphspec.language.plates import path_of
from graphspec.language.variables import AUTO
from graphspec.reading.suggestions import did_you_mean, few
from graphspec.text.report import Report

MOST_CLASSES = 1000


def fill_names(spec: Spec, spec_path: Path | None, data_dir: Path | None, report: Report) -> Spec:
    """The spec with `names: auto` replaced by the names; where that cannot be, an error, and `auto` stays."""
    wanted = [name for name, variable in spec.variables.items() if variable.names == AUTO]
    found: dict[str, VariableSpec] = {}
    for name in wanted:
        names = _names_of(name, spec, spec_path, data_dir, report)
        if names:
            found[name] = spec.variables[name].model_copy(update={"names": names})
    return spec.model_copy(update={"variables": spec.variables | found}) if found else spec


def _names_of(name: str, spec: Spec, spec_path: Path | None, data_dir: Path | None, report: Report) -> tuple[str, ...]:
    place = ("variables", name, "names")
    hint = "write the names: `names: [NAME, ...]`, in the order you want"
    entry = None if spec.data is None else spec.data.variables.get(name)
    if spec.data is None or entry is None:
        if any(found.path[:1] == ("data",) for found in report.diagnostics):  # what is told already may be why
            return ()
        message = f"`names: auto` reads the column of '{name}', and `data.variables` gives it none"
        report.error("GS044", place, message, hint=hint)
        return ()
    if entry.soft:
        message = f"`names: auto` reads classes, and the columns of '{name}' hold weights"
        report.error("GS044", place, message, hint=hint)
        return ()
    written = source_of(name, spec)
    source = resolve_source(written, spec_path, data_dir)
    if isinstance(source, MissingSource):
        message = f"`names: auto` reads column {', '.join(entry.names)} of {written}, which is not there"
        report.error("GS044", place, message, hint=f"say where it is with --data-dir, or {hint}")
        return ()
    try:
        cells = column_cells(source, entry.names, dialect_of(spec.data))
    except SourceError as error:
        report.error("GS044", place, f"`names: auto`: {error.message}", hint=error.hint or hint)
        return ()
    return _classes(name, entry, spec.data, cells, report, allowed="GS122" in spec.variables[name].allow)


def source_of(name: str, spec: Spec) -> str:
    """The file that has a variable's columns: that of its plate, where this stands in another one than rows do. Asked
    before it is known whether the spec is right."""
    assert spec.data is not None
    own = spec.variables[name].plate
    inside = [other for other in spec.plates if own is not None and own in path_of(spec.plates, other)]
    entries = [spec.data.plates[plate] for plate in inside if plate in spec.data.plates]
    return next((entry.source for entry in entries if entry.source is not None), spec.data.source)


def _classes(
    name: str, entry: ColumnSpec, data: DataSection, cells: Counter[str], report: Report, *, allowed: bool
) -> tuple[str, ...]:
    place = ("variables", name, "names")
    variable = Variable(name, "supervised", "category", ())
    reader = CellReader(variable, _all_missing(entry), tuple(cells), dialect_of(data).numbers)
    columns = ", ".join(entry.names)
    if reader.could_be_signs:
        minus_ones = sum(count for cell, count in cells.items() if reader.number(cell) == -1)
        message, hint = signs_problem(variable, columns, minus_ones, 0.0 in reader.values)
        report.error("GS083", place, message, hint=hint)
        return ()
    numbers = {cell: reader.number(cell) for cell in cells if not reader.is_blank(cell)}
    names = {one_name(cell, number) for cell, number in numbers.items()}
    if not 2 <= len(names) <= MOST_CLASSES:
        told = few(sorted(names)) if len(names) < 2 else f"{len(names)} different values"
        hint = "choose another column" if len(names) < 2 else f"up to {MOST_CLASSES} classes are read; is it a number?"
        report.error("GS044", place, f"`names: auto`: column {columns} holds {told}", hint=hint)
        return ()
    doubtful = [cell for cell in names if looks_blank(cell)]
    if doubtful and not allowed:
        message = f"`names: auto` takes {few(map(repr, doubtful))} of column {columns} for a class of '{name}'"
        hint = f"if it means blank, say {{column: {columns}, missing: [{', '.join(doubtful)}]}}"
        report.warning("GS122", place, message, hint=hint)
    if all(number is not None for number in numbers.values()):
        return tuple(sorted(names, key=float))
    return tuple(sorted(names))


def one_name(cell: str, number: float | None) -> str:
    """One name for 3, 3.0 and 03."""
    return cell.strip() if number is None else str(int(number)) if number.is_integer() else repr(number)


def _all_missing(entry: ColumnSpec) -> tuple[Cell, ...]:
    return tuple(mark for column in entry.names for mark in entry.missing_in(column))


def column_cells(source: KnownSource | FileSource, columns: Iterable[str], dialect: Dialect) -> Counter[str]:
    """How often each cell occurs in some columns together, all rows of all splits. Raises SourceError."""
    names = column_names(source, dialect)
    every = written_out(columns, names)
    absent = next((column for column in every if column not in names), None)
    if absent is not None:
        what = "no column matches" if is_pattern(absent) else "there is no column"
        raise SourceError(f"{what} '{absent}'", f"{did_you_mean(absent, names)} columns: {few(names)}".strip())
    if isinstance(source, KnownSource):
        return Counter(str(index) for column in every for index in range(source.known.columns[column].classes or 0))
    require_file(source.path)
    cells: Counter[str] = Counter()
    for some in _cells_of(source, every, dialect):
        cells.update(some)
        if len(cells) > 2 * MOST_CLASSES:
            raise SourceError(f"column {', '.join(columns)} has more than {MOST_CLASSES} different values",
                              "it is hardly a class: use another domain, or write the names")  # fmt: skip
    return cells


def _cells_of(source: FileSource, columns: list[str], dialect: Dialect) -> Iterator[Iterable[str]]:
    if source.format == "csv":
        for path in source.tables.values():
            rows = csv_rows(path, dialect)
            header = next(rows)
            places = [i for i, name in enumerate(header) if name in set(columns)]
            if len(places) > len(set(columns)):
                raise SourceError(f"{path.name} has more than one column called {columns[0]}", "rename one of them")
            yield from ([row[i] for i in places] for row in rows)
    elif source.format == "parquet":
        for path in source.tables.values():
            with opened_parquet(path) as file:
                for batch in file.iter_batches(columns=columns):
                    yield from (cells_as_text(batch.column(name)) for name in columns)
    elif source.format == "npz":
        members = npz_members(source.path).values()
        yield from (small_column(split[column]) for split in members for column in columns if column in split)
    elif source.format == "folder" and columns == ["label"]:
        yield from ([image.label for image in images] for images in picture_folder(source.path).splits.values())
    else:
        raise SourceError("it reads tables, .npz files and class folders", "write the names")
