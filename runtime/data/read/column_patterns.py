"""`columns: "gene_*"`: the columns that a pattern stands for, from the names in the source."""

from collections.abc import Mapping
from pathlib import Path

from graphspec.headers import Dialect, SourceError
from graphspec.headers.columns import matching
from graphspec.headers.element_tables import Layouts
from graphspec.headers.sources import FileSource, KnownSource, MissingSource, column_names, resolve_source
from graphspec.language import ColumnSpec, DataSection
from graphspec.language.data import is_pattern
from runtime.errors import DataError


def with_patterns(
    columns: Mapping[str, ColumnSpec],
    data: DataSection,
    layouts: Layouts,
    dialect: Dialect,
    spec_path: Path | None,
    data_dir: Path | None,
) -> dict[str, ColumnSpec]:
    """The same with every pattern written out, in the order of the file that has the variable's columns. A file is only
    looked at for patterns.

    Raises DataError for a pattern that no column matches.
    """
    result, known = dict(columns), dict[str, list[str]]()
    for name, spec in columns.items():
        if any(map(is_pattern, spec.columns or ())):
            source = layouts.source(name) or data.source
            found = resolve_source(source, spec_path, data_dir)
            if not isinstance(found, MissingSource):  # who reads the source says where it was looked for
                if source not in known:
                    known[source] = _names_in(found, dialect)
                result[name] = _written_out(spec, known[source], source)
    return result


def _names_in(found: KnownSource | FileSource, dialect: Dialect) -> list[str]:
    try:
        return column_names(found, dialect)
    except SourceError as error:
        raise DataError(error.message, error.hint) from error


def _written_out(spec: ColumnSpec, names: list[str], source: str) -> ColumnSpec:
    if spec.columns is None:
        return spec
    every: dict[str, None] = {}
    for name in spec.columns:
        found = matching(name, names)
        if is_pattern(name) and not found and name not in names:
            raise DataError(f"no column of {source} matches {name!r}", "`*` stands for any letters, `?` for one")
        every.update(dict.fromkeys(found or [name]))
    return spec.model_copy(update={"columns": tuple(every)})
