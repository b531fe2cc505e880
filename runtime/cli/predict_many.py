"""`graphspec predict RUN "parts/*.csv" -o FOLDER`: part by part on this machine, or on the workers of a cluster."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from graphspec.reading.suggestions import counted
from runtime.cli.common import EXIT_FAULT, console, error_console, tell
from runtime.cli.row_progress import row_progress
from runtime.errors import RunError
from runtime.predicting.many_files import RECORDS, ManyFiles, Part
from runtime.sweeping.run_pool import log_of

if TYPE_CHECKING:
    from runtime.cluster.connecting import Cluster

SHARES = 4
"""Commands that each thread of a cluster gets, about: the last of them end together."""


@dataclass(frozen=True)
class PartsCommand:
    """Some parts as a command for a worker; its log is `folder`.log."""

    folder: Path
    arguments: tuple[str, ...]
    parts: tuple[Part, ...]


class _Told:
    """A line for each command that has ended."""

    def __init__(self, of: int) -> None:
        self.done, self.of = 0, of

    def started(self, task: PartsCommand) -> None:
        """Nothing."""

    def ended(self, task: PartsCommand, code: int, seconds: float) -> None:
        self.done += len(task.parts)
        tell(f"{self.done} of {counted(self.of, 'file')}" + (f" (exit {code}: {log_of(task.folder)})" if code else ""))

    def tick(self, running: Sequence[PartsCommand]) -> None:
        """Nothing."""


def predict_here(many: ManyFiles, batch_rows: int) -> None:
    """One part after the other; exit 1 where some could not be answered."""
    left = many.left()
    with row_progress(error_console) as progress:
        failed = list(many.predict(left, batch_rows, progress))
    for part, error in failed:
        typer.echo(f"error: {part.source}: {error}", err=True)
    _conclude(many, left, failed=bool(failed))


def predict_there(many: ManyFiles, address: str, arguments: Sequence[str]) -> None:
    """Shares of the parts on a cluster's workers. arguments: the command without --on."""
    from runtime.cluster.cluster_pool import ClusterPool
    from runtime.cluster.connecting import connected

    left, folder = many.left(), many.parts[0].output.parent
    if left:
        with connected(address, folder) as cluster:
            commands = list(_commands(left, folder, cluster, arguments))
            pool = ClusterPool[PartsCommand](cluster, _Told(len(left)), None, tell)
            pool.run(iter(commands), lambda task, code: None)
    missing = many.left()
    for part in missing:
        typer.echo(f"error: {part.source} was not answered: see the logs in {folder / RECORDS}", err=True)
    _conclude(many, left, failed=bool(missing))


def _commands(
    left: Sequence[Part], folder: Path, cluster: "Cluster", arguments: Sequence[str]
) -> Iterator[PartsCommand]:
    size = max(1, len(left) // (SHARES * max(1, cluster.threads())))
    for number, start in enumerate(range(0, len(left), size)):
        parts = tuple(left[start : start + size])
        only = [text for part in parts for text in ("--only", part.output.name)]
        yield PartsCommand(folder / RECORDS / f"share-{number}", (*arguments, *only), parts)


def without_address(arguments: Sequence[str]) -> list[str]:
    """This command's own arguments, but not where it is carried out."""
    found, skip = list[str](), False
    for argument in arguments:
        if not skip and argument != "--on" and not argument.startswith("--on="):
            found.append(argument)
        skip = argument == "--on"
    return found


def chosen(parts: Sequence[Part], names: Sequence[str]) -> list[Part]:
    """Those that are named, or all."""
    missing = set(names) - {part.output.name for part in parts}
    if missing:
        raise RunError(f"no input is called {min(missing)}", "--only names files that the pattern stands for")
    return [part for part in parts if not names or part.output.name in names]


def _conclude(many: ManyFiles, left: Sequence[Part], *, failed: bool) -> None:
    done = {part: found for part in many.parts if (found := many.done(part)) is not None}
    for part, found in done.items():
        for note in found.notes if part in left else ():
            tell(f"note: {part.source}: {note}")
    before = len(many.parts) - len(left)
    told = [counted(len(done), "file"), *([f"{before} of them before"] if before else [])]
    rows = sum(found.rows for found in done.values())
    text = f"{many.parts[0].output.parent}  ({', '.join(told)}; {rows} rows)"
    console.print(text, highlight=False, markup=False, soft_wrap=True)
    if failed:
        _exit()


def _exit() -> NoReturn:
    sys.stdout.flush()
    raise typer.Exit(EXIT_FAULT)
