"""Rules of the `data` section: every variable of the rows has a column, and the column can feed it.

The source is held against the spec without being loaded: known data sets declare their columns, files are opened as
far as their headers tell. A source that is not there is a note, which `train` makes an error.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from graphspec.graphs.graph import Variable
from graphspec.graphs.label_rows import LabelRows
from graphspec.headers import SourceError, SplitName
from graphspec.headers.cell_reader import CellReader, read_as
from graphspec.headers.columns import Column, matching
from graphspec.headers.element_tables import Layouts
from graphspec.headers.sources import (
    KNOWN_SETS,
    FileSource,
    KnownSource,
    MissingSource,
    Source,
    SourceInfo,
    describe,
    dialect_of,
    resolve_source,
)
from graphspec.language import ColumnSpec, DataSection, Spec
from graphspec.language.data import is_pattern
from graphspec.reading.suggestions import did_you_mean, few
from graphspec.rules.array_rules import with_array_cells, with_label_cells
from graphspec.rules.blank_number_rules import check_blank_numbers
from graphspec.rules.cell_rules import problem_with_cells
from graphspec.rules.declared import allowed, declared, names_with
from graphspec.rules.image_rules import check_for_pictures, check_options, takes_weights
from graphspec.rules.label_copy_rules import check_label_copies
from graphspec.rules.label_indicator_rules import check_indicators
from graphspec.rules.label_leak_rules import check_label_columns
from graphspec.rules.label_row_counts import count_label_rows
from graphspec.rules.label_rules import check_labels
from graphspec.rules.label_value_rules import check_labels_differ
from graphspec.rules.layout_file_rules import check_standings
from graphspec.rules.layout_rules import check_layouts, told_counts
from graphspec.rules.mirror_rules import check_mirrors
from graphspec.rules.picture_name_rules import (
    check_folder,
    columns_of_file_names,
    reads_files,
    refuse_file_names,
    with_pictures,
)
from graphspec.rules.row_values import RowValues
from graphspec.rules.rows_at_fault import rows_at_fault
from graphspec.rules.shape_rules import problem_with_shape
from graphspec.rules.split_rules import check_splits
from graphspec.rules.standings import Standing, Standings
from graphspec.text.report import Report
from graphspec.text.tree import Path as Place

UNKNOWN = SourceInfo(None, {})
MOST_TOLD = 3
"""Of the columns of one variable, so many are told one by one; a wide table has thousands."""


def check_data(spec: Spec, report: Report, data_dir: Path | None = None) -> LabelRows | None:
    """GS080 to GS089 and GS070 for `data`; nothing where the spec has no such section.

    Returns how many rows have each label, where the data can be looked at and are read without a mistake.
    """
    if spec.data is None:
        return None
    empty = [name for name, entry in spec.data.variables.items() if entry.columns == ()]
    for name in empty if not report.incomplete else ():
        hint = "name the columns that are stacked into the vector"
        report.error("GS018", ("data", "variables", name), f"{name} is read from no column", hint=hint)
    if empty:
        return None
    variables = declared(spec, report)
    spec_path = spec_file(report)
    source = resolve_source(spec.data.source, spec_path, data_dir)
    info = _describe(spec.data, source, report)
    info = _with_cells_of_labels(spec.data, variables, source, info)
    layouts = check_layouts(spec, report)
    if layouts is None:
        return None
    standings = check_standings(spec, layouts, variables, (source, info), (spec_path, data_dir), report)
    if standings is None:
        return None
    info = standings.rows
    check_for_pictures(spec.data, info, any(_reads_files(spec.data, standings, v) for v in variables.values()), report)
    _check_entries(spec, spec.data, layouts, info, report)
    _check_folders(spec.data, report)
    for name, entry in spec.data.variables.items():
        if name in variables and variables[name].role in ("observed", "supervised"):
            check_options(variables[name].of_one, entry, report)
            _check_variable(spec, standings.of(variables[name]), entry, report)
    check_mirrors(spec, spec.data, variables, report)
    _check_factors(spec.data, info, report)
    check_label_columns(spec.data, variables, layouts, report)
    sizes = check_splits(spec.data, info, report)
    listed = check_labels(spec, spec.data, variables, sizes, (spec_path, data_dir), standings.elements, report)
    if info.columns is None or report.failed:
        return None
    if standings.apart:
        return None
    values = RowValues(source, info, spec.data)
    check_label_copies(spec, variables, values, report)
    check_indicators(spec, variables, values, report)
    labels = [variables[name] for name in names_with(spec, ("supervised",))]
    return count_label_rows(labels, values, info, sizes.training, listed)


def _check_folders(data: DataSection, report: Report) -> None:
    """GS084: one column names files in one folder."""
    first: dict[str, tuple[str, ColumnSpec]] = {}
    for name, entry in data.variables.items():
        if entry.column is None:
            continue
        other, before = first.setdefault(entry.column, (name, entry))
        if (before.folder, before.missing) != (entry.folder, entry.missing) and (before.folder or entry.folder):
            message = f"'{name}' reads the files that column {entry.column} names otherwise than '{other}' does"
            hint = "say the same folder; pictures in another folder have a column of their own"
            report.error("GS084", ("data", "variables", name), message, hint=hint)


def _reads_files(data: DataSection, standings: Standings, variable: Variable) -> bool:
    entry = data.variables.get(variable.name)
    return entry is not None and reads_files(variable, entry, standings.of(variable))


def _check_variable(spec: Spec, standing: Standing, entry: ColumnSpec, report: Report) -> None:
    """The columns of one variable, held against the table that has them."""
    assert spec.data is not None
    variable = standing.variable
    check_folder(standing, entry, report)
    places = list(_places(variable.name, entry, standing.info, report))
    if reads_files(variable, entry, standing):
        standing, file_names = with_pictures(standing, entry, spec.data, places[0][0], report), frozenset[str]()
    else:
        file_names = columns_of_file_names(standing.info.columns or {})
    info = standing.info
    named = [(place, column) for place, column in places if column in file_names]
    for place, column in named:
        refuse_file_names(place, column, variable, report)
    if info.columns is not None and not named:
        read = _check_columns(standing, entry, spec.data, report)
        if not allowed(spec, variable.name, "GS121"):
            check_labels_differ(variable, entry, read, dialect_of(spec.data).numbers, report)
        if not allowed(spec, variable.name, "GS128"):
            check_blank_numbers(variable, entry, read, dialect_of(spec.data).numbers, report)


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
    _check_dialect(data, found, report)
    try:
        info = describe(found, dialect_of(data), skip=data.on_error == "skip")
    except SourceError as error:
        report.error("GS088", path, error.message, hint=error.hint)
        return UNKNOWN
    if info.rows.get("train") == 0:
        report.error("GS088", path, f"{data.source} has no rows", hint="check that it was written completely")
    for remark in info.remarks:
        report.error("GS107", path, remark.message, hint=remark.hint, severity="warning" if remark.serious else "note")
    return info


def _with_cells_of_labels(
    data: DataSection, variables: dict[str, Variable], source: Source, info: SourceInfo
) -> SourceInfo:
    """Classes of labels in arrays are counted too, as those of a table are; not of columns that two variables read,
    whose blanks may differ."""
    if info.columns is None or not isinstance(source, FileSource):
        return info
    readers = Counter(column for entry in data.variables.values() for column in entry.names)
    read: dict[str, Column] = {}
    try:
        for name, entry in data.variables.items():
            label = variables.get(name)
            if label is not None and label.role == "supervised" and label.discrete:
                names = [column for column in entry.names if column in info.columns and readers[column] == 1]
                read |= {column: with_label_cells(info.columns[column], entry, source) for column in names}
    except SourceError:  # damaged inside: `_check_columns` says so
        return info
    return replace(info, columns={**info.columns, **read})


def _check_dialect(data: DataSection, source: Source, report: Report) -> None:
    """GS084 for signs of a table of text where the source is none, and for a regime where there are none."""
    known = source.known.name if isinstance(source, KnownSource) else ""
    if data.regime is not None and known != "multi_mnist" and not isinstance(source, MissingSource):
        message = f"`regime` is for multi_mnist, and the source is {data.source}"
        report.error("GS084", ("data", "regime"), message, key=True, hint="leave it out")
    if isinstance(source, FileSource) and source.format in ("csv", None):
        return
    for option in ("separator", "decimal", "thousands"):
        if getattr(data, option) is not None:
            message = f"`{option}` is for a table of text (.csv, .tsv), and {data.source} is none"
            report.error("GS084", ("data", option), message, key=True, hint="leave it out")


def _check_entries(spec: Spec, data: DataSection, layouts: Layouts, info: SourceInfo, report: Report) -> None:
    """GS080: columns for exactly the variables that rows carry."""
    rows_carry = names_with(spec, ("observed", "supervised"))
    for name in data.variables:
        path = ("data", "variables", name)
        if name not in spec.variables and not report.incomplete:
            hint = did_you_mean(name, rows_carry, f"variables of the rows: {few(rows_carry)}")
            report.error("GS080", path, f"a column for '{name}', which is no variable", key=True, hint=hint)
        elif name in spec.variables and name not in rows_carry:
            role = spec.variables[name].role
            why = "no row has it" if role == "latent" else "it is computed"
            hint = "make it `supervised` if some rows have it" if role == "latent" else "leave it out"
            related = (report.related(("variables", name, "role"), f"'{name}' is declared here"),)
            message = f"a column for '{name}', which is {role}: {why}"
            report.error("GS080", path, message, key=True, hint=hint, related=related)
    told = told_counts(spec, layouts)
    for name in rows_carry:
        if name not in data.variables and name not in told:
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


def _places(name: str, entry: ColumnSpec, info: SourceInfo, report: Report) -> Iterator[tuple[Place, str]]:
    """Each column that feeds variable `name`, with the place of its name in the text; patterns as what they match.

    A pattern that matches nothing is given as it is: no column has that name.
    """
    path: Place = ("data", "variables", name)
    written = report.document.value["data"]["variables"][name]
    if entry.column is not None:
        yield (*path, "column") if isinstance(written, dict) else path, entry.column
        return
    prefix: Place = (*path, "columns") if isinstance(written, dict) else path
    one = isinstance(written, dict) and isinstance(written["columns"], str)
    told: set[str] = set()
    for i, column in enumerate(entry.columns or ()):
        for match in matching(column, info.columns or {}) or [column]:
            if match == column or match not in told:
                yield prefix if one else (*prefix, i), match
            told.add(match)


def _check_columns(
    standing: Standing, entry: ColumnSpec, data: DataSection, report: Report
) -> list[tuple[Place, Column]]:
    """The columns that feed a variable, each with its place; none where something is wrong with them."""
    variable, source, info = standing.variable, standing.source, standing.info
    places = list(_places(variable.name, entry, info, report))
    columns = _found_columns(places, standing.called, info, report)
    _check_missing(variable, entry, [name for _, name in places], report)
    refused = entry.soft and not takes_weights(variable, entry)
    if len(columns) < len(places) or not columns or refused:
        return []
    problem = _problem_with_weights(variable, entry, columns) or problem_with_shape(
        read_as(variable, entry) if entry.soft else variable, entry, columns
    )
    if problem is not None:
        related = (report.related(("variables", variable.name), f"'{variable.name}' is declared here", key=True),)
        report.error("GS082", places[0][0], problem[0], hint=problem[1], related=related)
        return []
    try:
        columns, problem = (columns, None) if standing.seen else with_array_cells(columns, variable, entry, source)
    except SourceError as error:
        report.error("GS088", places[0][0], error.message, hint=error.hint)
        return []
    if problem is not None:
        report.error("GS083", places[0][0], problem[0], hint=problem[1])
        return []
    numbers = dialect_of(data).numbers
    problems = [problem_with_cells(variable, entry, column, numbers) for column in columns]
    told = [
        (place, column, problem)
        for (place, _), column, problem in zip(places, columns, problems, strict=True)
        if problem
    ]
    for place, column, (message, hint) in told[:MOST_TOLD]:
        where = rows_at_fault(variable, entry, column, standing, data)
        report.error("GS083", place, message + where, hint=hint)
    for place, _, _ in told[MOST_TOLD : MOST_TOLD + 1]:
        others = few((column.name for _, column, _ in told[MOST_TOLD:]), 3)
        report.error("GS083", place, f"nor are the cells of {others} values of '{variable.name}'")
    return [] if told else [(place, column) for (place, _), column in zip(places, columns, strict=True)]


def _problem_with_weights(variable: Variable, entry: ColumnSpec, columns: list[Column]) -> tuple[str, str] | None:
    if not entry.soft or len(columns) == variable.support:
        return None
    message = f"'{variable.name}' has {variable.support} classes, and {len(columns)} columns give weights"
    return message, "one column a class, in the order of the classes"


def _check_missing(variable: Variable, entry: ColumnSpec, columns: list[str], report: Report) -> None:
    """GS081 for blanks of a column that is not read, GS083 for a blank that is a name."""
    path: Place = ("data", "variables", variable.name, "missing")
    by_column = entry.missing if isinstance(entry.missing, dict) else {}
    for column in by_column.keys() - set(columns):
        hint = f"{did_you_mean(column, columns)} columns read: {few(columns)}".strip()
        report.error(
            "GS081", (*path, column), f"'{variable.name}' does not read column '{column}'", key=True, hint=hint
        )
    reader = CellReader(read_as(variable, entry), (), ())
    marks = [mark for marks in by_column.values() for mark in marks] if by_column else list(entry.missing)
    for mark in marks:
        if reader.named(mark):
            message = f"`missing` lists '{mark}', which is a name of '{variable.name}': no name is a blank"
            report.error("GS083", path, message, key=True, hint="take it out of `names`, or out of `missing`")


def _found_columns(places: Sequence[tuple[Place, str]], source: str, info: SourceInfo, report: Report) -> list[Column]:
    """The columns that are there; GS081 for the first few that are not, and for how many more."""
    assert info.columns is not None
    absent = [(place, name) for place, name in places if any(name not in columns for columns, _, _ in _splits(info))]
    for place, _ in absent[MOST_TOLD : MOST_TOLD + 1]:
        others = few((f"'{name}'" for _, name in absent[MOST_TOLD:]), 3)
        report.error("GS081", place, f"nor has {source} columns {others}")
    untold = {place for place, _ in absent[MOST_TOLD:]}
    found = [_find_column(place, name, source, info, report) for place, name in places if place not in untold]
    return [column for column in found if column is not None]


def _find_column(place: Place, name: str, source: str, info: SourceInfo, report: Report) -> Column | None:
    """The column called `name` if every split of the source has it; GS081 if not."""
    assert info.columns is not None
    for columns, where, split in _splits(info):
        if name not in columns:
            message = f"{where}{source} has no column '{name}'"
            hint = f"{did_you_mean(name, columns)} columns: {few(columns)}".strip()
            if is_pattern(name) and not matching(name, columns):
                message = f"no column of {where}{source} matches '{name}'"
            elif is_pattern(name):
                hint = f'several columns make a vector: {{columns: "{name}"}}'
            report.error("GS081", place, message, hint=hint)
            return None
        if columns[name].repeated:
            message = f"{where}{source} has more than one column called '{name}'"
            report.error("GS081", place, message, hint="rename one of them")
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
