"""Copies of large arrays, kept in the cache folder as .npy so that they can be mapped: written once per source.

From: a function that writes the file. To: its path. The name of a copy tells the path, size and time of
change of its source; copies of older versions are deleted.
"""

import hashlib
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from graphspec.headers.sources import cache_folder
from runtime.errors import DataError

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Wanted:
    """A copy. what: `array 'x' of a.npz`, for messages; origin: its source, version: how that stands; size: bytes.

    remedy: what to do where there is no room for it.
    """

    what: str
    origin: tuple[str, ...]
    version: str
    size: int
    remedy: str

    @property
    def file(self) -> Path:
        """Where the copy is, or will be."""
        return cache_folder() / "unpacked" / f"{self.stem}-{_digest(self.version)}.npy"

    @property
    def stem(self) -> str:
        """What all copies of this source begin with."""
        return f"{'-'.join(Path(part).stem for part in self.origin)}-{_digest('|'.join(self.origin))}"


def keep(wanted: Wanted, write: Callable[[Path], None], tell: Tell) -> Path:
    """The copy's file; `write` makes it where it is not there yet, and `tell` is told before.

    Raises DataError where the folder has no room or cannot be written to. Anything that `write` raises leaves no file.
    """
    target = wanted.file
    if target.is_file() and target.stat().st_size >= wanted.size:
        return target
    tell(f"unpacking {wanted.what} once ({_size(wanted.size)}) into {target.parent}")
    partial = target.with_name(f"{target.stem}.{os.getpid()}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(target.parent)
        free = shutil.disk_usage(target.parent).free
        if free < wanted.size:
            raise _no_room(wanted, f"{_size(free)} are free there")
        write(partial)
        partial.replace(target)
    except OSError as error:
        raise _no_room(wanted, error.strerror or str(error)) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
    for old in target.parent.glob(f"{wanted.stem}-*.npy"):
        if old != target:
            old.unlink(missing_ok=True)
            facts_of(old).unlink(missing_ok=True)
    return target


def facts_of(copy: Path) -> Path:
    """Where what else is known about a copy stands, for who writes it: beside it, and deleted with it."""
    return copy.with_suffix(".json")


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**28 else f"{count / 2**20:.1f} MiB"


def _remove_abandoned(folder: Path) -> None:
    """Remove what processes left that were killed as they unpacked: their numbers are no process's any more. A number
    that some other process has by now keeps its file until that one ends too."""
    for partial in folder.glob("*.partial"):
        number = partial.name.split(".")[-2]
        if number.isdecimal() and not _runs(int(number)):
            with suppress(OSError):
                partial.unlink(missing_ok=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # somebody else's
        return True
    return True


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _no_room(wanted: Wanted, why: str) -> DataError:
    return DataError(
        f"{wanted.what} cannot be unpacked into {wanted.file.parent}: {why}",
        f"{wanted.remedy}, or point XDG_CACHE_HOME to a folder with room",
    )
