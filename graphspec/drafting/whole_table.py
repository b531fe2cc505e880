"""A table with the different cells of every column, as far as they are looked at before a training."""

from collections import Counter
from dataclasses import replace

from graphspec.headers import Table, csv_table, folder_tables
from graphspec.headers.parquet import parquet_cells, parquet_table
from graphspec.headers.sources import FileSource, require_file


def whole_table(source: FileSource) -> Table:
    """Columns and rows of a table or a folder, all of a folder's splits together. Raises SourceError."""
    require_file(source.path)
    if source.format == "csv":
        return csv_table(source.path)
    if source.format == "folder":
        return folder_tables(source.path)["train"]
    table = parquet_table(source.path)
    cells = parquet_cells(source.path, list(table.columns))
    counted = {name: Counter(values) for name, values in (cells or {}).items()}
    columns = {
        name: replace(column, values=tuple(counted[name]), counts=tuple(counted[name].values()), complete=True)
        for name, column in table.columns.items()
        if name in counted
    }
    return replace(table, columns=columns)
