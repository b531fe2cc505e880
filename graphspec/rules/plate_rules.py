"""Plates, and how factors read across their elements. Codes GS020-GS024, GS096, and GS090 for what comes later."""

import re
from collections.abc import Iterator, Sequence

from graphspec.graphs.circles import circle_problem, circle_readings
from graphspec.graphs.coupling import MOST_JOINT, coupling_reader, joint_values, summed_jointly
from graphspec.graphs.declared_names import Outline, loops
from graphspec.graphs.graph import SIDES, Graphs
from graphspec.graphs.network_choice import network_of
from graphspec.graphs.reading_across import Unreadable, read, variable_path
from graphspec.language import LabelBudget, Spec, TotalCorrelation
from graphspec.language.base import IDENTIFIER, RESERVED_NAMES
from graphspec.language.plates import DEEPEST, PlateSpec, base_of, path_of, shown
from graphspec.reading.suggestions import amount, did_you_mean, few
from graphspec.rules.graph_rules import parent_path
from graphspec.rules.refusals import refuse
from graphspec.text.report import Report
from graphspec.text.tree import Path

Refusal = tuple[Path, str, str, str]
"""Where, what is refused, why, and what to write instead."""


def check_plates(outline: Outline, report: Report) -> None:
    """GS020: every plate has a size, a name of its own and a place; and variables stand in plates that there are."""
    spec = outline.spec
    for name, plate in spec.plates.items():
        _check_plate(spec, name, plate, report)
    for name, variable in spec.variables.items():
        if variable.plate is not None and variable.plate not in spec.plates:
            hint = did_you_mean(variable.plate, spec.plates, f"plates are {few(list(spec.plates))}", quote="'")
            hint = hint if spec.plates else f"declare it: `plates: {{{variable.plate}: {{size: 10}}}}`"
            report.error("GS020", ("variables", name, "plate"), f"there is no plate '{variable.plate}'", hint=hint)


def _check_plate(spec: Spec, name: str, plate: PlateSpec, report: Report) -> None:
    path = ("plates", name)
    if name in spec.variables or name in spec.networks or name in RESERVED_NAMES or not _is_name(name):
        what = (
            "a variable" if name in spec.variables else "a network" if name in spec.networks else "no name for a plate"
        )
        hint = "a plate's name among `parents` is the place in it: call the plate otherwise"
        report.error("GS020", path, f"'{name}' is {what}", key=True, hint=hint)
    if plate.size is None and plate.count is None:
        hint = "add `size:`, or `count:` with the variable that says how many of them are there"
        report.error("GS020", path, f"plate {name} does not say how many elements it has", key=True, hint=hint)
    if plate.inside is None:
        return
    if plate.inside not in spec.plates:
        hint = did_you_mean(
            plate.inside, [n for n in spec.plates if n != name], "name a plate, or remove `inside`", quote="'"
        )
        report.error("GS020", (*path, "inside"), f"there is no plate '{plate.inside}'", hint=hint)
    elif _circular(spec, name):
        report.error("GS020", (*path, "inside"), f"plate {name} is inside of itself", hint="remove one `inside`")
    elif len(path_of(spec.plates, name)) > DEEPEST:
        way = " in ".join(reversed(path_of(spec.plates, name)))
        hint = f"at most {DEEPEST} plates stand in each other: make one an axis of the shape"
        report.error("GS020", (*path, "inside"), f"plates are too deep: {way}", hint=hint)


def _is_name(name: str) -> bool:
    return re.fullmatch(IDENTIFIER, name) is not None


def _circular(spec: Spec, name: str) -> bool:
    seen, current = set[str](), spec.plates[name].inside
    while current is not None and current in spec.plates and current not in seen:
        if current == name:
            return True
        seen.add(current)
        current = spec.plates[current].inside
    return False


def check_readings(outline: Outline, report: Report) -> None:
    """GS022, GS023: every parent can be read from where its reader stands."""
    spec = outline.spec
    for side in SIDES:
        for name, factor in outline.factors(side).items():
            for parent in dict.fromkeys(factor.parents):
                if not all(_placed(spec, each) for each in (name, base_of(parent))):
                    continue
                try:
                    read(spec, side, name, parent, network_of(factor, spec))
                except Unreadable as problem:
                    place = parent_path(report, (side, name, "parents"), parent)
                    report.error(problem.code, place, problem.message, hint=problem.hint)


def _placed(spec: Spec, name: str) -> bool:
    """The plate of a variable, if it has one, is there."""
    variable = spec.variables.get(name)
    return variable is None or variable.plate is None or variable.plate in spec.plates


def check_loops(outline: Outline, report: Report) -> None:
    """GS024: circles through neighbours that are no walk along the elements."""
    for side in SIDES:
        for circle in loops(outline.graph(side)):
            readings = [reading for reading in circle_readings(outline, side, circle) if reading.view]
            if not readings or not all(variable_path(outline.spec, r.parent) for r in readings):
                continue  # `check_cycles` or GS022 says so
            problem = circle_problem(outline, side, circle)
            if problem is not None:
                reader = problem.reading.reader
                home = side if reader in outline.factors(side) else outline.home(reader) or side
                place = parent_path(report, (home, reader, "parents"), problem.reading.written)
                report.error("GS024", place, problem.message, hint=problem.hint)


BY_ROW = "it is defined by row"


def check_refused(outline: Outline, report: Report) -> None:
    """GS096: what plates have no meaning for, with what to write instead."""
    if outline.spec.plates:
        inside = [name for name, variable in outline.spec.variables.items() if variable.plate is not None]
        for path, what, because, instead in (*_refusals(outline.spec, inside), *_refused_data(outline.spec, inside)):
            refuse(report, path, what, because, instead)


def _refusals(spec: Spec, inside: Sequence[str]) -> Iterator[Refusal]:
    objective = spec.objective
    if spec.recognition.auto:
        because = "the inverse of a written-out graph is no template"
        yield ("recognition", "auto"), "`recognition: auto` with plates", because, "write the factors"
    if objective.bound == "importance_weighted":
        because = "its weights are defined by row"
        yield ("objective", "bound"), "the importance weighted bound with plates", because, "`bound: elbo`"
    for name in inside:
        if isinstance(objective.beta.get(name), TotalCorrelation):
            what = f"total correlation of {name}, which stands in a plate"
            yield ("objective", "beta", name), what, "it compares rows", "a number"
        if name in objective.consistency:
            what = f"consistency of {name}, which stands in a plate"
            yield ("objective", "consistency", name), what, BY_ROW, "consistency of a variable of the row"
        if name in objective.estimators and objective.estimators[name].budget is not None:
            what = f"a budget of {name}, which stands in a plate"
            yield ("objective", "estimators", name), what, BY_ROW, "leave `budget` out"


def _refused_data(spec: Spec, inside: Sequence[str]) -> Iterator[Refusal]:
    """What is done to pictures and labels row by row, of variables that have several a row."""
    if spec.data is None:
        return
    if any(
        str(source).endswith(".tar") for source in (spec.data.source, *(p.source for p in spec.data.plates.values()))
    ):
        because = "a cell of a shard is read whole, however many elements a row has"
        yield ("data", "source"), "shards with plates", because, "the same columns in one .npz"
    for name in inside:
        column = spec.data.variables.get(name)
        apart = any(plate in spec.data.plates for plate in variable_path(spec, name))
        fields = ("soft",) if apart else ("resize", "colour", "soft")
        for field in fields if column is not None else ():
            if getattr(column, field):
                what, because = f"`{field}` of {name}, which stands in a plate", "its cells hold several elements"
                yield ("data", "variables", name, field), what, because, _instead_of(field, variable_path(spec, name))
        if isinstance(rule := spec.data.labels.get(name), LabelBudget) and rule.per_class is not None:
            what = f"`per_class` of {name}, which stands in a plate"
            because = "a row keeps the labels of all its elements"
            instead = "a count or share of rows, or `elements: COUNT`"
            yield ("data", "labels", name, "per_class"), what, because, instead


def _instead_of(field: str, path: Sequence[str]) -> str:
    """Elements that stand apart from their rows are read one by one, so that each can be resized."""
    if field == "soft":
        return "prepare the column beforehand"
    lengths = f"`plates: {{{path[-1]}: {{lengths: COLUMN}}}}`"
    return f"store the elements of all rows side by side and say {lengths}, or prepare the column beforehand"


def check_coupled(graphs: Graphs, report: Report) -> None:
    """GS096: a sum over the values of one element at a time is asked for, and something couples the elements."""
    for name, asked in graphs.spec.objective.estimators.items():
        variable = graphs.variables[name]
        if asked.kind != "enumerate" or not variable.plates or (reader := coupling_reader(graphs, name)) is None:
            continue
        if summed_jointly(graphs, name):
            continue
        joint, what = joint_values(graphs, name), f"a sum over {name}, whose elements {shown(reader)} couples"
        because = f"it has {amount(joint)} joint values" if joint > MOST_JOINT else "not all that reads them is a pool"
        instead = "leave the line out: they are relaxed"
        refuse(report, ("objective", "estimators", name), what, because, instead)
