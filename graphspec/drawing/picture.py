"""What there is to draw, before any place is chosen.

From: `Graphs`. To: `Picture`. Not here: coordinates (`layout`) and file formats (`svg`, `tikz`, ...).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from graphspec.describe.parameter_words import network_text
from graphspec.drawing.provenance import sources_of_sums, summed_words
from graphspec.graphs.coupling import is_certain
from graphspec.graphs.graph import Factor, Graphs, Plate, Side, Variable, View
from graphspec.graphs.run_weights import Provenance, run_weights
from graphspec.language import LearnedParameter, NetworkParameter, ParameterSpec, Role
from graphspec.language.plates import MARK, NEIGHBOURS

Edge = tuple[str, str]
"""Parent and child."""


class Across(NamedTuple):
    """A variable read across the elements of a plate. label: the views, `sum, max`; dashed: they are neighbours."""

    parent: str
    child: str
    label: str
    dashed: bool


Arrow = Edge | Across

HEADS: Mapping[Side, str] = {"generative": "p", "recognition": "q"}


@dataclass(frozen=True)
class Node:
    """One variable. `about` says in words what it is, such as `supervised category, 10 classes`.

    path: the plates that it stands in, outermost first. certain: a label that is a function of its parents.
    """

    name: str
    role: Role
    about: str
    path: tuple[str, ...] = ()
    certain: bool = False

    @property
    def square(self) -> bool:
        """Its value is a function."""
        return self.role == "deterministic" or self.certain


@dataclass(frozen=True)
class Formula:
    """One factor in words: `p(x | y, z)` and `bernoulli, mlp [500]`; `head` is empty for a function `h = f(x)`."""

    head: str
    variable: str
    parents: tuple[str, ...]
    about: str
    borrowed: bool = False

    @property
    def text(self) -> str:
        """The left-hand side, in plain characters."""
        parents = ", ".join(self.parents)
        if not self.head:
            return f"{self.variable} = f({parents})"
        return f"{self.head}({self.variable} | {parents})" if parents else f"{self.head}({self.variable})"


@dataclass(frozen=True)
class Panel:
    """One graph: its nodes, its edges parent -> child, and its factors in the order they run.

    across: what is read across elements; an edge may stand beside it, and parent and child may be the same. indexed:
    nodes that read the place in a plate, with these plates' names. counts: variables that say how many elements a
    plate has, with this plate. summed: what is summed out exactly; its edges are from what its posterior depends on.
    weights: nodes whose factor has the weights of a run.
    """

    side: Side
    nodes: tuple[str, ...]
    edges: tuple[Edge, ...]
    formulas: tuple[Formula, ...]
    across: tuple[Across, ...] = ()
    indexed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    counts: tuple[tuple[str, str], ...] = ()
    summed: tuple[str, ...] = ()
    weights: Mapping[str, Provenance] = field(default_factory=dict)

    @property
    def pairs(self) -> tuple[Edge, ...]:
        """Two nodes that an arrow of any kind joins, each pair once."""
        return tuple(dict.fromkeys((*self.edges, *(arrow[:2] for arrow in self.across if arrow.parent != arrow.child))))

    @property
    def title(self) -> str:
        """`generative graph p`."""
        return f"{self.side} graph {HEADS[self.side]}"

    def formula(self, name: str) -> Formula | None:
        """The factor of `name` on this side; None for what this side is given."""
        return next((formula for formula in self.formulas if formula.variable == name), None)


LARGE = 40
"""Nodes above which a picture is laid out plainly: rows as they come, no search for fewer crossings."""


@dataclass(frozen=True)
class Picture:
    """Both graphs. `nodes` are in the order declared, which is also how ties of the layout are broken."""

    name: str
    description: str
    nodes: Mapping[str, Node]
    panels: tuple[Panel, Panel]
    plates: Mapping[str, Plate] = field(default_factory=dict)


def plate_label(plate: Plate) -> str:
    """`things, 5`, as it stands in the corner of the box; `visits, i < n` of a plate with a count."""
    return f"{plate.name}, {plate.size if plate.count is None else f'i < {plate.count}'}"


@dataclass(frozen=True)
class Group:
    """What stands right in a plate, or right in the row if it has no name, and the plates in it."""

    plate: str
    nodes: tuple[str, ...]
    inner: tuple["Group", ...]


def grouping(picture: Picture, panel: Panel) -> Group:
    """The nodes of a panel by the plates that they stand in."""
    return _group("", 0, panel.nodes, picture)


def _group(plate: str, depth: int, names: tuple[str, ...], picture: Picture) -> Group:
    own = tuple(name for name in names if len(picture.nodes[name].path) == depth)
    deeper: dict[str, list[str]] = {}
    for name in names:
        if name not in own:
            deeper.setdefault(picture.nodes[name].path[depth], []).append(name)
    return Group(plate, own, tuple(_group(p, depth + 1, tuple(found), picture) for p, found in deeper.items()))


def picture_of(graphs: Graphs) -> Picture:
    """What the spec draws: every variable that stands in one of the two graphs, with its edges and factors."""
    panels = (_panel(graphs, "generative"), _panel(graphs, "recognition"))
    shown = {name for panel in panels for name in panel.nodes}
    nodes = {
        name: Node(
            name, variable.role, _about_variable(variable), variable.path, is_certain(graphs.generative.get(name))
        )
        for name, variable in graphs.variables.items()
        if name in shown
    }
    used = {plate for node in nodes.values() for plate in node.path}
    plates = {name: plate for name, plate in graphs.plates.items() if name in used}
    return Picture(graphs.spec.name, graphs.spec.description, nodes, panels, plates)


def _panel(graphs: Graphs, side: Side) -> Panel:
    graph, given = graphs.graph(side), sources_of_sums(graphs) if side == "recognition" else {}
    order = {name: place for place, name in enumerate(graphs.variables)}
    summed = [(parent, child) for child, parents in given.items() for parent in parents]
    found = sorted(
        (*summed, *((parent, child) for parent, child in graph.edges if child not in graphs.views)),
        key=lambda edge: (order[edge[1]], order[edge[0]]),
    )
    views = [(graphs.views[parent].view, child) for parent, child in found if parent in graphs.views]
    present = {*given, *(parent for parent, _ in summed), *(n for n in graph if n not in graphs.views)}
    counts = _counts(graphs, present)
    nodes = tuple(name for name in order if name in present or any(name == count for count, _ in counts))
    edges = tuple(edge for edge in found if edge[0] not in graphs.views)
    formulas = (*_formulas(graphs, side), *(Formula("q", n, ps, summed_words(graphs, n)) for n, ps in given.items()))
    return Panel(
        side, nodes, edges, formulas, _across(views), _indexed(views), counts, tuple(given), run_weights(graphs, side)
    )


def _formulas(graphs: Graphs, side: Side) -> tuple[Formula, ...]:
    weights = run_weights(graphs, side)
    return tuple(
        Formula(
            "" if factor.deterministic else HEADS[side],
            factor.variable,
            _as_written(graphs, factor.parents),
            ", ".join([_about_factor(graphs, factor), *(w.words for n, w in weights.items() if n == factor.variable)]),
            borrowed=factor.side != side,
        )
        for factor in graphs.order(side)
        if factor.view is None
    )


def _counts(graphs: Graphs, present: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """The counts of plates that something stands in."""
    plates = dict.fromkeys(plate for name in present for plate in graphs.variables[name].path)
    return tuple((plate.count, name) for name in plates if (plate := graphs.plates[name]).count is not None)


Views = list[tuple[View | None, str]]
"""Each with its reader."""


def _across(views: Views) -> tuple[Across, ...]:
    """One arrow for all neighbours of a variable that a reader looks at, one for everything else."""
    kinds: dict[tuple[str, str, bool], dict[str, None]] = {}
    for view, child in views:
        if view is not None and view.kind != "place":
            kinds.setdefault((view.base, child, view.kind in NEIGHBOURS), {})[view.kind] = None
    return tuple(Across(base, child, ", ".join(names), dashed) for (base, child, dashed), names in kinds.items())


def _indexed(views: Views) -> dict[str, tuple[str, ...]]:
    plates: dict[str, tuple[str, ...]] = {}
    for view, child in views:
        if view is not None and view.kind == "place":
            plates[child] = (*plates.get(child, ()), view.base)
    return plates


def _as_written(graphs: Graphs, parents: Iterable[str]) -> tuple[str, ...]:
    """Parents as the spec writes them: `e@sum`, whatever the view's value is called."""
    return tuple(dict.fromkeys(_written(graphs.views[p].view, p) if p in graphs.views else p for p in parents))


def _written(view: View | None, name: str) -> str:
    return name if view is None or view.kind == "place" else f"{view.base}{MARK}{view.kind}"


def _about_variable(variable: Variable) -> str:
    words = [variable.role, *([variable.domain] if variable.domain else ["feature"])]
    details = []
    if variable.domain == "category":
        details.append(f"{variable.support} classes")
    elif variable.domain == "count" and variable.support is not None:
        details.append(f"{variable.minimum} to {variable.minimum + variable.support - 1}")
    if variable.shape:
        details.append("x".join(str(size) for size in variable.shape))
    details += [*(["may be blank"] if variable.missing else []), *(f"for each of {n} {p}" for p, n in variable.plates)]
    return ", ".join([" ".join(words), *details])


def _about_factor(graphs: Graphs, factor: Factor) -> str:
    words = [factor.family.name if factor.family else "deterministic"]
    if factor.network is not None:
        words.append(network_text(factor.network, factor.network_name))
    if factor.standard:
        words.append("standard prior")
    else:
        words += [_about_parameter(graphs, name, value) for name, value in factor.parameters.items()]
    return ", ".join(words)


def _about_parameter(graphs: Graphs, name: str, value: ParameterSpec) -> str:
    if isinstance(value, LearnedParameter):
        return f"{name} learned"
    if isinstance(value, NetworkParameter):
        return f"{name} from {', '.join(_as_written(graphs, value.parents))}"
    return f"{name} given" if isinstance(value, tuple) else f"{name} {value:g}"
