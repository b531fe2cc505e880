"""Panels onto the disk: a picture where the shown variable is one, else a table."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from graphspec.drawing.raster import WRITTEN_BY
from graphspec.graphs.graph import Graphs
from runtime.answering.panels import Panel, picture_shape
from runtime.data import Units
from runtime.errors import RunError
from runtime.figures.film_strips import film_strips, has_strips
from runtime.figures.panel_grid import draw_panel
from runtime.figures.panel_tables import Columns, write_csv
from runtime.figures.sequence_curves import draw_curves_of, has_curves
from runtime.runs.atomic_files import replacing

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".pdf")
TABLE = ".csv"


def is_picture(panel: Panel, graphs: Graphs) -> bool:
    """The variable the panel shows has the shape of an image, or its elements have, or they are numbers along time."""
    variable = graphs.variables[panel.shown]
    flat = picture_shape(variable) is not None and not variable.row_axes
    return flat or has_strips(panel, graphs) or has_curves(panel, graphs)


def is_read(panel: Panel, graphs: Graphs, path: Path) -> bool:
    """A table of numbers, which a person may want to see at once; pixels are not."""
    return path.suffix.lower() == TABLE and picture_shape(graphs.variables[panel.shown].of_one) is None


def _drawn(panel: Panel, graphs: Graphs, units: Mapping[str, Units] | None) -> Image.Image:
    scale = (units or {}).get(panel.shown)
    if has_strips(panel, graphs):
        return draw_panel(*film_strips(panel, graphs), scale)
    if has_curves(panel, graphs):
        return draw_curves_of(panel, graphs, scale)
    return draw_panel(panel, graphs.variables[panel.shown], scale)


def default_path(panel: Panel, graphs: Graphs, folder: Path, name: str) -> Path:
    """`folder/name.png`, or `.csv` for a panel that is no picture."""
    return folder / (name + (PICTURES[0] if is_picture(panel, graphs) else TABLE))


def write_panel(
    panel: Panel,
    graphs: Graphs,
    path: Path,
    units: Mapping[str, Units] | None = None,
    columns: Columns | None = None,
) -> Path:
    """Write a panel as the ending of `path` says. RunError for an ending it cannot be written as, or a full disk.

    columns: of the source, as tables name them.
    """
    ending = path.suffix.lower()
    if ending not in (*PICTURES, TABLE):
        raise RunError(f"{path}: cannot write {ending or 'a file without an ending'}", "name a .png or a .csv file")
    if ending != TABLE and not is_picture(panel, graphs):
        shape = list(graphs.variables[panel.shown].shape)
        raise RunError(
            f"{panel.shown} has shape {shape}, which is not a picture",
            "write a table: -o FILE.csv (pictures are [1, H, W], [3, H, W], [H, W] or square vectors in [0, 1])",
        )
    with replacing(path) as temporary:
        if ending == TABLE:
            write_csv(panel, graphs, temporary, units, columns)
        else:
            drawn = _drawn(panel, graphs, units)
            drawn.save(temporary, format=Image.registered_extensions()[ending], **_marked(ending))
    return path


def _marked(ending: str) -> dict[str, Any]:
    """What tells later that graphspec wrote the picture, in the words of its format."""
    match ending:
        case ".png":
            known = PngInfo()
            known.add_text("Software", WRITTEN_BY)
            return {"pnginfo": known}
        case ".webp":
            return {"xmp": WRITTEN_BY.encode()}
        case ".pdf":
            return {"keywords": WRITTEN_BY}
        case _:
            return {"comment": WRITTEN_BY}
