"""Folders of pictures with a table of their own, `metadata.csv` or `metadata.jsonl`, whose column `file_name` names
them: the imagefolder of Hugging Face's datasets. From: a folder. To: the table (and that of the test split), if it has
one.
"""

from pathlib import Path

from graphspec.headers.csv_files import csv_header
from graphspec.headers.parquet import parquet_table
from graphspec.headers.table import SourceError

FILE_NAME = "file_name"
_NAMES = ("metadata.csv", "metadata.tsv", "metadata.parquet", "metadata.jsonl")


def metadata_tables(folder: Path) -> tuple[Path, ...]:
    """FOLDER/metadata.csv (.tsv, .parquet, .jsonl); else those of FOLDER/train and FOLDER/test, where both have one; ()
    where there is none.

    One that cannot be read counts, so that whoever opens it says so.
    """
    own = _table_in(folder)
    if own is not None:
        return (own,)
    train, test = (_table_in(folder / split) for split in ("train", "test"))
    return () if train is None or test is None or train.suffix != test.suffix else (train, test)


def _table_in(folder: Path) -> Path | None:
    return next((table for name in _NAMES if (table := folder / name).is_file() and _names_pictures(table)), None)


def _names_pictures(table: Path) -> bool:
    try:
        columns = parquet_table(table).columns if table.suffix == ".parquet" else csv_header(table)
    except SourceError:
        return True
    return FILE_NAME in columns
