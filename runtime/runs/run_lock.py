"""One training (or sweep) at a time in a folder: a lock that the system takes back when its process ends, somehow."""

import errno
import os
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from runtime.errors import RunError, UnwritableError

LOCK_FILE = ".lock"
_PAUSE = 0.2
_HELD = (errno.EAGAIN, errno.EACCES)


class BusyError(RunError):
    """Another process works in the folder."""


class FolderLock:
    """Held from `__init__` to `release`. note: why two trainings are not kept apart here, "" where they are.

    Some network file systems, and Windows, have no such locks: training goes on without.
    """

    def __init__(self, folder: Path, work: str = "training") -> None:
        """Make the folder and lock it. Raises BusyError, naming the process, or UnwritableError."""
        self.file, self.note, self._work = folder / LOCK_FILE, "", work
        self._stream: IO[str] | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            while self._stream is None:
                self._stream = self._locked()
        except BusyError:
            raise
        except OSError as error:
            raise UnwritableError.of(folder, error) from None

    def _locked(self) -> IO[str] | None:
        """The open file; None where its holder removed it just now, so that it locks nothing any more."""
        stream = self.file.open("a+", encoding="utf-8", errors="replace")
        try:
            self._lock(stream)
            if self.file.exists() and os.path.samestat(os.fstat(stream.fileno()), self.file.stat()):
                stream.truncate(0)
                stream.write(f"process {os.getpid()} on {socket.gethostname()}")
                stream.flush()
                return stream
        except BaseException:
            stream.close()
            raise
        stream.close()
        return None

    def _lock(self, stream: IO[str]) -> None:
        try:
            import fcntl
        except ImportError:
            self.note = "this system has no file locks: start no second one in the same folder"
            return
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _HELD:
                raise self._busy(stream) from None
            reason = error.strerror or error
            self.note = f"{self.file.parent} cannot be locked ({reason}): start no second one in it"

    def _busy(self, stream: IO[str]) -> BusyError:
        stream.seek(0)
        holder = stream.read(200).strip() or "another process"
        return BusyError(
            f"another {self._work} is at work in {self.file.parent} ({holder})",
            "wait for it (what is stopped takes some seconds to save), or name another --out",
        )

    @property
    def descriptor(self) -> int | None:
        """For processes that are to hold the lock too; None where there is none."""
        return None if self._stream is None or self.note else self._stream.fileno()

    def release(self) -> None:
        """Let others work here; the lock's file goes first, while nobody else can hold it."""
        if self._stream is not None:
            with suppress(OSError):
                self.file.unlink(missing_ok=True)
            self._stream.close()
            self._stream = None


def wait_until_free(folders: Sequence[Path], patience: float) -> None:
    """Until no process works in any of the folders, or so many seconds have passed."""
    end = time.monotonic() + patience
    while time.monotonic() < end and any(_busy(folder) for folder in folders):
        time.sleep(_PAUSE)


def _busy(folder: Path) -> bool:
    if not folder.exists():
        return False
    try:
        FolderLock(folder).release()
    except BusyError:
        return True
    return False
