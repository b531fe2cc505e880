"""The two graphs after every check: what the compiler, the drawings and the runtime read.

From: a validated `Spec`. To: `Graphs`, immutable, with every default filled in and every shape known.
Not here: the rules that refuse a spec (`rules/`), and anything with torch.
"""

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from heapq import heapify, heappop, heappush
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import networkx as nx

from graphspec.diagnostics import Diagnostic, SourceText
from graphspec.graphs.label_rows import LabelRows
from graphspec.graphs.start import Start, channel_shape
from graphspec.graphs.walks import Unit, arrange, circles
from graphspec.language import NetworkSpec, ParameterSpec, Role, Spec
from graphspec.language.domains import DOMAINS, DomainInfo
from graphspec.language.families import Family
from graphspec.language.plates import AS_IT_IS, MARK, NEIGHBOURS, POOLS, ViewKind
from graphspec.language.variables import Domain
from graphspec.text.source import Document

Side = Literal["generative", "recognition"]
SIDES: tuple[Side, Side] = ("generative", "recognition")


@dataclass(frozen=True)
class Plate:
    """Elements that a row has several of. path: the plate with those it is inside of, outermost first.

    size: how many, with a count at most. count: the variable that says how many of them are there.
    """

    name: str
    size: int
    ordered: bool
    path: tuple[str, ...]
    count: str | None = None

    @property
    def axis(self) -> str:
        """What the axis of its elements is called. No variable can be called so, and it sorts behind samples and before
        the values of variables whose names begin with a letter."""
        return plate_axis(self.name)


def plate_axis(plate: str) -> str:
    """The axis of a plate's elements."""
    return MARK + plate


@dataclass(frozen=True)
class View:
    """What a factor reads in place of a variable: of a neighbour, an end, all elements together; or a plate's place.

    base: the variable, or the plate whose place it is. taken: plates that are looked along, of which pools and ends
    leave nothing. raw: numbers are pooled as they are, without logarithms, and a class is its index. suffix: tells
    readings apart that are written alike and stand in different plates.
    """

    base: str
    kind: ViewKind | Literal["place"]
    taken: tuple[str, ...]
    raw: bool = False
    suffix: str = ""

    @property
    def key(self) -> str:
        """Its name among values: as written, where that says all."""
        if self.kind == "place":
            return self.base
        return f"{self.base}{MARK}{self.kind}{AS_IT_IS if self.raw else ''}{self.suffix}"

    @property
    def pools(self) -> bool:
        """All elements enter."""
        return self.kind in POOLS


@dataclass(frozen=True)
class Variable:
    """One node. `shape` is the event shape of a value; a category's value is one class index per element.

    support: number of values of one element (category, binary, bounded count), None if not finite.
    minimum: the smallest value of a count; a bounded count's class index k stands for minimum + k.
    domain: None only for a deterministic feature without a size (its value is a hidden layer).
    derived: made by `recognition: auto`, not written by the user.
    start: where its factors start, if its training values lie far from where they would; known with the data only.
    plates: those it stands in, outermost first, and how many elements each has. flags: shape of what tells a view that
    may find nothing from one that finds zero. row_axes: how many axes of the shape are plates, where `by_row` put them.
    """

    name: str
    role: Role
    domain: Domain | None
    shape: tuple[int, ...]
    support: int | None = None
    minimum: int = 0
    names: tuple[str, ...] = ()
    missing: bool = False
    derived: bool = False
    start: Start | None = None
    plates: tuple[tuple[str, int], ...] = ()
    flags: tuple[int, ...] | None = None
    row_axes: int = 0

    @property
    def path(self) -> tuple[str, ...]:
        """The plates that it stands in by name, outermost first."""
        return tuple(name for name, _ in self.plates)

    @property
    def plate_axes(self) -> tuple[str, ...]:
        """The axes of its plates, outermost first."""
        return tuple(map(plate_axis, self.path))

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Shape of all that a row has of it: an axis for each plate, then the event's."""
        return (*(size for _, size in self.plates), *self.shape)

    @property
    def by_row(self) -> "Variable":
        """The same for whoever reads data: all that a row has is one value, plates among the axes of its shape."""
        return replace(self, shape=self.row_shape, plates=(), row_axes=len(self.plates)) if self.plates else self

    @property
    def of_one(self) -> "Variable":
        """One element of it, as if it were all that a row has, also where `by_row` has put plates in front."""
        return replace(self, shape=self.of_element, plates=(), row_axes=0) if self.plates or self.row_axes else self

    @property
    def of_element(self) -> tuple[int, ...]:
        """Shape of the value of one element, also where `by_row` has put plates in front of it."""
        return self.shape[self.row_axes :]

    @property
    def presence(self) -> tuple[int, ...] | None:
        """Shape of the flag beside a value that may be blank; None where none is."""
        return self.shape if self.flags is None and self.missing else self.flags

    @property
    def info(self) -> DomainInfo:
        """The domain's row of the table; a feature counts as real."""
        return DOMAINS[self.domain or "real"]

    @property
    def discrete(self) -> bool:
        """Values can be counted."""
        return self.info.discrete

    @property
    def value_names(self) -> tuple[str, ...]:
        """What each value of one element is called, by `names` or its number; none if there are not finitely many."""
        unnamed = range(len(self.names), self.support or 0)
        return (*self.names, *(str(self.minimum + index) for index in unnamed))


@dataclass(frozen=True)
class Factor:
    """One conditional of one graph, or a deterministic variable's function (`family` is None).

    network: the resolved architecture; None where nothing is computed from parents (a root).
    network_name: what the spec called it, for messages and printing ("" if written in place).
    parameters: those not given by the network's heads, by the family's own parameter names or alternatives;
    values as in the schema (number, tuple, LearnedParameter, NetworkParameter).
    standard: a root of p without parameters, so the domain's standard prior.
    view: of a deterministic variable that nobody wrote: how another is read across elements.
    """

    side: Side
    variable: str
    parents: tuple[str, ...]
    family: Family | None
    options: Mapping[str, Any] = field(default_factory=dict)
    network: NetworkSpec | None = None
    network_name: str = ""
    parameters: Mapping[str, ParameterSpec] = field(default_factory=dict)
    stop_gradient: frozenset[str] = frozenset()
    standard: bool = False
    derived: bool = False
    view: View | None = None

    @property
    def deterministic(self) -> bool:
        """No distribution: a function of the parents."""
        return self.family is None

    @property
    def key(self) -> str:
        """`recognition.z`: the factor's name across both graphs, also in checkpoints."""
        return f"{self.side}.{self.variable}"


@dataclass(frozen=True)
class Graphs:
    """A checked spec. `generative` and `recognition` hold the factors in the order written (derived ones last).

    views: how variables are read across elements, as functions of either graph. plates: by name.
    document: the located tree with every override, for diagnostics of later stages. written_at: the file beside which
    what the spec names is looked for, where that is not `source`: the spec that a run was trained from. label_rows: how
    many rows have each label, where the data could be looked at.
    """

    spec: Spec
    source: SourceText
    variables: Mapping[str, Variable]
    generative: Mapping[str, Factor]
    recognition: Mapping[str, Factor]
    views: Mapping[str, Factor] = field(default_factory=dict)
    plates: Mapping[str, Plate] = field(default_factory=dict)
    warnings: tuple[Diagnostic, ...] = ()
    document: Document | None = field(default=None, repr=False, compare=False)
    written_at: Path | None = field(default=None, repr=False, compare=False)
    label_rows: LabelRows | None = field(default=None, repr=False, compare=False)

    @property
    def home(self) -> Path:
        """The spec's file, beside which its own modules and their weights stand; "-" for standard input."""
        return self.written_at or Path(self.source.name)

    def with_names(self, names: Mapping[str, Sequence[str]]) -> "Graphs":
        """The same graphs, values of some variables called so: as the data call them where the spec does not."""
        named = {n: replace(self.variables[n], names=tuple(called)) for n, called in names.items() if called}
        return replace(self, variables={**self.variables, **named}) if named else self

    def _repr_svg_(self) -> str:
        """Both graphs as a notebook shows them. (By name: drawings are made in a later room, when somebody looks.)"""
        drawn: bytes = import_module("graphspec.drawing").draw(self, "svg")
        return drawn.decode()

    def told(self, code: str, name: str) -> bool:
        """A variable's spec was given this warning, or says that it wants none."""
        warned = any(warning.code == code and name in warning.path for warning in self.warnings)
        return warned or code in self.spec.variables[name].allow

    def with_starts(self, starts: Mapping[str, Start]) -> "Graphs":
        """The same graphs, factors of some variables starting where training rows say. ValueError for starts that are
        of other shapes than the variables."""
        for name, start in starts.items():
            variable = self.variables.get(name)
            if variable is None or start.shape != channel_shape(variable.shape):
                raise ValueError(f"a start of shape {list(start.shape)} does not fit {name}")
        moved = {name: replace(self.variables[name], start=start) for name, start in starts.items()}
        return replace(self, variables={**self.variables, **moved}) if moved else self

    @property
    def starts(self) -> dict[str, Start]:
        """Of the variables that have one."""
        return {name: variable.start for name, variable in self.variables.items() if variable.start is not None}

    @cached_property
    def by_row(self) -> "Graphs":
        """The same graphs for whoever reads data: all that a row has of a variable is one value, plates among the axes
        of its shape."""
        if not self.plates:
            return self
        return replace(self, variables={name: variable.by_row for name, variable in self.variables.items()})

    def ragged(self, plates: Iterable[str]) -> Plate | None:
        """The innermost plate with a count among some and those they are inside of; None where all elements are
        there."""
        around = (self.plates[outer] for name in plates for outer in self.plates[name].path)
        return max((plate for plate in around if plate.count is not None), key=lambda p: len(p.path), default=None)

    def factors(self, side: Side) -> Mapping[str, Factor]:
        """The factors written (or derived) on one side."""
        return self.generative if side == "generative" else self.recognition

    def function(self, name: str) -> Factor:
        """The one factor that defines deterministic variable `name`, on whichever side it stands."""
        if name in self.views:
            return self.views[name]
        return self.generative[name] if name in self.generative else self.recognition[name]

    def indivisible(self, name: str) -> bool:
        """Elements of a variable depend on each other: a direction, a simplex, what a flow gives in either graph.

        One blank element makes the whole of it blank.
        """
        if self.variables[name].domain in ("direction", "simplex"):
            return True
        factors = (side.get(name) for side in (self.generative, self.recognition))
        return any(f is not None and f.family is not None and f.family.flow for f in factors)

    @cached_property
    def observed(self) -> tuple[str, ...]:
        """Variables every row has, in the order declared."""
        return self._with_role("observed")

    @cached_property
    def supervised(self) -> tuple[str, ...]:
        """Variables some rows have, in the order declared."""
        return self._with_role("supervised")

    @cached_property
    def latent(self) -> tuple[str, ...]:
        """Variables no row has, in the order declared."""
        return self._with_role("latent")

    @property
    def exact(self) -> tuple[str, ...]:
        """What is summed out of p and has no factor in recognition, in the order written there."""
        return tuple(self.spec.recognition.exact)

    @cached_property
    def recognised(self) -> tuple[str, ...]:
        """Hidden variables in recognition order; what is exact stands where it is written."""
        written = {name: place for place, name in enumerate(self.recognition)}
        names = [factor.variable for factor in self.order("recognition") if not factor.deterministic]
        for name, before in reversed(self.spec.recognition.exact.items()):
            behind = (place for place, other in enumerate(names) if written.get(other, -1) >= before)
            names.insert(next(behind, len(names)), name)
        return tuple(names)

    def summed_neighbour(self, name: str) -> bool:
        """A view of the element before of what is summed out along its plate: no value, but an axis of the sum."""
        view = self.views[name].view if name in self.views else None
        return view is not None and view.kind == "previous" and view.base in self.exact

    def _with_role(self, role: Role) -> tuple[str, ...]:
        return tuple(name for name, variable in self.variables.items() if variable.role == role)

    def graph(self, side: Side) -> nx.DiGraph:
        """Nodes and edges parent -> child of one side, deterministic variables read from the other side included.
        The graph is frozen; `nx.DiGraph(...)` makes a copy that may change."""
        return self._graphs[side]

    @cached_property
    def _graphs(self) -> dict[Side, nx.DiGraph]:
        return {side: nx.freeze(self._build(side)) for side in SIDES}

    def _build(self, side: Side) -> nx.DiGraph:
        graph: nx.DiGraph = nx.DiGraph()
        pending = deque(self.factors(side).values())
        entered = set(self.factors(side))
        while pending:
            factor = pending.popleft()
            graph.add_node(factor.variable)
            for parent in factor.parents:
                if self.variables[parent].role == "deterministic" and parent not in entered:
                    entered.add(parent)
                    pending.append(self.function(parent))
                graph.add_edge(parent, factor.variable)
        return graph

    def order(self, side: Side) -> tuple[Factor, ...]:
        """Factors in the order they run: repeatedly the first entry as written whose parents are done (design,
        section 3); deterministic variables borrowed from the other side stand before their first reader."""
        return self._orders[side]

    @cached_property
    def _orders(self) -> dict[Side, tuple[Factor, ...]]:
        return {
            side: tuple(self.factor(side, n) for unit in self.units(side) for n in unit.names)
            if self.walks(side)
            else self._arrange(side)
            for side in SIDES
        }

    def factor(self, side: Side, name: str) -> Factor:
        """The factor of a variable on one side, or the function that the side borrows."""
        own = self.factors(side)
        return own[name] if name in own else self.function(name)

    def walks(self, side: Side) -> bool:
        """Some variables depend on those of neighbouring elements in a circle."""
        return self._walks[side]

    @cached_property
    def _walks(self) -> dict[Side, bool]:
        return {side: bool(self.plates) and bool(circles(self.graph(side))) for side in SIDES}

    def units(self, side: Side, known: Collection[str] = ()) -> tuple[Unit, ...]:
        """Factors in the order they run, those of a walk together. known: variables that have a value without their
        factor: they cut walks, and their factors come once what these read is there."""
        if not self.walks(side):
            return tuple(Unit((factor.variable,)) for factor in self.order(side))
        views = {name: factor.view for name, factor in self.views.items() if factor.view is not None}
        neighbours = {name: (v.taken[0], v.kind) for name, v in views.items() if v.kind in NEIGHBOURS}
        own, graph = self.factors(side), self.graph(side)
        borrowed = [name for name in graph if name not in own and self.variables[name].role == "deterministic"]
        return arrange(graph, tuple(own), borrowed, neighbours, known)

    def _arrange(self, side: Side) -> tuple[Factor, ...]:
        """A heap of the ready factors by their place as written, so that long chains stay linear."""
        own = self.factors(side)
        place = {name: position for position, name in enumerate(own)}
        needs = self._needs(side)
        readers: dict[str, list[str]] = {name: [] for name in own}
        waiting = {name: len(needed) for name, needed in needs.items() if name in own}
        for name in own:
            for parent in needs[name]:
                readers[parent].append(name)
        ready = [place[name] for name, count in waiting.items() if count == 0]
        names, result, done = tuple(own), [], set[str]()
        heapify(ready)
        while ready:
            name = names[heappop(ready)]
            result += [*self._borrowed(side, own[name], done), own[name]]
            for reader in readers[name]:
                waiting[reader] -= 1
                if waiting[reader] == 0:
                    heappush(ready, place[reader])
        assert all(count == 0 for count in waiting.values()), "cycles are refused before"
        return tuple(result)

    def _needs(self, side: Side) -> dict[str, set[str]]:
        """For every node of one side: the side's own factors that must run before it, seen through borrowed ones."""
        own, graph = self.factors(side), self.graph(side)
        needs: dict[str, set[str]] = {}
        for name in nx.topological_sort(graph):
            needs[name] = set()
            for parent in graph.predecessors(name):
                needs[name] |= {parent} if parent in own else needs[parent]
        return needs

    def _borrowed(self, side: Side, factor: Factor, done: set[str]) -> list[Factor]:
        """Functions of the other side that `factor` needs and nobody has run yet, parents before children."""
        found: list[Factor] = []
        pending = [(factor, iter(factor.parents))]
        while pending:
            current, parents = pending[-1]
            parent = next(parents, None)
            if parent is None:
                pending.pop()
                if pending:
                    found.append(current)
            elif self._is_borrowed(side, parent) and parent not in done:
                done.add(parent)
                function = self.function(parent)
                pending.append((function, iter(function.parents)))
        return found

    def _is_borrowed(self, side: Side, name: str) -> bool:
        return self.variables[name].role == "deterministic" and name not in self.factors(side)

    def stochastic_parents(self, factor: Factor) -> frozenset[str]:
        """Parents with deterministic variables replaced by what they depend on."""
        sources = self._sources
        return frozenset().union(*(sources.get(parent, {parent}) for parent in factor.parents))

    @cached_property
    def _sources(self) -> dict[str, frozenset[str]]:
        """Every deterministic variable's stochastic ancestors through deterministic ones only."""
        functions = {
            name: self.function(name)
            for name, variable in self.variables.items()
            if variable.role == "deterministic"
            and (name in self.generative or name in self.recognition or name in self.views)
        }
        graph: nx.DiGraph = nx.DiGraph()
        graph.add_nodes_from(functions)
        graph.add_edges_from((p, name) for name, f in functions.items() for p in f.parents if p in functions)
        sources: dict[str, frozenset[str]] = {}
        groups = nx.condensation(graph)
        for group in nx.topological_sort(groups):
            names = groups.nodes[group]["members"]
            above = {parent for name in names for parent in functions[name].parents} - names
            sources |= dict.fromkeys(names, frozenset().union(*(sources.get(p, {p}) for p in above)))
        return sources
