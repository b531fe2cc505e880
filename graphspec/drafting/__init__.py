"""Data -> the text of a starter spec: what each column is taken for, and the graphs over them."""

from graphspec.drafting.named_picture_draft import named_picture_draft, picture_names
from graphspec.drafting.picture_draft import picture_draft
from graphspec.drafting.table_draft import table_draft
from graphspec.drafting.whole_table import whole_table
from graphspec.headers import SourceError
from graphspec.headers.sources import FileSource, MissingSource, resolve_source

__all__ = ["draft_from"]


def draft_from(name: str, source: str, labels: list[str]) -> str:
    """A starter spec for a table (.csv, .tsv, either as .gz, .parquet), which may name picture files, or a folder of
    pictures.

    name: of the spec. source: a path, as `data.source` will say it. labels: columns of a table to be predicted; of a
    folder of pictures the class folders are.
    Raises SourceError for what is not there or cannot be read, ValueError, in words, where nothing can be learned.
    """
    found = resolve_source(source)
    if isinstance(found, MissingSource):
        raise SourceError(f"{source} is not there", "give the path of a table or of a folder of pictures")
    if isinstance(found, FileSource) and found.holds_names:
        table = whole_table(found)
        if picture_names(table) is not None:
            return named_picture_draft(name, source, found, table, labels)
        return table_draft(name, source, table, labels)
    if isinstance(found, FileSource) and found.format == "folder":
        if labels:
            raise ValueError("the label of a folder of pictures is the class folder: leave --label out")
        return picture_draft(name, source, whole_table(found))
    raise SourceError(f"no spec is written from {source}", "a .csv, .tsv or .parquet table, or a folder of pictures")
