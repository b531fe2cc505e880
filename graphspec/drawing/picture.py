"""What there is to draw, before any place is chosen.

From: `Graphs`. To: `Picture`. Not here: coordinates (`layout`) and file formats (`svg`, `tikz`, ...).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from graphspec.describe.parameter_words import network_text
from graphspec.graphs.graph import Factor, Graphs, Side, Variable
from graphspec.language import LearnedParameter, NetworkParameter, ParameterSpec, Role

Edge = tuple[str, str]
"""Parent and child."""

HEADS: Mapping[Side, str] = {"generative": "p", "recognition": "q"}


@dataclass(frozen=True)
class Node:
    """One variable. `about` says in words what it is, such as `supervised category, 10 classes`."""

    name: str
    role: Role
    about: str


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
    """One graph: its nodes, its edges parent -> child, and its factors in the order they run."""

    side: Side
    nodes: tuple[str, ...]
    edges: tuple[Edge, ...]
    formulas: tuple[Formula, ...]

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


def picture_of(graphs: Graphs) -> Picture:
    """What the spec draws: every variable that stands in one of the two graphs, with its edges and factors."""
    panels = (_panel(graphs, "generative"), _panel(graphs, "recognition"))
    shown = {name for panel in panels for name in panel.nodes}
    nodes = {
        name: Node(name, variable.role, _about_variable(variable))
        for name, variable in graphs.variables.items()
        if name in shown
    }
    return Picture(graphs.spec.name, graphs.spec.description, nodes, panels)


def _panel(graphs: Graphs, side: Side) -> Panel:
    graph = graphs.graph(side)
    order = list(graphs.variables)
    edges = sorted(graph.edges, key=lambda edge: (order.index(edge[1]), order.index(edge[0])))
    formulas = tuple(
        Formula(
            "" if factor.deterministic else HEADS[side],
            factor.variable,
            tuple(factor.parents),
            _about_factor(factor),
            borrowed=factor.side != side,
        )
        for factor in graphs.order(side)
    )
    return Panel(side, tuple(name for name in order if name in graph), tuple(edges), formulas)


def _about_variable(variable: Variable) -> str:
    words = [variable.role, *([variable.domain] if variable.domain else ["feature"])]
    details = []
    if variable.domain == "category":
        details.append(f"{variable.support} classes")
    elif variable.domain == "count" and variable.support is not None:
        details.append(f"{variable.minimum} to {variable.minimum + variable.support - 1}")
    if variable.shape:
        details.append("x".join(str(size) for size in variable.shape))
    return ", ".join([" ".join(words), *details, *(["may be blank"] if variable.missing else [])])


def _about_factor(factor: Factor) -> str:
    words = [factor.family.name if factor.family else "deterministic"]
    if factor.network is not None:
        words.append(network_text(factor.network, factor.network_name))
    if factor.standard:
        words.append("standard prior")
    else:
        words += [_about_parameter(name, value) for name, value in factor.parameters.items()]
    return ", ".join(words)


def _about_parameter(name: str, value: ParameterSpec) -> str:
    if isinstance(value, LearnedParameter):
        return f"{name} learned"
    if isinstance(value, NetworkParameter):
        return f"{name} from {', '.join(value.parents)}"
    return f"{name} given" if isinstance(value, tuple) else f"{name} {value:g}"
