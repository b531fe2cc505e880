"""Rules of the `data` section: every variable of the rows has a column, and the column can feed it.

The source is held against the spec without being loaded: known data sets declare their columns, files are opened as
far as their headers tell. A source that is not there is a note, which `train` makes an error.
"""

from collections.abc import Iterator
from pathlib import Path

from graphspec.graphs.graph import Graphs, Variable
from graphspec.headers import SourceError, SplitName
from graphspec.headers.columns import Column
from graphspec.headers.sources import KNOWN_SETS, MissingSource, Source, SourceInfo, describe, resolve_source
from graphspec.language import ColumnSpec, DataSection, Spec
from graphspec.reading.suggestions import did_you_mean, few
from graphspec.rules.cell_rules import problem_with_cells
from graphspec.rules.declared import declared, names_with
from graphspec.rules.image_rules import check_for_pictures, check_options
from graphspec.rules.label_rules import check_labels
from graphspec.rules.picture_name_rules import columns_of_file_names, refuse_file_names
from graphspec.rules.shape_rules import problem_with_shape
from graphspec.rules.split_rules import check_splits
from graphspec.text.report import Report
from graphspec.text.tree import Path as Place

UNKNOWN = SourceInfo(None, {})


def check_data(spec: Spec, graphs: Graphs | None, report: Report) -> None:
    """GS080 to GS089 and GS070 for `data`; nothing where the spec has no such section."""
    if spec.data is None:
        return
    variables = declared(spec, report)
    spec_path = spec_file(report)
    source = resolve_source(spec.data.source, spec_path)
    info = _describe(spec.data, source, report)
    file_names = columns_of_file_names(source)
    _check_entries(spec, spec.data, info, report)
    for name, entry in spec.data.variables.items():
        if name in variables and variables[name].role in ("observed", "supervised"):
            check_options(variables[name], entry, report)
            named = [(place, column) for place, column in _places(name, entry, report) if column in file_names]
            for place, column in named:
                refuse_file_names(place, column, name, report)
            if info.columns is not None and not named:
                _check_columns(variables[name], entry, spec.data.source, info, report)
    _check_factors(spec.data, info, report)
    sizes = check_splits(spec.data, info, report)
    check_labels(spec, spec.data, variables, sizes, spec_path, report)


def spec_file(report: Report) -> Path | None:
    """The file the spec was read from; None for standard input or a text."""
    name = report.document.source.name
    path = Path(name)
    return path if name != "-" and path.is_file() else None


def _describe(data: DataSection, found: Source, report: Report) -> SourceInfo:
    path = ("data", "source")
    if isinstance(found, MissingSource):
        hint = did_you_mean(
            data.source,
            KNOWN_SETS,
            "it is looked for beside the spec, in the working folder and in the data folder; known data sets: "
            f"{few(KNOWN_SETS)}",
        )
        report.note("GS089", path, f"'{data.source}' is not there, so its columns are not checked", hint=hint)
        return UNKNOWN
    try:
        info = describe(found, skip=data.on_error == "skip")
    except SourceError as error:
        report.error("GS088", path, error.message, hint=error.hint)
        return UNKNOWN
    if info.rows.get("train") == 0:
        report.error("GS088", path, f"{data.source} has no rows", hint="check that it was written completely")
    for remark in info.remarks:
        report.error("GS107", path, remark.message, hint=remark.hint, severity="warning" if remark.serious else "note")
    check_for_pictures(data, info, report)
    return info


def _check_entries(spec: Spec, data: DataSection, info: SourceInfo, report: Report) -> None:
    """GS080: columns for exactly the variables that rows carry."""
    rows_carry = names_with(spec, ("observed", "supervised"))
    for name in data.variables:
        path = ("data", "variables", name)
        if name not in spec.variables and not spec.include:
            hint = did_you_mean(name, rows_carry, f"variables of the rows: {few(rows_carry)}")
            report.error("GS080", path, f"a column for '{name}', which is no variable", key=True, hint=hint)
        elif name in spec.variables and name not in rows_carry:
            role = spec.variables[name].role
            why = "no row has it" if role == "latent" else "it is computed"
            hint = "make it `supervised` if some rows have it" if role == "latent" else "leave it out"
            related = (report.related(("variables", name, "role"), f"'{name}' is declared here"),)
            message = f"a column for '{name}', which is {role}: {why}"
            report.error("GS080", path, message, key=True, hint=hint, related=related)
    for name in rows_carry:
        if name not in data.variables:
            _report_without_column(spec, data, name, info, report)


def _report_without_column(spec: Spec, data: DataSection, name: str, info: SourceInfo, report: Report) -> None:
    columns = f" (columns of {data.source}: {few(info.columns)})" if info.columns else ""
    place: Place = ("data", "variables") if data.variables else ("data", "source")
    related = [report.related(("variables", name), f"'{name}' is declared here", key=True)]
    if name in data.labels:
        related.append(report.related(("data", "labels", name), "its labels are counted here", key=True))
    message = f"{spec.variables[name].role} variable '{name}' has no column"
    hint = f"add `{name}: COLUMN` to data.variables{columns}"
    report.error("GS080", place, message, key=True, hint=hint, related=tuple(related))


def _places(name: str, entry: ColumnSpec, report: Report) -> Iterator[tuple[Place, str]]:
    """Each column that feeds variable `name`, with the place of its name in the text."""
    path: Place = ("data", "variables", name)
    written = report.document.value["data"]["variables"][name]
    if entry.column is not None:
        yield (*path, "column") if isinstance(written, dict) else path, entry.column
        return
    prefix: Place = (*path, "columns") if isinstance(written, dict) else path
    for i, column in enumerate(entry.columns or ()):
        yield (*prefix, i), column


def _check_columns(variable: Variable, entry: ColumnSpec, source: str, info: SourceInfo, report: Report) -> None:
    places = list(_places(variable.name, entry, report))
    known = [_find_column(place, column, source, info, report) for place, column in places]
    columns = [column for column in known if column is not None]
    if len(columns) < len(known) or not columns:
        return
    problem = problem_with_shape(variable, entry, columns)
    if problem is not None:
        related = (report.related(("variables", variable.name), f"'{variable.name}' is declared here", key=True),)
        report.error("GS082", places[0][0], problem[0], hint=problem[1], related=related)
        return
    for (place, _), column in zip(places, columns, strict=True):
        cells = problem_with_cells(variable, entry, column)
        if cells is not None:
            report.error("GS083", place, cells[0], hint=cells[1])


def _find_column(place: Place, name: str, source: str, info: SourceInfo, report: Report) -> Column | None:
    """The column called `name` if every split of the source has it; GS081 if not."""
    assert info.columns is not None
    for columns, where, split in _splits(info):
        if name not in columns:
            hint = f"{did_you_mean(name, columns)} columns: {few(columns)}".strip()
            report.error("GS081", place, f"{where}{source} has no column '{name}'", hint=hint)
            return None
        rows, expected = columns[name].rows, info.rows[split]
        if rows != expected and rows is not None:
            message = f"column {name} of {where}{source} has {rows} rows, other columns have {expected}"
            report.error("GS088", place, message, hint="every column has one cell a row")
            return None
    return info.columns[name]


def _splits(info: SourceInfo) -> Iterator[tuple[dict[str, Column], str, SplitName]]:
    """Columns of each split that the source has, and how to name the split in a message."""
    if info.columns is not None:
        yield info.columns, "", "train"
    if info.test_columns is not None:
        yield info.test_columns, "the test split of ", "test"


def _check_factors(data: DataSection, info: SourceInfo, report: Report) -> None:
    """GS081: columns that `evaluate` measures against exist too."""
    if info.columns is None:
        return
    for name, column in data.factors.items():
        _find_column(("data", "factors", name), column, data.source, info, report)
