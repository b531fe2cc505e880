"""A bar over rows, on a terminal only."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


@contextmanager
def row_progress(console: "Console") -> Iterator[Callable[[int, int | None], None]]:
    """What is told the rows done, and of how many if that is known."""
    if not console.is_terminal:
        yield lambda done, of: None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.fields[told]}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None, told="reading")

        def told(done: int, of: int | None) -> None:
            text = f"{done:,} rows" if of is None else f"{done:,} of {of:,} rows"
            bar.update(task, completed=done, total=of, told=text)

        yield told
