"""Tables whose cells name picture files: which file each row means, what is not there, and what no row names.

`x: {column: filename, folder: images}`: cells are relative to `folder`, which stands beside the table; without `folder`
to the table itself. From: cells of one column. To: `NamedFiles`. Not here: headers and pixels of the files.
"""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from graphspec.graphs.graph import Variable
from graphspec.headers.folder_listing import is_picture_name
from graphspec.headers.table import Remark, SourceError, SplitName
from graphspec.language import ColumnSpec
from graphspec.reading.suggestions import counted, did_you_mean, few, in_lines

_LISTED = 20


def names_files(variable: Variable, entry: ColumnSpec) -> bool:
    """In a table, cells of the variable's one column are names of picture files: a single cell holds no picture."""
    return entry.column is not None and len(variable.of_element) > 1


def files_beside(table: Path, folder: str | None) -> Path:
    """What the cells of a table are relative to. Raises SourceError where there is no such folder."""
    beside = table.parent
    if folder is None:
        return beside
    found = beside / os.path.expanduser(folder)
    if found.is_dir():
        return found
    there = sorted(entry.name for entry in beside.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    hint = did_you_mean(folder, there, f"folders beside {table.name}: {few(there)}")
    raise SourceError(f"there is no folder {folder} beside {table.name}", hint)


@dataclass(frozen=True)
class FileColumn:
    """How a spec reads a column of file names. folder: `None` is that of the table; blanks: cells that mean none."""

    folder: str | None = None
    blanks: tuple[str, ...] = ("",)

    @classmethod
    def of(cls, entry: ColumnSpec) -> "FileColumn":
        """As `data.variables` has it."""
        return cls(entry.folder, ("", *(str(mark).strip() for mark in entry.missing_in(entry.column or ""))))


@dataclass(frozen=True)
class NamedFiles:
    """table: what it is called; column: whose cells these are, row by row, "" for a blank; folder: of the files."""

    table: str
    column: str
    cells: Sequence[str]
    folder: Path

    @classmethod
    def of(
        cls,
        table: str,
        column: str,
        cells: Mapping[SplitName, Sequence[str]],
        files: Mapping[SplitName, Path],
        entry: "FileColumn",
    ) -> "NamedFiles":
        """The rows of all splits, those of the test split last. files: the table of each split. Raises SourceError."""
        blanks = frozenset(entry.blanks)
        folders = {split: files_beside(path, entry.folder) for split, path in files.items()}
        shared = Path(os.path.commonpath(folders.values()))
        every = [
            ""
            if cell in blanks
            else cell
            if folders[split] == shared
            else f"{folders[split].relative_to(shared)}/{cell}"
            for split, some in cells.items()
            for cell in some
        ]
        return cls(table, column, every, shared)

    @cached_property
    def files(self) -> dict[int, Path]:
        """By row, of the rows that name one."""
        return {row: self.folder / cell for row, cell in enumerate(self.cells) if cell}

    def place(self, row: int) -> str:
        """A row's picture, for messages."""
        return f"row {row}, picture {self.cells[row]}"

    def refuse_missing(self) -> None:
        """SourceError that names every row whose file is not there, and where it may be."""
        there = _Listings()
        missing = [row for row, file in self.files.items() if not there.has(file)]
        if not missing:
            return
        lines = [f"row {row}: {self.cells[row]}{there.near(self.folder / self.cells[row])}" for row in missing]
        raise SourceError(
            f"{len(missing)} of {len(self.cells)} rows of {self.table} name a picture in column {self.column} that is "
            f"not there:{in_lines(lines, _LISTED)}",
            self._elsewhere(missing),
        )

    def _elsewhere(self, missing: Sequence[int]) -> str:
        """The folder that has what is missing here, as the spec would name it."""
        first = self.cells[missing[0]]
        for entry in sorted(self.folder.iterdir()) if self.folder.is_dir() else ():
            if entry.is_dir() and (entry / first).exists():
                return f"it is in {entry.name}: {{column: {self.column}, folder: {entry.name}}}"
        return f"names are relative to the folder {self.folder.name}: put the files there, or take these rows out"

    def refuse_blank(self) -> None:
        """SourceError that names every row without a picture."""
        blank = [row for row, cell in enumerate(self.cells) if not cell]
        if blank:
            raise SourceError(
                f"{counted(len(blank), 'row')} of {self.table} {'names' if len(blank) == 1 else 'name'} no picture: "
                f"column {self.column} is blank in row {few(map(str, blank))}",
                "take these rows out, or declare `missing: true` if nothing in `generative` depends on the picture",
            )

    def remarks(self) -> Iterator[Remark]:
        """Pictures that no row names, and those that several do."""
        named = {os.path.normpath(file) for file in self.files.values()}
        listings, lost = _Listings(), list[str]()
        for parent in sorted({file.parent for file in self.files.values()}):
            inside = sorted(name for name in listings.of(parent) if is_picture_name(name) and name[0] not in "._")
            lost += [
                os.path.relpath(parent / n, self.folder) for n in inside if os.path.normpath(parent / n) not in named
            ]
        if lost:
            pictures = counted(len(lost), "picture has", "pictures have")
            hint = f"add rows to {self.table} (their labels may be blank) to use them"
            yield Remark(f"{pictures} no row in {self.table} and {_is(lost)} not read: {few(lost)}", hint)
        twice = [name for name, count in Counter(filter(None, self.cells)).items() if count > 1]
        if twice:
            told = f"{counted(len(twice), 'picture is', 'pictures are')} named by several rows of {self.table}"
            yield Remark(f"{told}: {few(twice)}", "such rows stay in one split", serious=False)


def _is(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


class _Listings:
    """Folders, each listed once: far quicker than asking for every file."""

    def __init__(self) -> None:
        self.folders: dict[Path, frozenset[str]] = {}

    def of(self, folder: Path) -> frozenset[str]:
        """Names in a folder; none where it is not there."""
        if folder not in self.folders:
            try:
                self.folders[folder] = frozenset(os.listdir(folder))
            except OSError:
                self.folders[folder] = frozenset()
        return self.folders[folder]

    def has(self, file: Path) -> bool:
        """Something of that name is there."""
        return file.name in self.of(file.parent)

    def near(self, file: Path) -> str:
        """What may have been meant, in brackets."""
        found = did_you_mean(file.name, self.of(file.parent))
        return f" ({found})" if found else ""


def rows_in_words(names: Mapping[str, Sequence[str]], row: int) -> str:
    """`row 3 (b.png)`: a row by its number and what its pictures are called."""
    called = [cells[row] for cells in names.values() if cells[row]]
    return f"row {row} ({', '.join(called)})" if called else f"row {row}"
