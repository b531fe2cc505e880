"""Where draws go: all below each other in one file, or each into a file of its own, as `answers-{draw}.csv` says."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from runtime.errors import RunError
from runtime.predicting.output_columns import Cells
from runtime.predicting.output_files import opened_output, refuse_other_columns

PLACE = "{draw}"
MOST_FILES = 200
"""Files that are open side by side."""


def draw_files(output: Path, draws: int) -> list[Path]:
    """The files of an output, numbered from 1. RunError for a place of a number without draws, and for too many."""
    if PLACE not in output.name:
        return [output]
    if not draws:
        raise RunError(f"{output}: {PLACE} is for the number of a draw, and no draws are asked for", "add --draws N")
    if draws > MOST_FILES:
        hint = f"leave {PLACE} out: one file then has all draws, one below the other"
        raise RunError(f"{draws} draws are more than {MOST_FILES} files", hint)
    return [output.with_name(output.name.replace(PLACE, str(number))) for number in range(1, draws + 1)]


def refuse_files(
    files: Sequence[Path], header: Sequence[str], own: Sequence[str], refuse: Callable[[Path], None]
) -> None:
    """RunError where something is in the way. refuse: what else is to be asked of each."""
    for file in files:
        refuse(file)
        refuse_other_columns(file, header, own)


@contextmanager
def opened_files(
    files: Sequence[Path], header: Sequence[str], separator: str | None, decimal: str
) -> Iterator[Callable[[int, Iterable[Cells]], None]]:
    """Writes the cells of a draw, by its number from 1, into its file."""
    with ExitStack() as stack:
        opened = [stack.enter_context(opened_output(file, header, separator, decimal)) for file in files]
        yield lambda number, cells: opened[(number - 1) % len(opened)].write(cells)
