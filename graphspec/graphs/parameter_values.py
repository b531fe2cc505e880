"""Parameters that a factor gives itself: known to the family, given once, and with values it can have.

Part of completing a factor, which needs what is found here. Codes GS053-GS058.
"""

import json
from collections.abc import Mapping
from itertools import pairwise
from math import hypot, inf, isclose, isfinite, log
from typing import Any

from graphspec.graphs.graph import Variable
from graphspec.graphs.parameter_shape import parameter_shape
from graphspec.language import FactorSpec, LearnedParameter, NetworkParameter, ParameterSpec
from graphspec.language.families import Family, ParameterInfo
from graphspec.language.shapes import Shape, fits, show
from graphspec.reading.suggestions import did_you_mean, listed
from graphspec.text.report import Report
from graphspec.text.tree import Path

PROBABILITIES = ("probs", "gate")
"""Alternative names whose values are probabilities."""

SUM_TOLERANCE = 1e-3


def check_parameters(
    variable: Variable, family: Family, factor: FactorSpec, report: Report, path: Path
) -> dict[str, ParameterSpec]:
    """The parameters that the factor gives itself; what is unknown, given twice or impossible is reported."""
    kept: dict[str, ParameterSpec] = {}
    owner: dict[str, str] = {}
    for name, value in factor.parameters.items():
        place = (*path, "parameters", name)
        info = family.parameter(name)
        if info is None:
            known = family.parameter_names()
            has = f"its parameters are {listed(known)}" if known else "it has none that can be set"
            hint = did_you_mean(name, known, quote="'")
            report.error("GS053", place, f"{family.name} has no parameter '{name}'; {has}", key=True, hint=hint)
        elif info.name in owner:
            first = owner[info.name]
            related = (report.related((*path, "parameters", first), f"'{first}' is given here", key=True),)
            message = f"'{name}' and '{first}' are the same parameter of {family.name}, given twice"
            report.error("GS055", place, message, key=True, hint="keep one of them", related=related)
        else:
            owner[info.name] = name
            kept[name] = value
            _check_value(name, value, parameter_shape(variable, info), info, report, place)
    return kept


def _range(name: str, info: ParameterInfo) -> tuple[float, float, bool]:
    """Smallest and largest legal value, and whether these two are legal themselves."""
    if name in PROBABILITIES:
        return 0.0, 1.0, True
    low = -inf if info.minimum is None else info.minimum
    return low, inf if info.maximum is None else info.maximum, False


def _in_range(value: float, name: str, info: ParameterInfo) -> bool:
    low, high, closed = _range(name, info)
    return isfinite(value) and (low <= value <= high if closed else low < value < high)


def _wanted(name: str, info: ParameterInfo) -> str:
    if name in PROBABILITIES:
        return "a probability, from 0 to 1"
    low, high, _ = _range(name, info)
    if low == -inf and high == inf:
        return "a finite number"
    return f"above {low:g}" if high == inf else f"between {low:g} and {high:g}"


def _check_value(
    name: str, value: ParameterSpec, shape: Shape, info: ParameterInfo, report: Report, place: Path
) -> None:
    if isinstance(value, NetworkParameter):
        return
    if isinstance(value, LearnedParameter):
        _check_learned(name, value, shape, info, report, place)
    elif isinstance(value, tuple):
        _check_list(name, value, shape, info, report, place)
    elif not _in_range(value, name, info):
        report.error("GS054", place, f"'{name}' must be {_wanted(name, info)}, and {value:g} is not")
    elif info.link == "normalize":
        _report_length(name, shape, report, place)
    elif name == "probs" and info.extent == "class" and not isclose(value * shape[-1], 1, abs_tol=SUM_TOLERANCE):
        message = f"{shape[-1]} classes of probability {value:g} add up to {value * shape[-1]:g}, not 1"
        hint = "give a list with one probability per class, or leave `parameters` out for equal ones"
        report.error("GS054", place, message, hint=hint)


def _check_learned(
    name: str, value: LearnedParameter, shape: Shape, info: ParameterInfo, report: Report, place: Path
) -> None:
    if value.learned == "channel" and not shape:
        report.error(
            "GS058", (*place, "learned"), "a scalar has no channels", hint="use `learned`, one value for the variable"
        )
    low, high, _ = _range(name, info)
    for field in ("minimum", "maximum"):
        bound = getattr(value, field)
        if bound is not None and not (isfinite(bound) and low <= bound <= high):
            report.error(
                "GS058", (*place, field), f"'{name}' is {_wanted(name, info)}, so its {field} cannot be {bound:g}"
            )
    smallest = -inf if value.minimum is None else value.minimum
    largest = inf if value.maximum is None else value.maximum
    if smallest >= largest:
        report.error("GS058", (*place, "maximum"), f"maximum {largest:g} is not above minimum {smallest:g}")
    elif value.initial is not None:
        limits = [f"must be {_wanted(name, info)}"] if not _in_range(value.initial, name, info) else []
        limits += [f"its minimum is {smallest:g}"] if value.initial < smallest else []
        limits += [f"its maximum is {largest:g}"] if value.initial > largest else []
        if limits:
            said = f"'{name}' starts at {value.initial:g}, and {' and '.join(limits)}"
            report.error("GS058", (*place, "initial"), said)


def _check_list(
    name: str, value: tuple[Any, ...], shape: Shape, info: ParameterInfo, report: Report, place: Path
) -> None:
    given = list_shape(value)
    if given is None:
        report.error("GS054", place, f"'{name}' must be a list of numbers, every row of the same length")
        return
    if not fits(given, shape):
        per_class = ", one number per class last" if info.extent == "class" else ""
        message = f"'{name}' has shape {show(given)}, and {show(shape)} is needed{per_class}"
        report.error("GS054", place, message, hint="a single number stands for all elements")
        return
    rows = _rows(value)
    for row in rows:
        for number in row:
            if not _in_range(number, name, info):
                report.error("GS054", place, f"'{name}' must be {_wanted(name, info)}, and {number:g} is not")
                return
    if info.link == "normalize" and not (len(given) == len(shape) and given[0] == shape[0] and _unit_lengths(value)):
        _report_length(name, shape, report, place)
    _check_rows(name, rows, info, report, place)


def _unit_lengths(value: tuple[Any, ...]) -> bool:
    """Every vector along the first axis of nested lists has length 1."""
    columns = zip(*(_flat(item) for item in value), strict=True)
    return all(isclose(hypot(*column), 1, abs_tol=SUM_TOLERANCE) for column in columns)


def _flat(value: Any) -> list[float]:
    return [number for item in value for number in _flat(item)] if isinstance(value, (list, tuple)) else [float(value)]


def _report_length(name: str, shape: Shape, report: Report, place: Path) -> None:
    message = f"'{name}' is a direction: its {shape[0]} numbers along the first axis must have length 1"
    report.error("GS054", place, message, hint=f"for example {json.dumps(_first_unit(shape))}")


def _check_rows(name: str, rows: list[list[float]], info: ParameterInfo, report: Report, place: Path) -> None:
    for row in rows:
        if name == "probs" and info.extent == "class" and not isclose(sum(row), 1, abs_tol=SUM_TOLERANCE):
            report.error("GS054", place, f"the probabilities add up to {sum(row):g}, not 1")
        elif info.link == "ordered" and any(a >= b for a, b in pairwise(row)):
            report.error("GS054", place, f"'{name}' must increase from class to class", hint="for example [-1, 0, 1]")
        else:
            continue
        return


def list_shape(value: Any) -> Shape | None:
    """Shape of nested lists of numbers; None if ragged or not numbers."""
    if isinstance(value, bool) or not isinstance(value, (int, float, list, tuple)):
        return None
    if isinstance(value, (int, float)):
        return ()
    shapes = {list_shape(item) for item in value}
    if len(shapes) != 1:
        return None
    inner = shapes.pop()
    return None if inner is None else (len(value), *inner)


def _rows(value: Any) -> list[list[float]]:
    """The innermost lists."""
    if isinstance(value[0], (int, float)):
        return [[float(number) for number in value]]
    return [row for item in value for row in _rows(item)]


def heads_of(family: Family, given: Mapping[str, ParameterSpec]) -> tuple[ParameterInfo, ...]:
    """The parameters that the factor's network gives: those `parameters` does not list."""
    taken = {info.name for name in given if (info := family.parameter(name)) is not None}
    return tuple(info for info in family.parameters if info.name not in taken)


def standard_values(variable: Variable, family: Family, given: Mapping[str, ParameterSpec]) -> dict[str, ParameterSpec]:
    """The domain's standard prior for every parameter that a root of p does not give: normal(0, 1) and so on.
    Cutpoints make all classes equally likely: logit(k / K)."""
    values: dict[str, ParameterSpec] = {}
    for info in heads_of(family, given):
        if info.link == "ordered":
            classes = variable.support or 0
            values[info.name] = tuple(log(k / (classes - k)) for k in range(1, classes))
        elif info.link == "normalize":
            values[info.name] = _first_unit(variable.shape)
        else:
            values[info.name] = info.standard
    return values


def _first_unit(shape: Shape) -> tuple[Any, ...]:
    """(1, 0, ..., 0) along the first axis, of size 1 along the others."""
    unit: list[Any] = [1.0, *(0.0 for _ in range(1, shape[0]))]
    for _ in shape[1:]:
        unit = [(number,) for number in unit]
    return tuple(unit)
