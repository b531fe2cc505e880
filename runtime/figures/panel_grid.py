"""A panel as one PNG: enlarged pictures in rows and columns, with a title, headings, row names and captions.

torchvision's `make_grid` lays out the pictures; the text around them is drawn at exact pixels, so nothing is clipped
and the same panel always gives the same file.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import matplotlib
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from compiler.networks.torchvision_shim import import_torchvision
from graphspec.graphs.graph import Variable
from runtime.answering.panels import Panel, picture_shape
from runtime.data import Units
from runtime.figures.panel_tables import in_data_units

MARGIN = 18
GAP = 3
"""Pixels between neighbouring pictures."""
BREAK = 16
"""Pixels that set inputs, and bands of rows, apart."""
SMALLEST_CELL = 64
"""Pictures are enlarged by a whole factor until their shorter side has at least this many pixels."""
TITLE, TEXT, SMALL = 16, 14, 12
OUTLIERS = (0.01, 0.99)
"""Quantiles that become black and white where a variable has no range of its own."""
INK, FAINT, WRONG = (25, 25, 25), (95, 95, 95), (200, 30, 30)
LONGEST_NAME = 28


@dataclass(frozen=True)
class Layout:
    """Where cells stand: left edge per column, top edge per row, size of a picture; all in pixels of the canvas."""

    lefts: tuple[int, ...]
    tops: tuple[int, ...]
    cell: tuple[int, int]
    caption: int
    size: tuple[int, int]
    title: str


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    """matplotlib's own DejaVu Sans: the same letters on every machine, and it knows most alphabets."""
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"), size)


def draw_panel(panel: Panel, variable: Variable, units: Units | None = None) -> Image.Image:
    """The picture of `panel`'s shown variable, which must have the shape of one; `units` undo standardization."""
    cells = pictures(in_data_units(panel.values[panel.shown], units), variable)
    height, width = cells.shape[-2:]
    cells = enlarged(cells, max(1, -(-SMALLEST_CELL // min(height, width))))
    columns = tuple(_short(name) for name in panel.columns)
    rows = tuple("\n".join(map(_short, name.split("\n"))) for name in panel.rows)
    layout = _layout(panel, rows, columns, (cells.shape[-1], cells.shape[-2]))
    canvas = Image.new("RGB", layout.size, "white")
    _paste_blocks(canvas, panel, cells, layout)
    _write(ImageDraw.Draw(canvas), canvas, panel, rows, columns, layout)
    return canvas


def _layout(panel: Panel, rows: tuple[str, ...], columns: tuple[str, ...], cell: tuple[int, int]) -> Layout:
    width, height = cell
    caption = _line_height(SMALL) + 2 if panel.captions else 0
    left = MARGIN + max((_text_width(name, TEXT) + 10 for name in rows if name), default=0)
    lefts = tuple(
        left + column * (width + GAP) + (BREAK - GAP if panel.inputs and column >= panel.inputs else 0)
        for column in range(len(columns))
    )
    right = lefts[-1] + width + MARGIN
    longest = max(_text_width(word, TITLE) for word in panel.title.split()) + 2 * MARGIN
    total = max(right, longest, min(_text_width(panel.title, TITLE) + 2 * MARGIN, 420))
    title = _wrapped(panel.title, total - 2 * MARGIN, TITLE)
    top = MARGIN + _block_height(title, TITLE) + 10 + _heading_height(columns, width)
    tops = []
    for row in range(len(rows)):
        band = row // panel.band if panel.band else 0
        tops.append(top + caption + row * (height + caption + GAP) + band * (BREAK - GAP))
    return Layout(lefts, tuple(tops), cell, caption, (total, tops[-1] + height + MARGIN), title)


def _paste_blocks(canvas: Image.Image, panel: Panel, cells: Tensor, layout: Layout) -> None:
    """Cells between two breaks stand at equal distances: each such block is one `make_grid`."""
    import_torchvision()
    from torchvision.utils import make_grid

    step = panel.band or len(panel.rows)
    for first in range(0, len(panel.rows), step):
        for start, stop in ((0, panel.inputs), (panel.inputs, len(panel.columns))):
            if start == stop:
                continue
            block = cells[first : first + step, start:stop].flatten(0, 1)
            padded = torch.nn.functional.pad(block, (0, 0, layout.caption, 0), value=1.0)
            sheet = make_grid(padded, nrow=stop - start, padding=GAP, pad_value=1.0)
            numbers = (sheet * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
            corner = (layout.lefts[start] - GAP, layout.tops[first] - layout.caption - GAP)
            canvas.paste(Image.fromarray(numbers), corner)


def _write(
    pen: ImageDraw.ImageDraw,
    canvas: Image.Image,
    panel: Panel,
    rows: tuple[str, ...],
    columns: tuple[str, ...],
    layout: Layout,
) -> None:
    width, height = layout.cell
    pen.multiline_text((MARGIN, MARGIN), layout.title, fill=INK, font=_font(TITLE), spacing=4)
    bottom = layout.tops[0] - layout.caption - 5
    upright = _upright(columns, width)
    for name, left in zip(columns, layout.lefts, strict=True):
        if name and not upright:
            pen.text((left + width / 2, bottom), name, fill=INK, font=_font(TEXT), anchor="md")
        elif name:
            _write_upright(canvas, name, left + width // 2, bottom)
    for name, top in zip(rows, layout.tops, strict=True):
        place = (layout.lefts[0] - 10, top + height / 2)
        pen.multiline_text(place, name, fill=INK, font=_font(TEXT), anchor="rm", align="right", spacing=3)
    for row, captions in enumerate(panel.captions):
        for column, caption in enumerate(captions):
            left, top = layout.lefts[column], layout.tops[row]
            colour = WRONG if (row, column) in panel.marked else FAINT
            text = _fitting(caption, width, SMALL)
            pen.text((left + width / 2, top - 2), text, fill=colour, font=_font(SMALL), anchor="md")


def _write_upright(canvas: Image.Image, text: str, centre: int, bottom: int) -> None:
    """Text that reads upwards, for names wider than their column."""
    strip = Image.new("RGB", (_text_width(text, TEXT), _line_height(TEXT)), "white")
    ImageDraw.Draw(strip).text((0, 0), text, fill=INK, font=_font(TEXT))
    turned = strip.rotate(90, expand=True)
    canvas.paste(turned, (centre - turned.width // 2, bottom - turned.height))


def _upright(columns: tuple[str, ...], width: int) -> bool:
    """Names turn where one is wider than its column; `input` alone may stand a little over the edge."""
    return any(_text_width(name, TEXT) > width + GAP for name in columns)


def _heading_height(columns: tuple[str, ...], width: int) -> int:
    if not any(columns):
        return 0
    if _upright(columns, width):
        return max(_text_width(name, TEXT) for name in columns) + 8
    return _line_height(TEXT) + 6


def _text_width(text: str, size: int) -> int:
    return max(-(-int(_font(size).getlength(line) * 64) // 64) + 1 for line in text.split("\n"))


def _line_height(size: int) -> int:
    ascent, descent = _font(size).getmetrics()
    return ascent + descent


def _block_height(text: str, size: int) -> int:
    return (_line_height(size) + 4) * (text.count("\n") + 1)


def _wrapped(text: str, width: int, size: int) -> str:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if _text_width(longer, size) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return "\n".join(lines)


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "\N{HORIZONTAL ELLIPSIS}"


def _fitting(text: str, width: int, size: int) -> str:
    while len(text) > 1 and _text_width(text, size) > width:
        text = text[:-2] + "\N{HORIZONTAL ELLIPSIS}"
    return text


def pictures(values: Tensor, variable: Variable) -> Tensor:
    """[R, C, *shape] -> [R, C, channels, H, W] float32 in [0, 1]; a blank value is white.

    `unit` and `binary` are shown as they are; every other domain is stretched over the values of this panel.
    """
    shape = picture_shape(variable)
    assert shape is not None, f"{variable.name} is not a picture"
    cells = values.detach().float().reshape(*values.shape[:2], *shape)
    if variable.domain not in ("unit", "binary"):
        cells = _stretched(cells)
    return cells.clamp(0, 1).nan_to_num(1.0)


def _stretched(cells: Tensor) -> Tensor:
    known = cells[cells.isfinite()]
    if not len(known):
        return cells
    step = max(1, len(known) // 1_000_000)  # torch.quantile refuses very large inputs
    low, high = torch.quantile(known[::step], torch.tensor(OUTLIERS)).tolist()
    stretched: Tensor = (cells - low) / max(high - low, 1e-12)
    return stretched


def enlarged(cells: Tensor, factor: int) -> Tensor:
    """Each pixel of [..., H, W] as a square of `factor` pixels: small pictures stay exact."""
    return cells.repeat_interleave(factor, dim=-2).repeat_interleave(factor, dim=-1)
