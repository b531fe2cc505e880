"""What a query moves or holds, as the command line writes it: `z[3]`, `y=9`, `kind=cat`."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite, nan, nextafter

from torch import Tensor

from graphspec.graphs.graph import Graphs, Variable
from graphspec.reading.suggestions import listed
from runtime.answering.panels import Target, finite_values, parse_target, reaches
from runtime.answering.scales import Scales, element_in_model_units
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
        others = [other for other in graphs.observed if reaches(graphs, name, other)]
        shown = f"`--show` one that does: {listed(others)}; or " if others else ""
        raise RunError(
            f"{image.name} does not depend on {name} in p: every picture would be the same",
            f"{shown}vary another variable",
        )
    return target


def settings_of(texts: Sequence[str], graphs: Graphs, image: Variable, scales: Scales) -> dict[Target, Tensor]:
    """`y=9`, `kind=cat`, `angle=30` as {target: number in the model's units}. Raises RunError for what cannot be set.

    Numbers are typed in data units, which `scales` turns into the model's.
    """
    found: dict[Target, Tensor] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise RunError(f"cannot read {text!r} as a setting", "write a target and a value, such as y=9")
        target = checked(parse_target(name, graphs), graphs, image)
        if target in found:
            raise RunError(f"{target} is set twice", "give each target one value")
        found[target] = element_in_model_units(target, _number(target, value.strip()), scales)
    return found


def _number(target: Target, text: str) -> float:
    """A value by name or as a number, as the data have it."""
    variable, finite = target.variable, finite_values(target.variable)
    if text in variable.names:
        return float(variable.names.index(text))
    try:
        number = float(text)
    except ValueError:
        number = nan
    if finite is None:
        inside = isfinite(number) and number in _range(variable) and not (variable.discrete and number != round(number))
    else:
        inside = number in finite.tolist()
    if inside:
        return number
    raise RunError(f"{text!r} is no value of {target}", f"it takes {_legal(variable)}")


@dataclass(frozen=True)
class _Numbers:
    """Numbers from `low` on, up to `high`; `words` for a message."""

    words: str
    low: float = -inf
    high: float = inf

    def __contains__(self, number: float) -> bool:
        return self.low <= number <= self.high


def _range(variable: Variable) -> _Numbers:
    """What the domain of a variable of infinitely many values allows."""
    if variable.domain == "positive":
        return _Numbers("a number above 0", low=nextafter(0, 1))
    if variable.domain == "unit":
        return _Numbers("a number from 0 to 1", 0, 1)
    if variable.domain == "count":
        return _Numbers(f"a whole number from {variable.minimum} on", variable.minimum)
    return _Numbers("a number")


def _legal(variable: Variable) -> str:
    finite = finite_values(variable)
    if variable.names:
        return listed(variable.names)
    return _range(variable).words if finite is None else f"{int(finite[0])} to {int(finite[-1])}"
