"""Which circles of an outline are walks along a plate, and what is wrong with the others.

From: names that depend on each other in one graph. To: nothing where they may, else a `CircleProblem`. A circle that
reads nothing across elements is a cycle, of which `rules/graph_rules.py` speaks.
"""

from dataclasses import dataclass

import networkx as nx

from graphspec.graphs.declared_names import Outline, loops
from graphspec.graphs.graph import SIDES, Side
from graphspec.graphs.reading_across import variable_path
from graphspec.language.plates import ENDS, MARK, POOLS
from graphspec.reading.suggestions import listed


@dataclass(frozen=True)
class CircleReading:
    """One name of a circle reads another, under a view or (empty) as it stands."""

    reader: str
    parent: str
    view: str

    @property
    def written(self) -> str:
        """As the factor has it."""
        return f"{self.parent}{MARK}{self.view}" if self.view else self.parent


@dataclass(frozen=True)
class CircleProblem:
    """Why a circle that reads across elements is no walk, and which reading shows it."""

    reading: CircleReading
    message: str
    hint: str


def circle_readings(outline: Outline, side: Side, circle: set[str]) -> list[CircleReading]:
    """How the names of a circle read each other."""
    found = []
    for name in sorted(circle):
        home = side if name in outline.factors(side) else outline.home(name)
        for parent in outline.factors(home)[name].parents if home is not None else ():
            base, _, view = parent.partition(MARK)
            if base in circle:
                found.append(CircleReading(name, base, view))
    return found


def looks_across(outline: Outline, side: Side, circle: set[str]) -> bool:
    """Some of its names read others across elements."""
    return any(reading.view for reading in circle_readings(outline, side, circle))


def circle_problem(outline: Outline, side: Side, circle: set[str]) -> CircleProblem | None:
    """What keeps a circle that looks across elements from being a walk."""
    readings = circle_readings(outline, side, circle)
    across = [reading for reading in readings if reading.view]
    way = " and ".join(sorted(circle)) if len(circle) < 4 else f"{listed(sorted(circle))}"
    views = {reading.view for reading in across}
    if pooled := [reading for reading in across if reading.view in (*POOLS, *ENDS)]:
        message = f"{way}: each element would depend on all elements, its own among them ({pooled[0].written})"
        hint = "in a circle only neighbours can be read: all `@previous`, or all `@next`"
        return CircleProblem(pooled[0], message, hint)
    if len(views) > 1:
        message = f"{way}: a circle that looks both ways has no first element to begin with"
        hint = "read `@previous` only, or `@next` only; two variables may walk either way"
        return CircleProblem(across[0], message, hint)
    if len({variable_path(outline.spec, name) for name in circle}) > 1:
        message = f"{way} depend on each other and stand in different plates"
        return CircleProblem(across[0], message, "variables that walk along together stand in one plate")
    within = nx.DiGraph([(reading.parent, reading.reader) for reading in readings if not reading.view])
    if inner := loops(within):
        names = sorted(inner[0])
        reading = next(r for r in readings if not r.view and r.reader in names and r.parent in names)
        message = f"{' and '.join(names)}: within one element each would have to come before the other"
        hint = f"one of them reads the other's neighbour, `{reading.parent}{MARK}{min(views)}`"
        return CircleProblem(reading, message, hint)
    return None


def broken_names(outline: Outline) -> frozenset[str]:
    """Names on a circle of either graph that is no walk: nothing below them can be computed."""
    found: set[str] = set()
    for side in SIDES:
        for circle in loops(outline.graph(side)):
            if not looks_across(outline, side, circle) or circle_problem(outline, side, circle) is not None:
                found |= circle
    return frozenset(found)
