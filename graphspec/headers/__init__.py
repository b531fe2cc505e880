"""What files tell without being loaded: array headers in .npz, first rows of .csv, image headers in folders and shards.

From: a path that exists. To: `Column`s per split, row counts where they are cheap. Also the conventions the runtime
reads by: which array belongs to which split (`npz_members`), how a .csv is opened (`csv_rows`), which file of a
folder is which row (`picture_folder`), where the cells of a shard are (`index_shards`). Raises `SourceError` for what
is there but cannot be read.
"""

from graphspec.headers.csv_files import PLAIN_DIALECT, Dialect, csv_header, csv_line, csv_rows, csv_table
from graphspec.headers.folders import ImageFile, PictureFolder, folder_tables, picture_folder
from graphspec.headers.npz import Member, npz_members, npz_tables
from graphspec.headers.pictures import PictureHeader, opened, read_header, unreadable
from graphspec.headers.shards import (
    IMAGES,
    PROBED_CELLS,
    TEXTS,
    Cells,
    ending_of,
    expand,
    index_shards,
    json_cells,
    shard_files,
    shard_tables,
)
from graphspec.headers.table import Remark, SourceError, SplitName, Table

__all__ = [
    "IMAGES", "PLAIN_DIALECT", "PROBED_CELLS", "TEXTS", "Cells", "Dialect", "ImageFile", "Member", "PictureFolder",
    "PictureHeader", "Remark", "SourceError", "SplitName", "Table", "csv_header", "csv_line", "csv_rows", "csv_table",
    "ending_of", "expand", "folder_tables", "index_shards", "json_cells", "npz_members", "npz_tables", "opened",
    "picture_folder", "read_header", "shard_files", "shard_tables", "unreadable",
]  # fmt: skip
