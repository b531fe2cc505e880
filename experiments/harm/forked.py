"""One `graphspec` command in a forked process, whose file operations are counted, and which dies or finds its disk full
at one of them.

File operations are Python's audit events (open for writing, rename, mkdir, remove, link) below a folder. Forked, since
importing torch takes longer than a small training.
"""

import errno
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_CHANGES = ("os.rename", "os.mkdir", "os.remove", "os.link", "os.rmdir")


@dataclass(frozen=True)
class Outcome:
    """How a command ended: its exit code (negative: the signal), what it printed, its file operations."""

    code: int
    output: str
    operations: int

    @property
    def in_words(self) -> bool:
        """It ended by itself, and neither with a traceback nor as a broken promise."""
        return self.code in (0, 1, 2, 130) and "Traceback" not in self.output


def load() -> None:
    """Import what a training needs, once, before any fork."""
    import accelerate  # noqa: F401

    import runtime.cli.after_training
    import runtime.cli.app
    import runtime.cli.evaluate
    import runtime.cli.sample
    import runtime.cli.train
    import runtime.data
    import runtime.figures.defaults
    import runtime.measures.evaluation
    import runtime.training.loop.fitting  # noqa: F401


def graphspec(
    arguments: Sequence[str],
    folder: Path,
    *,
    die_at: int = 0,
    full_at: int = 0,
    torn: bool = False,
    kill_after: float | None = None,
) -> Outcome:
    """Run `graphspec ARGUMENTS` in `folder`. die_at: SIGKILL at this file operation (from 1); full_at: no space from it
    on; torn: what was to be written then is there by half; kill_after: SIGKILL after so many seconds."""
    said, counted = folder / ".said", folder / ".counted"
    said.unlink(missing_ok=True)
    counted.write_text("0")
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        _be_the_command(
            arguments, folder, said, _counting(folder, counted, die_at, full_at, torn), clocked=kill_after is not None
        )
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    output = said.read_text(encoding="utf-8", errors="replace") if said.exists() else ""
    return Outcome(os.waitstatus_to_exitcode(status), output, int(counted.read_text() or 0))


def _be_the_command(
    arguments: Sequence[str], folder: Path, said: Path, hook: Callable[[str, Any], None], *, clocked: bool
) -> None:
    code = 70
    try:
        out = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(out, 1)
        os.dup2(out, 2)
        os.chdir(folder)
        sys.argv = ["graphspec", *arguments]
        sys.addaudithook(hook)
        from runtime.cli.app import app
        from runtime.training.loop import epoch_files

        epoch_files.PAUSE = epoch_files.PAUSE if clocked else 0.0  # file operations are the same ones in each run
        app()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _counting(folder: Path, counted: Path, die_at: int, full_at: int, torn: bool) -> Callable[[str, Any], None]:
    """An audit hook for the child alone: forked, it ends with it."""
    inside, count, tearing, counter = str(folder), 0, False, os.open(counted, os.O_WRONLY)

    def hook(event: str, values: Any) -> None:
        nonlocal count, tearing
        if tearing:
            return
        if event == "open":
            if not _writes(values):
                return
        elif event not in _CHANGES:
            return
        path = os.fspath(values[0]) if isinstance(values[0], (str, os.PathLike)) else ""
        if not os.path.abspath(path).startswith(inside):
            return
        count += 1
        os.pwrite(counter, str(count).encode(), 0)
        if torn and count in (die_at, full_at) and event == "open" and values[2] & os.O_ACCMODE == os.O_WRONLY:
            tearing = True
            _tear(Path(path), values)
            tearing = False
        if count == die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if full_at and count >= full_at and event in ("open", "os.mkdir", "os.link"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)

    return hook


def _tear(path: Path, values: Any) -> None:
    """Leave what a write that is ended halfway leaves: an end without its line break, or the first half."""
    content = path.read_bytes() if path.is_file() else b""
    path.write_bytes(content + b'{"ep' if "a" in (values[1] or "") else content[: len(content) // 2] or b"ha")


def _writes(values: Any) -> bool:
    mode, flags = values[1], values[2] if len(values) > 2 else 0
    return any(mark in mode for mark in "wax+") if isinstance(mode, str) else bool(flags & (os.O_WRONLY | os.O_RDWR))
