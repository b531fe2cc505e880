"""Figures onto the disk: whole, or not at all."""

from pathlib import Path
from typing import TYPE_CHECKING

from runtime.runs.atomic_files import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def save_figure(figure: "Figure", path: Path) -> None:
    """Write a figure in the format of the path's ending. Raises UnwritableError; an earlier file then stays."""
    with replacing(path) as temporary:
        figure.savefig(temporary, format=path.suffix.removeprefix("."), metadata={"Software": None})
