"""What lies in a folder of pictures and is not read: counted and named, so that nothing is lost without a word."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from graphspec.headers.folder_listing import TABLES, Listing, pictures_below, some
from graphspec.headers.table import Remark
from graphspec.reading.suggestions import counted


def table_way_out(table: str, folder: str = "FOLDER") -> str:
    """How rows of a table are joined to picture files."""
    return (
        f"if {table} names the pictures, it is the source: source: {table}, x: {{column: FILE_NAMES, folder: {folder}}}"
    )


_COMPANIONS = (
    "", ".txt", ".md", ".json", ".xml", ".yaml", ".yml", ".html", ".pdf", ".log", ".ini", ".db", ".py", ".ipynb",
)  # fmt: skip
"""Endings of what often lies beside pictures and is none."""


def unread(top: Listing, classes: Sequence[Listing]) -> Iterator[Remark]:
    """Of a folder whose pictures are rows, its own or those of its class folders."""
    name, used = top.path.name, [top] if top.pictures else [top, *classes]
    tables = [table for one in used for table in one.tables]
    if tables:
        verb = "is" if len(tables) == 1 else "are"
        yield Remark(
            f"{some(tables)} in folder {name} {verb} not read, nor any labels there", table_way_out(tables[0], ".")
        )
    others = [file.suffix.lower() for one in used for file in one.others if file.suffix.lower() not in TABLES]
    if others:
        yield _other_endings(name, Counter(others))
    deep = [folder for one in ((top,) if top.pictures else classes) for folder in one.folders]
    yield from _folders(deep, top.path, "images in deeper folders are not read", "move them up")
    hidden = [entry for one in used for entry in one.hidden]
    count = sum(pictures_below(entry) if entry.is_dir() else 1 for entry in hidden)
    if count:
        hint = "names that begin with `.` or `__` are hidden"
        hidden_ones = some(entry.name for entry in hidden)
        images = counted(count, "image")
        yield Remark(f"{images} in folder {name} not read, as hidden: {hidden_ones}", hint, serious=False)
    empty = [] if top.pictures else [one.path.name for one in classes if not one.pictures]
    if empty:
        yield Remark(f"folder {name} has no images in {some(empty)}: no class is called so", "remove or fill it")


def beside_splits(top: Listing, splits: Sequence[Path]) -> Iterator[Remark]:
    """What lies beside the folders train and test."""
    rest = [folder for folder in top.folders if folder not in splits]
    hint = "`data.validation` draws validation rows from train; move the images into train to use them"
    yield from _folders(rest, top.path, "images beside the folders train and test are not read", hint)
    if top.pictures or top.tables:
        names = some([*(file.name for file in top.pictures), *top.tables])
        yield Remark(f"files beside the folders train and test of {top.path.name} are not read: {names}")


def _other_endings(name: str, endings: Counter[str]) -> Remark:
    each = ", ".join(f"{count} {ending or 'without an ending'}" for ending, count in sorted(endings.items()))
    files = counted(endings.total(), "file is", "files are")
    lost = any(ending not in _COMPANIONS for ending in endings)
    hint = "save pictures of other kinds as .png or .tif" if lost else ""
    return Remark(f"{files} not read in folder {name}: {each}", hint, lost)


def _folders(folders: Sequence[Path], top: Path, what: str, hint: str) -> Iterator[Remark]:
    counts = {str(folder.relative_to(top)): pictures_below(folder) for folder in folders}
    full = [f"{name} ({counted(count, 'image')})" for name, count in counts.items() if count]
    if full:
        yield Remark(f"{what}: {some(full)}", hint)
