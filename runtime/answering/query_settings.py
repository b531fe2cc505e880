"""What a query moves or holds, as the command line writes it: `z[3]`, `y=9`, `kind=cat`."""

from collections.abc import Sequence
from math import isfinite, nan

import torch
from torch import Tensor

from graphspec.graphs.graph import Graphs, Variable
from graphspec.reading.suggestions import listed
from runtime.answering.panels import Target, finite_values, parse_target, reaches
from runtime.errors import RunError

TIED = ("simplex", "direction")
"""Domains whose elements cannot move one by one."""


def checked(target: Target, graphs: Graphs, image: Variable) -> Target:
    """The target itself. Raises RunError if its elements cannot be set one by one, or do not change `image`."""
    name = target.variable.name
    if target.variable.domain in TIED:
        raise RunError(
            f"{target}: the elements of a {target.variable.domain} are tied together and cannot move one by one",
            "vary another variable",
        )
    if not reaches(graphs, name, image.name):
        raise RunError(
            f"{image.name} does not depend on {name} in p: every picture would be the same", "vary another variable"
        )
    return target


def settings_of(texts: Sequence[str], graphs: Graphs, image: Variable) -> dict[Target, Tensor]:
    """`y=9`, `kind=cat`, `z[0]=-1.5` as {target: number}. Raises RunError for what cannot be set."""
    found: dict[Target, Tensor] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise RunError(f"cannot read {text!r} as a setting", "write a target and a value, such as y=9")
        target = checked(parse_target(name, graphs), graphs, image)
        if target in found:
            raise RunError(f"{target} is set twice", "give each target one value")
        found[target] = torch.tensor(_number(target, value.strip()), dtype=torch.float64)
    return found


def _number(target: Target, text: str) -> float:
    """A value by name or as a number, as rows carry it."""
    variable, finite = target.variable, finite_values(target.variable)
    if text in variable.names:
        return float(variable.names.index(text))
    try:
        number = float(text)
    except ValueError:
        number = nan
    inside = isfinite(number) if finite is None else number in finite.tolist()
    if inside and not (variable.discrete and number != round(number)):
        return number
    legal = listed(variable.names) if variable.names else "a number"
    if finite is not None and not variable.names:
        legal = f"{int(finite[0])} to {int(finite[-1])}"
    raise RunError(f"{text!r} is no value of {target}", f"it takes {legal}")
