"""How to say where a line stands: by file and line where the file has lines, else by its number."""

from graphspec.headers.csv_files import Dialect, csv_line
from graphspec.headers.key_cells import Where
from graphspec.headers.sources import FileSource, MissingSource, Source


def where_in(source: Source, dialect: Dialect) -> Where:
    """`visits.csv line 12` of a table of text (found by reading it again), `visits.npz row 10 (from 0)` of all else."""
    if isinstance(source, MissingSource):
        return lambda line: f"{source.source} row {line} (from 0)"
    if isinstance(source, FileSource) and source.format == "csv":
        path = source.path
        return lambda line: f"{path.name} line {csv_line(path, line, dialect)}"
    name = source.path.name if isinstance(source, FileSource) else source.known.name
    return lambda line: f"{name} row {line} (from 0)"
