"""Shards: uncompressed .tar files whose members are cells, as WebDataset writes them.

`0001.png`, `0001.mask.png` and `0001.cls` are the cells of one row, in columns `png`, `mask.png` and `cls`; a `.json`
member holds one column a key, `json.KEY`. From: a path, with a range of shards as `train-{000..009}.tar`. To: columns
as far as the first rows tell (`shard_tables`), and where every cell is (`index_shards`), which the runtime reads by.
Never unpacked, never unpickled.
"""

import io
import json
import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice, product
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphspec.headers.columns import Column, Kind
from graphspec.headers.folders import picture_column
from graphspec.headers.npz import npy_header
from graphspec.headers.numbers import is_integer, is_number
from graphspec.headers.pictures import ENDINGS, PictureHeader, read_header
from graphspec.headers.row_names import number_of_name
from graphspec.headers.table import SourceError, SplitName, Table

if TYPE_CHECKING:
    from tarfile import TarInfo

IMAGES = tuple(ending.removeprefix(".") for ending in ENDINGS)
PROBED_CELLS = 8
"""Cells of a column that are looked at when a spec is checked."""
TEXTS = ("cls", "cls2", "txt", "text", "id", "index")
COUNTED_BYTES = 2**26
"""Shards of no more bytes together are counted when a spec is checked."""
_PADDING = 2**16
MOST_SHARDS = 100_000
_LONGEST_NUMBER = 18
_BRACES = re.compile(r"\{([^{}]+)\}")


@dataclass(frozen=True)
class Cell:
    """One member of a shard: bytes [offset, offset + size) of `file`."""

    file: Path
    key: str
    column: str
    offset: int
    size: int


@dataclass
class Cells:
    """Where the cells of one column are, row by row: a few bytes each, however large they are."""

    column: str
    files: tuple[Path, ...]
    shard: "array[int]" = field(default_factory=lambda: array("l"))
    offset: "array[int]" = field(default_factory=lambda: array("q"))
    size: "array[int]" = field(default_factory=lambda: array("q"))
    keys: "array[int]" = field(default_factory=lambda: array("Q"))
    """Numbers that stand for the rows' keys."""

    def __len__(self) -> int:
        return len(self.offset)

    def read(self) -> Iterator[tuple[str, bytes]]:
        """(where it is, for messages; contents) of every row's cell, in order. Raises SourceError."""
        row = 0
        for shard, places in groupby(range(len(self)), key=self.shard.__getitem__):
            file = self.files[shard]
            try:
                with file.open("rb") as stream:
                    for row in places:
                        stream.seek(self.offset[row])
                        yield f"the {self.column} of row {row} in {file.name}", stream.read(self.size[row])
            except OSError as error:
                raise SourceError(f"{file.name} cannot be read ({error})") from error


def expand(path: Path) -> tuple[Path, ...]:
    """Every file that `{000..009}` and `{a,b}` in a name stand for; the path itself where it has neither.

    Raises SourceError where they are more than `MOST_SHARDS`.
    """
    parts = _BRACES.split(path.name)
    if len(parts) == 1:
        return (path,)
    choices = [[part] if i % 2 == 0 else _choices(part) for i, part in enumerate(parts)]
    if prod(map(len, choices)) > MOST_SHARDS:
        raise _too_many(path.name)
    return tuple(path.with_name("".join(names)) for names in product(*choices) if any(names))


def _choices(text: str) -> list[str]:
    ends = re.fullmatch(r"([0-9]+)\.\.([0-9]+)", text)
    if ends is None:
        return [part.strip() for part in text.split(",")] if "," in text else [f"{{{text}}}"]
    first, last = ends.groups()
    if max(len(first), len(last)) > _LONGEST_NUMBER or int(last) - int(first) >= MOST_SHARDS:
        raise _too_many(f"{{{text}}}")
    return [str(number).zfill(len(first)) for number in range(int(first), int(last) + 1)]


def _too_many(name: str) -> SourceError:
    return SourceError(f"{name[:80]} stands for more than {MOST_SHARDS} files", "name those that are there")


def shard_files(path: Path) -> dict[SplitName, tuple[Path, ...]]:
    """The shards of each split. `test...tar` beside `train...tar` are the test split, however many they are.

    Raises SourceError where one of a range is missing.
    """
    files = expand(path)
    if not files:
        raise SourceError(f"{path.name} stands for no file", "a range counts upwards: {000..009}")
    missing = [file for file in files if not file.is_file()]
    if missing:
        raise SourceError(
            f"{len(missing)} of {len(files)} shards of {path.name} are missing, the first is {missing[0].name}",
            "name those that are there: {000..NNN} counts both ends",
        )
    found: dict[SplitName, tuple[Path, ...]] = {"train": files}
    match = re.match(r"(?i)(.*[_\-.])?train(?=[_\-.{])", path.name)
    if match is not None:
        tests = sorted(path.parent.glob(f"{match.group(1) or ''}test[-_.]*tar"))
        if tests:
            found["test"] = tuple(tests)
    return found


def index_shards(files: Sequence[Path]) -> dict[str, Cells]:
    """Every cell of every row by column, from the members' headers alone. Raises SourceError where a row lacks one."""
    index: dict[str, Cells] = {}
    for number, file in enumerate(files):
        for row in _rows(file):
            for name, cell in row.items():
                cells = index.setdefault(name, Cells(name, tuple(files)))
                cells.shard.append(number)
                cells.offset.append(cell.offset)
                cells.size.append(cell.size)
                cells.keys.append(number_of_name(cell.key))
            _require_one_each(index, row, file)
    if not index:
        raise SourceError(f"{files[0].name} holds no rows", "members are called KEY.COLUMN, such as 0001.png")
    return index


def _require_one_each(index: Mapping[str, Cells], row: Mapping[str, Cell], file: Path) -> None:
    """Before this row all columns have had the same number of cells."""
    lacking = [name for name in index if name not in row]
    lengths = {len(cells) for cells in index.values()}
    if lacking or len(lengths) > 1:
        name = lacking[0] if lacking else next(name for name in row if len(index[name]) == min(lengths))
        key = next(iter(row.values())).key
        raise SourceError(
            f"row {key!r} of {file.name} has {'no' if lacking else 'a'} .{name} member, unlike the rows before it",
            "every row has the same members; write a blank cell as an empty file",
        )


def _rows(file: Path) -> Iterator[dict[str, Cell]]:
    """Members with the same name up to the first dot, side by side in the file, are a row."""
    for key, cells in groupby(_members(file), key=lambda cell: cell.key):
        row: dict[str, Cell] = {}
        for cell in cells:
            if cell.column in row:
                raise SourceError(
                    f"row {key!r} of {file.name} has two .{cell.column} members", "keys name one row each"
                )
            row[cell.column] = cell
        yield row


def _members(file: Path) -> Iterator[Cell]:
    """Raises SourceError for a damaged file; tarfile itself takes a damaged header for the end."""
    import tarfile  # a few milliseconds that a spec without shards does not need

    try:
        length = file.stat().st_size
        with tarfile.open(file, "r:") as archive:
            for member in archive:
                folder, _, name = member.name.rpartition("/")
                stem, dot, column = name.partition(".")
                if member.isfile() and dot and stem and not folder.startswith("__"):
                    _require_whole(member, file.name, length)
                    yield Cell(file, f"{folder}/{stem}" if folder else stem, column, member.offset_data, member.size)
                archive.members = []  # type: ignore[attr-defined]  # otherwise every header stays in memory
            _require_end(file, archive.offset)
    except SourceError:
        raise
    except Exception as error:  # tarfile raises many kinds for damaged headers
        raise SourceError(
            f"{file.name} is not a readable .tar file ({error})",
            "shards are uncompressed, so that cells can be read where they are: unpack .tar.gz with gunzip",
        ) from error


def _require_whole(member: "TarInfo", name: str, length: int) -> None:
    """All bytes of the member stand in the file, of `length` bytes, one after the other."""
    if member.issparse():
        raise SourceError(f"member {member.name} of {name} is stored sparse", "write the shard without --sparse")
    if not 0 <= member.size <= length - member.offset_data:
        raise SourceError(
            f"member {member.name} of {name} claims {member.size} bytes, and the file ends before",
            "it was cut off or damaged: copy it again",
        )


def _require_end(file: Path, offset: int) -> None:
    """What follows the last header that tarfile read are zeros, or the end of the file."""
    with file.open("rb") as stream:
        stream.seek(offset)
        rest = stream.read(_PADDING)
    if rest.strip(b"\0"):
        raise SourceError(
            f"{file.name} goes on after its last member, at byte {offset}, where no member begins",
            "it is damaged, so copy it again; or several were joined: write them as one, or as shards of their own",
        )


def shard_tables(path: Path) -> dict[SplitName, Table]:
    """Columns per split from the first rows; row counts where the shards are small."""
    return {split: _table(files) for split, files in shard_files(path).items()}


def _table(files: tuple[Path, ...]) -> Table:
    first = list(islice(_rows(files[0]), PROBED_CELLS))
    if not first:
        raise SourceError(f"{files[0].name} holds no rows", "members are called KEY.COLUMN, such as 0001.png")
    columns: dict[str, Column] = {}
    for name in first[0]:
        cells = [row[name] for row in first if name in row]
        columns |= {column.name: column for column in _columns(name, cells)}
    small = sum(file.stat().st_size for file in files) <= COUNTED_BYTES
    return Table(columns, len(next(iter(index_shards(files).values()))) if small else None)


def _columns(name: str, cells: Sequence[Cell]) -> Iterator[Column]:
    """The columns that members of one ending hold: one, or one a key of .json."""
    contents = [_contents(cell) for cell in cells]
    ending = ending_of(name)
    if ending in IMAGES:
        yield picture_column(name, list(_headers(name, cells, contents)))
    elif ending == "npy":
        shape, kind, byte = _npy_header(contents[0], cells[0])
        yield Column(name, kind, shape, byte=byte)
    elif ending == "json":
        rows = [json_cells(data, f"{cell.key}.{name}") for cell, data in zip(cells, contents, strict=True)]
        for key in dict.fromkeys(key for row in rows for key in row):
            yield Column(f"{name}.{key}", _kind_of(["" if row.get(key) is None else str(row[key]) for row in rows]), ())
    elif ending in TEXTS:
        yield Column(name, _kind_of([data.decode("utf-8", "replace").strip() for data in contents]), ())


def _headers(name: str, cells: Sequence[Cell], contents: Sequence[bytes]) -> Iterator[PictureHeader]:
    for cell, data in zip(cells, contents, strict=True):
        yield read_header(io.BytesIO(data), f"the {name} of row {cell.key!r} in {cell.file.name}")


def ending_of(column: str) -> str:
    """What cells of a column are: `png` of `seg.png`."""
    return column.rpartition(".")[2].lower()


def json_cells(data: bytes, place: str) -> dict[str, Any]:
    """{key: number, text or None} of one .json member. Raises SourceError for anything else."""
    try:
        values = json.loads(data)
    except ValueError as error:
        raise SourceError(f"{place} is no JSON ({error})", 'write one object a row, such as {"label": 3}') from error
    if not isinstance(values, dict):
        raise SourceError(f"{place} is no JSON object", 'write one object a row, such as {"label": 3}')
    return {key: value for key, value in values.items() if not isinstance(value, (dict, list))}


def _kind_of(texts: Sequence[str]) -> Kind:
    """As a table of these rows would have it; blanks may become anything."""
    given = [text for text in texts if text]
    if all(map(is_integer, given)):
        return "integer"
    return "number" if all(map(is_number, given)) else "text"


def _contents(cell: Cell) -> bytes:
    with cell.file.open("rb") as stream:
        stream.seek(cell.offset)
        return stream.read(cell.size)


def _npy_header(data: bytes, cell: Cell) -> tuple[tuple[int, ...], Kind, bool]:
    try:
        return npy_header(io.BytesIO(data), len(data))
    except Exception as error:  # numpy raises many kinds for a damaged header
        raise SourceError(f"{cell.key}.npy in {cell.file.name} cannot be read ({error})") from error
