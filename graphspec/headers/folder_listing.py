"""What one folder of a folder of pictures holds, and how to name it. Not here: which of it is read (`folders`)."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from graphspec.headers.pictures import ENDINGS
from graphspec.headers.table import SourceError
from graphspec.reading.suggestions import few

TABLES = (".csv", ".tsv", ".xlsx", ".parquet")
_SHOWN = 4


@dataclass(frozen=True)
class Listing:
    """Each sorted by name. others: files that are no pictures; hidden: pictures and folders whose names begin with `.`
    or `__`, which file managers and notebooks leave behind."""

    path: Path
    pictures: tuple[Path, ...]
    folders: tuple[Path, ...]
    others: tuple[Path, ...]
    hidden: tuple[Path, ...]

    @property
    def tables(self) -> list[str]:
        """Names of tables, which may hold labels."""
        return [file.name for file in self.others if file.suffix.lower() in TABLES]


def list_folder(path: Path) -> Listing:
    """The folder's own entries. Raises SourceError where it cannot be listed."""
    found: dict[str, list[Path]] = {"pictures": [], "folders": [], "others": [], "hidden": []}
    try:
        with os.scandir(path) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                kind = _kind(entry)
                if kind is not None:
                    found[kind].append(path / entry.name)
    except OSError as error:
        raise SourceError(f"{path.name} cannot be listed ({error.strerror or error})") from error
    return Listing(path, *(tuple(found[kind]) for kind in ("pictures", "folders", "others", "hidden")))


def _kind(entry: "os.DirEntry[str]") -> str | None:
    """A link that leads nowhere counts as a picture, so that it is named as unreadable; a pipe or device does not."""
    folder, picture = entry.is_dir(), is_picture_name(entry.name)
    if entry.name.startswith((".", "__")):
        return "hidden" if folder or picture else None
    if folder:
        return "folders"
    file = entry.is_file() or (entry.is_symlink() and not os.path.exists(entry.path))
    return "pictures" if picture and file else "others"


def is_picture_name(name: str) -> bool:
    """Its ending is one of a picture that is read."""
    return os.path.splitext(name)[1].lower() in ENDINGS


def pictures_below(folder: Path) -> int:
    """How many files with a picture's ending there are, at any depth."""
    return sum(is_picture_name(name) for _, _, names in os.walk(folder) for name in names)


def some(words: Iterable[str]) -> str:
    """The first of a folder's entries, and how many more there are."""
    return few(words, _SHOWN)
