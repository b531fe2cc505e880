"""The shape of a parameter of a variable's distribution."""

from graphspec.graphs.graph import Variable
from graphspec.language.families import ParameterInfo
from graphspec.language.shapes import Shape


def parameter_shape(variable: Variable, info: ParameterInfo) -> Shape:
    """Event shape of one parameter: per element, per element and class, or one per vector along the first axis."""
    if info.extent == "element":
        return variable.shape
    if info.extent == "vector":
        return (1, *variable.shape[1:])
    assert variable.support is not None, "families with classes are refused where the support is unknown"
    return (*variable.shape, variable.support - (info.extent == "between_classes"))
