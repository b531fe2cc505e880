"""Rules of `augment.mirrors`: what changes sides with a mirrored picture can, and a direction is not forgotten."""

from collections.abc import Iterable, Mapping
from itertools import takewhile

from graphspec.graphs.graph import Variable
from graphspec.language import Augment, DataSection, Spec
from graphspec.language.data import changed_alike
from graphspec.reading.suggestions import did_you_mean, few
from graphspec.rules.declared import allowed
from graphspec.text.report import Report
from graphspec.text.tree import Path

SIGNED = ("real", "direction")
"""Domains of numbers that lie around zero: the other side is minus the value."""
CLASSED = ("category", "binary")
"""Domains of classes, which change places."""


def check_mirrors(spec: Spec, data: DataSection, variables: Mapping[str, Variable], report: Report) -> None:
    """GS084 for what cannot change sides, GS127 for a direction that stays as it is."""
    alike = changed_alike(data.variables)
    turned = {
        (alike[name], label)
        for name, entry in data.variables.items()
        for label in (entry.augment.mirrors or {} if entry.augment is not None else {})
    }
    for name, entry in data.variables.items():
        if name not in variables or entry.augment is None:
            continue
        if entry.augment.mirrors is not None:
            path = ("data", "variables", name, "augment", "mirrors")
            _check(spec, data, variables, (variables[name], entry.augment), path, report)
        if entry.augment.flip and alike[name] == name:
            kept = [label for label in data.variables if (name, label) not in turned]
            _check_directions(spec, [variables[label] for label in kept if label in variables], name, report)


def _check(
    spec: Spec, data: DataSection, variables: Mapping[str, Variable], picture: tuple[Variable, Augment], path: Path,
    report: Report,
) -> None:  # fmt: skip
    variable, changes = picture
    before = takewhile(lambda name: name != variable.name, data.variables)
    earlier = {label: n for n in before if (a := data.variables[n].augment) is not None for label in a.mirrors or {}}
    if not changes.flip:
        message = "`mirrors` says what goes along when a picture is mirrored, and none is"
        report.error("GS084", path, message, key=True, hint="add `flip: true`, or leave `mirrors` out")
    for name, wanted in (changes.mirrors or {}).items():
        read = [other for other in data.variables if other != variable.name]
        if name not in read or name not in variables:
            hint = did_you_mean(name, read, f"variables that are read from the data: {few(read)}")
            report.error(
                "GS084", (*path, name), f"`mirrors` names '{name}', which no column feeds", key=True, hint=hint
            )
            continue
        problem = _problem(variables[name], variable, wanted)
        if name in earlier:
            message = f"'{name}' changes sides with '{earlier[name]}' already"
            problem = message, "one picture takes it along: leave it out of the others"
        if problem is None and data.variables[name].soft:
            problem = f"'{name}' is a soft label", "leave one of them out"
        if problem is None and name in spec.objective.consistency:
            problem = (
                f"consistency compares q({name} | .) of the mirrored picture with that of the picture as it is, and "
                "they are to differ",
                "leave one of them out",
            )
        if problem is not None:
            message, hint = problem
            report.error("GS084", (*path, name), f"`mirrors`: {message}", key=True, hint=hint)


def _problem(label: Variable, picture: Variable, wanted: tuple[int, ...] | dict[str, str]) -> tuple[str, str] | None:
    """What is wrong with one entry, and what to do."""
    if label.row_axes and label.shape[: label.row_axes] != picture.shape[: picture.row_axes]:
        return f"'{label.name}' has elements that '{picture.name}' has not", "both stand in the same plates, or in none"
    if picture.row_axes and not label.row_axes:
        return f"'{label.name}' belongs to the row, and each element's picture is mirrored by itself", "leave it out"
    if isinstance(wanted, dict):
        return _problem_with_classes(label, wanted)
    if label.domain in CLASSED:
        known = label.value_names
        example = f"{{{known[0]}: {known[1]}}}" if len(known) > 1 else "{left: right}"
        return f"'{label.name}' has classes, which change places", f"write for example {example}"
    if label.domain not in (*SIGNED, "unit"):
        hint = "real and direction values change their sign, unit ones become 1 minus the value, classes change places"
        return f"a {label.domain} has no other side", hint
    shape = label.of_element
    if len(shape) > 1:
        return f"'{label.name}' has elements in {len(shape)} dimensions", "it takes a number or a vector"
    size = shape[0] if shape else 1
    beyond = [element for element in wanted if element >= size]
    if beyond:
        return f"'{label.name}' has elements 0 to {size - 1}, and no {beyond[0]}", "elements are counted from 0"
    return None


def _problem_with_classes(label: Variable, wanted: dict[str, str]) -> tuple[str, str] | None:
    if label.domain not in CLASSED:
        return f"'{label.name}' is {label.domain} and has no classes", "write elements, for example [0]"
    named = [*wanted, *wanted.values()]
    if len(set(named)) < len(named):
        twice = next(name for name in named if named.count(name) > 1)
        return f"the class {twice} stands in two places", "write each pair once: {left: right} is also right to left"
    known = label.value_names
    missing = [name for name in named if known and name not in known]
    if missing:
        return f"'{label.name}' has no class {missing[0]}", did_you_mean(missing[0], known, f"classes: {few(known)}")
    return None


def _check_directions(spec: Spec, kept: Iterable[Variable], picture: str, report: Report) -> None:
    """GS127: a direction belongs to what a picture shows, and mirrored it shows another one. kept: what stays."""
    for label in kept:
        if label.domain == "direction" and not allowed(spec, label.name, "GS127"):
            path = ("data", "variables", picture, "augment", "flip")
            message = f"half of the pictures of '{picture}' are mirrored, and the direction '{label.name}' stays"
            hint = f"say which elements change their sign, for example `mirrors: {{{label.name}: [0]}}`, or do not flip"
            report.warning("GS127", path, message, key=True, hint=hint)
