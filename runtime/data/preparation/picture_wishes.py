"""What the variables of a spec ask of picture files, so that each can be made small as it is read."""

from graphspec.graphs.graph import Graphs, Variable
from graphspec.headers.named_files import FileColumn, names_files
from graphspec.language import ColumnSpec, DataSection
from graphspec.rules.shape_rules import image_channels
from runtime.data.read.named_pictures import NamedColumn
from runtime.data.read.picture_decoding import PictureReading
from runtime.data.read.reading import Readings


def picture_readings(graphs: Graphs, data: DataSection) -> Readings:
    """By column. What two variables read in different ways is read as it is, and changed by each later."""
    read = [(graphs.variables[name], spec) for name, spec in data.variables.items() if name in graphs.variables]
    wishes: dict[str, set[PictureReading]] = {}
    for variable, spec in read:
        for column in spec.names:
            wishes.setdefault(column, set()).add(_wish(variable, spec, data))
    plain = PictureReading(white=data.white, bounded=False, skip=data.on_error == "skip")
    own = {column: wish.pop() if len(wish) == 1 else plain for column, wish in wishes.items()}
    named: dict[str, NamedColumn] = {}
    for variable, spec in read:
        if spec.column is not None and names_files(variable, spec):
            blank = variable.missing and (spec.column not in named or named[spec.column].may_be_blank)
            named[spec.column] = NamedColumn(FileColumn.of(spec), own[spec.column], blank)
    return Readings(own, named)


def _wish(variable: Variable, spec: ColumnSpec, data: DataSection) -> PictureReading:
    return PictureReading(
        size=(spec.resize[0], spec.resize[1]) if spec.resize is not None and len(spec.resize) == 2 else None,
        colour=spec.colour,
        channels=image_channels(variable.of_one),
        white=data.white,
        bounded=variable.domain != "real",
        skip=data.on_error == "skip",
    )
