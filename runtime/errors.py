"""What goes wrong outside the spec: data, runs, disks. The command line prints `error: message`, `= help: hint`."""

import errno
from pathlib import Path


class RunError(Exception):
    """Something outside the spec is at fault. `message` says what, `hint` what to do; exit 1, never a traceback."""

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = message
        self.hint = hint
        super().__init__(f"{message}\n  = help: {hint}" if hint else message)


class DataError(RunError):
    """The data are not what the spec says, or not there."""


class UnwritableError(RunError):
    """A file cannot be written: no space, no permission, no folder."""

    @classmethod
    def of(cls, path: Path, error: OSError) -> "UnwritableError":
        """The system's refusal to write `path`, in words."""
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return cls(f"no space left in {path.parent} to write {path.name}", "make room there, or name another place")
        reason = error.strerror or str(error)
        return cls(f"cannot write {path}: {reason}", "name a place in a folder that you may write to")
