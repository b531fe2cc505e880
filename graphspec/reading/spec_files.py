"""The text of a spec's file, or why it cannot be had."""

import sys
from pathlib import Path

from graphspec.diagnostics import Diagnostic, SourceText, SpecError
from graphspec.reading.suggestions import did_you_mean
from graphspec.text.composing import MAX_BYTES

STANDARD_INPUT = "-"


def read_text(name: str) -> str:
    """The text of a spec file, `-` for standard input. Raises SpecError where it cannot be had."""
    try:
        content = _read_bytes(name)
        # A text that is too long may be cut within a character; `source` refuses it anyway.
        return content.decode("utf-8-sig", "replace" if len(content) > MAX_BYTES else "strict")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        hint = "save the file as UTF-8"
        raise _unreadable(name, f"line {line} is not UTF-8 text (byte {error.start})", hint) from None
    except FileNotFoundError:
        raise _unreadable(name, "there is no such file", _nearby(name)) from None
    except IsADirectoryError:
        raise _unreadable(name, "this is a folder", "give the spec file itself") from None
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise _unreadable(name, f"the file cannot be read: {reason}", "") from None


def beside(named: str, folder: Path) -> Path:
    """Where a file or a run that a spec names is: beside the spec, else as seen from the working folder."""
    found = folder / named
    return found if found.exists() else Path(named)


def _read_bytes(name: str) -> bytes:
    """At most a little more than the cap: `source` refuses what is longer, and a device file never ends."""
    if name == STANDARD_INPUT:
        return sys.stdin.buffer.read(MAX_BYTES + 1)
    with open(name, "rb") as stream:
        return stream.read(MAX_BYTES + 1)


def _unreadable(name: str, message: str, hint: str) -> SpecError:
    return SpecError([Diagnostic("GS001", message, None, SourceText(name, ""), hint=hint)])


def _nearby(name: str) -> str:
    """A file of a like name in the same folder, for a slip of the fingers."""
    wanted = Path(name)
    try:
        others = [other.name for other in wanted.parent.iterdir() if other.suffix in (".yaml", ".yml")]
    except OSError:
        return f"the folder {wanted.parent} does not exist"
    return did_you_mean(wanted.name, others) or "`graphspec new` writes a starter spec"
