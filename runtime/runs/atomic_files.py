"""Files that are either whole or absent: written beside their place, put onto the disk, then given their name.

A reader, or a kill at any moment, meets the old file or the new one, never half; a full disk leaves no remains. No
torch here: every verb writes through this.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from runtime.errors import UnwritableError


@contextmanager
def replacing(path: Path, make_folder: bool = True) -> Iterator[Path]:
    """A path to write to, which becomes `path` where the block ends well; else it is removed again.

    make_folder: left out only where a user typed the path, which may be a slip. Raises UnwritableError, naming `path`,
    for what the system refuses.
    """
    temporary = path.with_name(f".{path.name}.part")
    try:
        if make_folder:
            path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        commit(temporary, path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise UnwritableError.of(path, error) from None
        raise


def commit(temporary: Path, path: Path) -> None:
    """Onto the disk first, then under its name; the folder last, so that the new name survives a power cut too."""
    _sync(temporary)
    os.replace(temporary, path)
    if os.name == "posix":
        _sync(path.parent)


def write_bytes(path: Path, content: bytes, make_folder: bool = True) -> None:
    """Replace a file in one step."""
    with replacing(path, make_folder) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, text: str, make_folder: bool = True) -> None:
    """Replace a text in one step."""
    write_bytes(path, encoded(text), make_folder)


def encoded(text: str) -> bytes:
    r"""As UTF-8. A name that is no text (a byte that Python carries as a lone surrogate) is written as `\udcff`, which
    JSON reads back as it was."""
    return text.encode("utf-8", "backslashreplace")


def write_copy(source: Path, path: Path) -> None:
    """Make `path` a file like `source`, in one step; a hard link where the file system has them, since both files are
    only ever replaced."""
    with replacing(path) as temporary:
        temporary.unlink(missing_ok=True)
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copyfile(source, temporary)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
