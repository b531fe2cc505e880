"""Values of a query, which are in data units, as numbers; and the words for those that a variable does not take."""

from math import isfinite, prod
from typing import NoReturn

import torch

from graphspec.graphs.graph import Variable
from graphspec.reading.suggestions import did_you_mean, few
from runtime.predicting.used_run import UsedRun
from runtime.querying.grammar import QueryError, Term


def number_asked(text: str, variable: Variable, name: str, term: Term, *, bound: bool = False) -> float:
    """The number that a value stands for: a class by its number from `minimum`, else as the data have it.

    bound: the end of a range, which may be any number. name: what the element is called in messages.
    """

    def refuse(message: str) -> NoReturn:
        raise QueryError(message, text, term.start, term.end)

    def no_value(legal: str) -> NoReturn:
        near = did_you_mean(term.value, variable.names, quote="") if variable.names else ""
        refuse(f"'{term.value}' is not a value of {name}: {legal}{f' ({near})' if near else ''}")

    if variable.names:
        if term.value not in variable.names:
            no_value(few(variable.names))
        return float(variable.names.index(term.value) + variable.minimum)
    try:
        number = float(term.value)
    except ValueError:
        number = float("nan")
    if not isfinite(number):
        refuse(f"'{term.value}' is not a number" if variable.support is None else _not_finite(term, variable, name))
    if bound:
        return number
    wrong = _outside(number, variable)
    if wrong:
        refuse(f"{term.value} is not a value of {name}: {wrong}")
    return number


def _not_finite(term: Term, variable: Variable, name: str) -> str:
    return f"'{term.value}' is not a value of {name}: {_outside(float('nan'), variable)}"


def _outside(number: float, variable: Variable) -> str:
    """What values there are, where a number is none of them."""
    whole = number == round(number) if isfinite(number) else False
    if variable.support is not None:
        last = variable.minimum + variable.support - 1
        inside = whole and variable.minimum <= number <= last
        kind = "whole numbers" if variable.domain == "count" else "classes"
        legal = few(variable.value_names) if variable.support == 2 else f"{kind} {variable.minimum} to {last}"
        return "" if inside else legal
    if variable.domain == "count":
        return "" if whole and number >= variable.minimum else f"whole numbers from {variable.minimum} on"
    if variable.domain == "positive":
        return "" if number > 0 else "numbers above 0"
    if variable.domain == "unit":
        return "" if 0 <= number <= 1 else "numbers from 0 to 1"
    return ""


def in_model_units(used: UsedRun, name: str, element: int, number: float) -> float:
    """A number of one element as the data have it, as the model takes it."""
    variable, units = used.graphs.variables[name], used.units.get(name)
    if units is None:
        return number
    whole = torch.full((1, *variable.shape), number, dtype=torch.float64)
    return float(units.from_data(whole).reshape(prod(variable.shape))[element])


def ordered(variable: Variable) -> bool:
    """One value is larger than another: numbers, not names."""
    return variable.domain != "category" and not variable.names
