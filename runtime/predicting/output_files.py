"""Predictions onto the disk, part by part: .csv and .tsv (or .gz), .parquet, .npz. A file is whole or not there.

A file that is in the way is replaced only if it is what `predict` writes of the same input.
"""

import csv
import gzip
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol, TextIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from graphspec.headers import SourceError, csv_header, npz_members
from graphspec.headers.parquet import ENDINGS, parquet_table
from runtime.errors import RunError
from runtime.predicting.cell_texts import as_text, named
from runtime.predicting.output_columns import Cells
from runtime.runs.atomic_files import replacing

TEXTS = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
FORMATS = "a .csv, .tsv (or .csv.gz, .tsv.gz), .parquet or .npz file"


class OutputFile(Protocol):
    """Takes parts of rows in order."""

    def write(self, cells: Iterable[Cells]) -> None:
        """The columns of some rows more."""


def ending_of(path: Path) -> str:
    """`.csv`, `.csv.gz`, `.parquet`, `.npz` and so on. RunError for what cannot be written."""
    name = path.name.lower()
    found = next((ending for ending in (*TEXTS, *ENDINGS, ".npz") if name.endswith(ending)), None)
    if found is None:
        raise RunError(f"{path}: predictions cannot be written as {path.suffix or 'that'}", f"name {FORMATS}")
    return found


def refuse_other_columns(path: Path, header: Sequence[str], own: Sequence[str]) -> None:
    """RunError if something is at `path` that `predict` would not have written: other columns than these."""
    if not path.exists():
        return
    if path.is_dir():
        raise RunError(f"{path} is a folder", f"name {FORMATS}")
    try:
        there = set(_columns_of(path))
    except (SourceError, StopIteration):
        there = set()
    ours = set(header) - set(own)
    if not (there and ours <= there and there <= set(header)):
        raise RunError(
            f"{path} is there already, and is no prediction of this input with these options", "name another file"
        )


def _columns_of(path: Path) -> Iterable[str]:
    ending = ending_of(path)
    if ending in TEXTS:
        return csv_header(path)
    return npz_members(path)["train"] if ending == ".npz" else parquet_table(path).columns


@contextmanager
def opened_output(path: Path, header: Sequence[str], separator: str | None, decimal: str) -> Iterator[OutputFile]:
    """A file that is written under `path` where the block ends well. separator: of a .csv file."""
    ending = ending_of(path)
    if not path.parent.is_dir():
        raise RunError(f"there is no folder {path.parent} to write {path.name} in", "make it, or name another file")
    with replacing(path, make_folder=False) as temporary, ExitStack() as stack:
        if ending in TEXTS:
            opened = gzip.open if ending.endswith(".gz") else open
            file: Any = stack.enter_context(opened(temporary, "wt", newline="", encoding="utf-8"))
            sign = "\t" if ending.startswith(".tsv") else (separator or ",").replace("\t", ",")
            yield _TextFile(file, header, sign, decimal)
        elif ending == ".npz":
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.")))
            arrays = _ArraysFile(folder, stack)
            yield arrays
            arrays.assemble(temporary)
        else:
            yield _ParquetFile(temporary, stack)


class _TextFile:
    def __init__(self, file: TextIO, header: Sequence[str], separator: str, decimal: str) -> None:
        self.writer, self.decimal = csv.writer(file, delimiter=separator, lineterminator="\n"), decimal
        self.writer.writerow(header)

    def write(self, cells: Iterable[Cells]) -> None:
        self.writer.writerows(zip(*(as_text(each, self.decimal).tolist() for each in cells), strict=True))


class _ParquetFile:
    """Types are those of the first rows: of the input's own columns, text for names, numbers for numbers."""

    def __init__(self, path: Path, stack: ExitStack) -> None:
        self.path, self.stack, self.types = path, stack, dict[str, Any]()
        self.file: Any = None

    def write(self, cells: Iterable[Cells]) -> None:
        pyarrow = _pyarrow()
        columns = list(cells)
        self.types = self.types or {each.name: _type(pyarrow, each) for each in columns}
        table = pyarrow.table({each.name: _arrow(pyarrow, each, self.types[each.name]) for each in columns})
        if self.file is None:
            from pyarrow import parquet

            self.file = self.stack.enter_context(parquet.ParquetWriter(self.path, table.schema))
        self.file.write_table(table)


def _pyarrow() -> Any:
    try:
        import pyarrow
    except ImportError:
        raise RunError(
            "pyarrow, which writes .parquet files, is not installed",
            "in graphspec's checkout: pip install -e '.[parquet]'; or name a .csv file",
        ) from None
    return pyarrow


def _type(pyarrow: Any, cells: Cells) -> Any:
    own = None if cells.own is None or isinstance(cells.own, np.ndarray) else cells.own.type
    if cells.values is None or (own is not None and cells.use is not None):
        if own is None:
            return pyarrow.from_numpy_dtype(cells.own.dtype) if cells.own.dtype.kind != "U" else pyarrow.string()
        number = pyarrow.types.is_integer(own) or pyarrow.types.is_floating(own)
        if cells.values is None or (cells.names and (not number or not cells.whole)):
            return own if cells.values is None else pyarrow.string()
        return own if cells.names else pyarrow.float64()
    if cells.names:
        return pyarrow.int64() if cells.whole and cells.own is None else pyarrow.string()
    return pyarrow.string() if isinstance(cells.own, np.ndarray) and cells.own.dtype.kind == "U" else pyarrow.float64()


def _arrow(pyarrow: Any, cells: Cells, kind: Any) -> Any:
    if cells.values is None:
        return pyarrow.array(cells.own.tolist(), kind) if isinstance(cells.own, np.ndarray) else cells.own
    if pyarrow.types.is_string(kind):
        return pyarrow.array([text or None for text in as_text(cells).tolist()], kind)
    values: list[Any] = named(cells).tolist() if cells.names else cells.values.astype(np.float64).tolist()
    values = [None if each == "" or each != each else float(each) for each in values]
    if cells.own is not None and cells.use is not None:
        own = cells.own.tolist() if isinstance(cells.own, np.ndarray) else cells.own.to_pylist()
        values = [new if use else old for new, use, old in zip(values, cells.use.tolist(), own, strict=True)]
    if pyarrow.types.is_integer(kind):
        values = [None if each is None or each != each else int(each) for each in values]
    return pyarrow.array(values, kind)


class _ArraysFile:
    """Each array grows in a file of its own; they are put together at the end."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self.stack = folder, stack
        self.files: dict[str, Any] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.kinds: dict[str, np.dtype[Any]] = {}

    def write(self, cells: Iterable[Cells]) -> None:
        for each in cells:
            array = _array(each)
            self.append(each.name, array)

    def append(self, name: str, array: NDArray[Any]) -> None:
        """Rows more of one array."""
        if name not in self.files:
            path = self.folder / str(len(self.files))
            self.files[name] = self.stack.enter_context(path.open("w+b"))
            self.shapes[name], self.kinds[name] = (0, *array.shape[1:]), array.dtype
        kind = self.kinds[name]
        if kind.kind == "U" and array.dtype.itemsize > kind.itemsize:
            self._widen(name, array.dtype)
        elif kind != array.dtype and kind.kind != "U":
            array = array.astype(kind)
        self.files[name].write(np.ascontiguousarray(array.astype(self.kinds[name], copy=False)).tobytes())
        self.shapes[name] = (self.shapes[name][0] + len(array), *array.shape[1:])

    def _widen(self, name: str, kind: np.dtype[Any]) -> None:
        """Longer texts than before: what is written so far is written again."""
        file = self.files[name]
        file.seek(0)
        before = np.frombuffer(file.read(), self.kinds[name]).astype(kind)
        file.seek(0)
        file.truncate()
        file.write(before.tobytes())
        self.kinds[name] = kind

    def assemble(self, path: Path) -> None:
        """All arrays as one .npz file."""
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
            for name, file in self.files.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as out:
                    described = npy.dtype_to_descr(self.kinds[name])
                    header = {"descr": described, "fortran_order": False, "shape": self.shapes[name]}
                    npy.write_array_header_2_0(out, header)
                    file.seek(0)
                    shutil.copyfileobj(file, out)


def _array(cells: Cells) -> NDArray[Any]:
    """A column as an array: own ones as they are, classes by name, or as numbers where they have none."""
    own = cells.own if cells.own is None or isinstance(cells.own, np.ndarray) else np.array(cells.own.to_pylist())
    if cells.values is None:
        assert own is not None
        return own
    if cells.names and not cells.whole:
        return as_text(Cells(cells.name, own, cells.values, cells.names, cells.use))
    values = cells.values if not cells.names else _whole_numbers(cells)
    if own is None or cells.use is None:
        return values
    use = cells.use.reshape(len(own), *(1,) * (own.ndim - 1))
    return np.where(use, values, own.astype(values.dtype) if own.dtype.kind in "biuf" else values)


def _whole_numbers(cells: Cells) -> NDArray[Any]:
    assert cells.values is not None
    numbers = np.array([*map(int, cells.names), -1])
    found: NDArray[Any] = numbers[np.where(np.isnan(cells.values), len(cells.names), cells.values).astype(np.int64)]
    return found
