"""What the variables of a spec ask of picture files, so that each can be made small as it is read."""

from graphspec.graphs.graph import Graphs, Variable
from graphspec.language import ColumnSpec, DataSection
from graphspec.rules.shape_rules import image_channels
from runtime.data.read.picture_decoding import PictureReading


def picture_readings(graphs: Graphs, data: DataSection) -> dict[str, PictureReading]:
    """By column. What two variables read in different ways is read as it is, and changed by each later."""
    wishes: dict[str, set[PictureReading]] = {}
    for name, spec in data.variables.items():
        if name in graphs.variables:
            for column in spec.names:
                wishes.setdefault(column, set()).add(_wish(graphs.variables[name], spec, data))
    plain = PictureReading(white=data.white, bounded=False, skip=data.on_error == "skip")
    return {column: wish.pop() if len(wish) == 1 else plain for column, wish in wishes.items()}


def _wish(variable: Variable, spec: ColumnSpec, data: DataSection) -> PictureReading:
    return PictureReading(
        size=(spec.resize[0], spec.resize[1]) if spec.resize is not None and len(spec.resize) == 2 else None,
        colour=spec.colour,
        channels=image_channels(variable),
        white=data.white,
        bounded=variable.domain != "real",
        skip=data.on_error == "skip",
    )
