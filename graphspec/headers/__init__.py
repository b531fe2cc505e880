"""What files tell without being loaded: array headers in .npz, first rows of .csv, image headers in folders and shards.

From: a path that exists. To: `Column`s per split, row counts where they are cheap. Also the conventions the runtime
reads by: which array belongs to which split (`npz_members`), how a .csv is opened (`csv_rows`), which file of a
folder is which row (`folder_images`), where the cells of a shard are (`index_shards`). Raises `SourceError` for what is
there but cannot be read.
"""

from graphspec.headers.csv_files import csv_rows, csv_table, is_integer, is_number
from graphspec.headers.folders import PROBED_IMAGES, ImageFile, folder_images, folder_tables
from graphspec.headers.npz import Member, npz_members, npz_tables
from graphspec.headers.shards import (
    IMAGES,
    TEXTS,
    Cells,
    ending_of,
    expand,
    index_shards,
    json_cells,
    shard_files,
    shard_tables,
)
from graphspec.headers.table import SourceError, SplitName, Table

__all__ = [
    "IMAGES", "PROBED_IMAGES", "TEXTS", "Cells", "ImageFile", "Member", "SourceError", "SplitName", "Table", "csv_rows",
    "csv_table", "ending_of", "expand", "folder_images", "folder_tables", "index_shards", "is_integer", "is_number",
    "json_cells", "npz_members", "npz_tables", "shard_files", "shard_tables",
]  # fmt: skip
