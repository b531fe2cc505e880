"""The text of a starter spec for a table whose cells name picture files: columns asked for are labels of pictures."""

from collections.abc import Sequence

from graphspec.drafting.guesses import Guess, guess, told_blanks
from graphspec.drafting.picture_draft import Label, picture_spec
from graphspec.drafting.table_draft import entry_of, identifier
from graphspec.drafting.written_numbers import number_format
from graphspec.headers import Table
from graphspec.headers.csv_files import PLAIN_DIALECT
from graphspec.headers.folders import probed_column
from graphspec.headers.named_files import NamedFiles
from graphspec.headers.row_cells import row_cells
from graphspec.headers.sources import FileSource
from graphspec.reading.suggestions import amount, counted, did_you_mean, few
from graphspec.rules.picture_name_rules import columns_of_file_names
from graphspec.text.yaml_words import flow_list, plain

_RESERVED = frozenset({"x", "z", "h"})


def picture_names(table: Table) -> str | None:
    """The first column whose cells name picture files."""
    return next(iter(sorted(columns_of_file_names(table.columns))), None)


def named_picture_draft(name: str, source: str, found: FileSource, table: Table, labels: Sequence[str]) -> str:
    """A starter spec for the pictures that a table names.

    labels: columns to be predicted, in any number; of none, a model of pictures alone. Raises ValueError, in words, for
    a label that is no column or has nothing to learn from, SourceError for pictures that are not there.
    """
    column = picture_names(table)
    assert column is not None
    unknown = next((label for label in labels if label not in table.columns or label == column), None)
    if unknown is not None:
        raise ValueError(f"there is no column '{unknown}': {did_you_mean(unknown, table.columns, few(table.columns))}")
    named = _named(found, table, column)
    named.refuse_missing()
    named.refuse_blank()
    image = probed_column(column, source, [(named.place(row), file) for row, file in named.files.items()], skip=False)
    numbers, taken = number_format(table.columns.values()), set(_RESERVED)
    rows = table.rows or 1
    read = [_label(guess(table.columns[each], numbers, label=True), identifier(each, taken), rows) for each in labels]
    others = [each for each in table.columns if each not in labels and each != column]
    beside = next(iter(found.tables.values())).parent
    folder = "" if named.folder == beside else f", folder: {plain(named.folder.relative_to(beside).as_posix())}"
    told = f"({amount(table.rows or 0, ',')} pictures, {counted(len(table.columns), 'column')})"
    left_out = [f"{each} (a label with --label {each})" for each in others]
    cells = f"column: {plain(column)}{folder}"
    return picture_spec(name, source, told, image, cells, read, rows, left_out)


def _named(found: FileSource, table: Table, column: str) -> NamedFiles:
    """The files, in the folder beside the table that has the first of them."""
    cells = row_cells(found, table.columns, [column], PLAIN_DIALECT)
    texts = [str(cell) for cell in (cells[column][0] if cells else table.columns[column].values)]
    first, beside = next(filter(None, texts)), found.path.parent
    folders = [beside, *(each for each in sorted(beside.iterdir()) if each.is_dir())]
    folder = next((each for each in folders if (each / first).exists()), beside)
    return NamedFiles(found.path.name, column, texts, folder)


def _label(found: Guess, name: str, rows: int) -> Label:
    number = found.kind == "number"
    fields = f"role: supervised, domain: {'real' if number else found.kind}"
    if not number:
        names = "auto" if found.names is None else flow_list(found.names)
        fields += f", names: {names}" if found.names != () else ""
    counts = few([f"{each} {count}" for each, count in zip(found.names or (), found.counts, strict=False)], 6)
    blanks = told_blanks([found])
    told = (counts if found.counts else "", found.why, blanks and f"{blanks}: pictures without it")
    note = "; ".join(part for part in told if part)
    labelled = rows - found.blanks
    return Label(name, fields, entry_of(found), labelled, found.blanks, note, classes=found.kind == "category")
