"""Whether cells of a column, as an entry of `data.variables` reads them, have the shape of the variable."""

from graphspec.graphs.graph import Variable
from graphspec.headers.columns import Column, as_image, fit, recoloured, resized, show_shape
from graphspec.language import ColumnSpec
from graphspec.reading.suggestions import few

Problem = tuple[str, str]
MOST_UNLIKE = 3
"""Pictures that are named as unlike the others."""


def problem_with_shape(variable: Variable, entry: ColumnSpec, columns: list[Column]) -> Problem | None:
    """(message, hint) where the cells cannot become values of the variable's shape."""
    if entry.columns is not None:
        return _problem_with_stack(variable, columns)
    column = columns[0]
    if column.kind == "other":  # objects, of which the shape is no news
        return None
    if column.channels:
        problem = _problem_with_files(variable, entry, column)
        if problem is not None:
            return problem
    stored = _as_read(variable, entry, column)
    if stored is None or fit(stored, variable.shape) is not None:
        return None  # not known, or no image, or no sides to resize to: GS084 says so
    what = f"column {column.name} holds" if entry.resize is None else "resized images are"
    return f"'{variable.name}' is {show_shape(variable.shape)}, {what} {show_shape(stored)}", (
        _shape_hint(variable, entry, stored)
    )


def _problem_with_stack(variable: Variable, columns: list[Column]) -> Problem | None:
    long = next((c for c in columns if c.shape is not None and fit(c.shape, ()) is None), None)
    if long is not None:
        return f"only single values are stacked, and {long.name} holds {show_shape(long.shape)}", "read it alone"
    stacked = (len(columns),)
    if fit(stacked, variable.shape) is None:
        message = f"'{variable.name}' is {show_shape(variable.shape)}, {len(columns)} stacked columns are "
        return message + show_shape(stacked), f"declare `size: {len(columns)}`"
    return None


def _problem_with_files(variable: Variable, entry: ColumnSpec, column: Column) -> Problem | None:
    """Picture files that differ, where nothing makes them alike. Mixed colours follow the variable's own channels."""
    if column.shape is None and entry.resize is None and column.sides is None:
        sides = ", ".join(map(str, variable.shape[-2:])) or "height, width"
        return f"images of column {column.name} differ in size{_unlike(column)}", f"add `resize: [{sides}]`"
    if len(column.channels) > 1 and entry.colour is None and image_channels(variable) not in column.channels:
        hint = "add `colour: grey` or `colour: rgb`"
        return f"column {column.name} mixes grey and coloured images{_unlike(column)}", hint
    return None


def _unlike(column: Column) -> str:
    return f": {few(column.unlike, MOST_UNLIKE)}" if column.unlike else ""


def image_channels(variable: Variable) -> int | None:
    """Of a variable whose values can be images, `[height, width]` among them."""
    return variable.shape[0] if len(variable.shape) == 3 else 1 if len(variable.shape) == 2 else None


def _as_read(variable: Variable, entry: ColumnSpec, column: Column) -> tuple[int, ...] | None:
    """The cell's shape once colour and size are as asked for; None where that is not known, or the cell is no image."""
    stored = column.shape
    if stored is None and column.channels:
        channels = column.channels[0] if len(column.channels) == 1 else image_channels(variable)
        sides = column.sides or (entry.resize if entry.resize is not None and len(entry.resize) == 2 else None)
        stored = None if channels is None or sides is None else (channels, *sides)
    if stored is not None and entry.colour is not None:
        stored = recoloured(stored, entry.colour)
    return resized(stored, entry.resize) if stored is not None and entry.resize is not None else stored


def _shape_hint(variable: Variable, entry: ColumnSpec, stored: tuple[int, ...]) -> str:
    image = as_image(stored) if entry.resize is None else stored
    if image is not None and len(variable.shape) == 3 and {variable.shape[0], image[0]} == {1, 3}:
        colour = "grey" if variable.shape[0] == 1 else "rgb"
        sides = "" if variable.shape[1:] == image[1:] else f", resize: [{variable.shape[1]}, {variable.shape[2]}]"
        return f"read {{column: {entry.column}, colour: {colour}{sides}}}, or declare `shape: {show_shape(image)}`"
    if image is not None and len(variable.shape) == 3 and variable.shape[0] == image[0]:
        sides = ", ".join(map(str, variable.shape[1:]))
        return f"declare `shape: {show_shape(image)}`, or read {{column: {entry.column}, resize: [{sides}]}}"
    if variable.support is not None and not variable.shape and stored == (variable.support,):
        return "a class is read as its number 0, 1, ..., not as a vector with a single 1"
    if not stored:
        return "leave out `shape` and `size`: the cell is a single value"
    declared_shape = image or stored
    return f"declare `size: {stored[0]}`" if len(stored) == 1 else f"declare `shape: {show_shape(declared_shape)}`"
