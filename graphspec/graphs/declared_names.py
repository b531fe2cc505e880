"""The names of a spec and how they hang together, before anything else is known to be right.

From: a `Spec`, right or wrong. To: `Outline`: who is declared, which factor stands where, and the edges between names
that exist. Rules about structure and `connect` both read it, so a mistake in one place does not hide another, and does
not come back as ten more. Not here: families, shapes, messages.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import networkx as nx

from graphspec.graphs.graph import SIDES, Side
from graphspec.language import FactorSpec, Role, Spec, VariableSpec
from graphspec.language.plates import base_of
from graphspec.reading.suggestions import suggest
from graphspec.text.report import Report
from graphspec.text.tree import Path

MOST_GUESSES = 100_000
"""Pairs of an unknown and a declared name up to which one is looked for that the other may mean: a second or so."""


@dataclass(frozen=True)
class Outline:
    """Names and edges.

    unreadable: variables whose entry could not be read in full (reported elsewhere); nothing is said about them again.
    unreadable_factors: entries of the two graphs that are not there although they were written. truncated: factors that
    lost a part in reading. open: an `include` that could not be taken in would have brought further names.
    """

    spec: Spec
    unreadable: frozenset[str] = frozenset()
    unreadable_factors: Mapping[Side, frozenset[str]] = field(default_factory=dict)
    truncated: frozenset[tuple[Side, str]] = frozenset()
    open: bool = False

    @property
    def variables(self) -> Mapping[str, VariableSpec]:
        """The declared variables."""
        return self.spec.variables

    def role(self, name: str) -> Role | None:
        """Role of a declared variable, None for a name that is not declared (or not readable)."""
        variable = self.variables.get(name)
        return None if variable is None else variable.role

    def doubtful(self, name: str) -> bool:
        """Nothing can be said about this unknown name: its declaration is unreadable or elsewhere."""
        return name in self.unreadable or self.open

    def written(self, side: Side) -> Mapping[str, FactorSpec]:
        """The factors as written, in order, whatever they are called."""
        return self.spec.generative if side == "generative" else self.spec.recognition.factors

    @cached_property
    def _factors(self) -> dict[Side, dict[str, FactorSpec]]:
        return {side: {n: f for n, f in self.written(side).items() if n in self.variables} for side in SIDES}

    def factors(self, side: Side) -> Mapping[str, FactorSpec]:
        """The factors of declared variables."""
        return self._factors[side]

    def has_factor(self, side: Side, name: str) -> bool:
        """A factor is there, readable or not."""
        summed = side == "recognition" and name in self.exact
        return summed or name in self.factors(side) or name in self.unreadable_factors.get(side, frozenset())

    @property
    def exact(self) -> Mapping[str, int]:
        """What recognition calls `exact`: summed out of p, without a factor of q."""
        return self.spec.recognition.exact

    @property
    def whole(self) -> bool:
        """Everything that was written could be read."""
        return not (self.unreadable or any(self.unreadable_factors.values()) or self.truncated or self.open)

    def parents(self, side: Side, name: str) -> tuple[str, ...]:
        """Declared parents of a factor, each once, however they are read."""
        given = dict.fromkeys(base_of(parent) for parent in self.factors(side)[name].parents)
        return tuple(p for p in given if p in self.variables)

    def misspelled(self, side: Side) -> frozenset[str]:
        """Declared names that unknown entries of this side probably mean: nothing more is said about them."""
        return self._misspelled[side]

    @cached_property
    def _misspelled(self) -> dict[Side, frozenset[str]]:
        return {side: self._meant(side) for side in SIDES}

    def _meant(self, side: Side) -> frozenset[str]:
        missing = [name for name in self.variables if not self.has_factor(side, name)]
        unknown = [entry for entry in self.written(side) if entry not in self.variables]
        hidden = frozenset(name for name in missing if self.role(name) in ("latent", "supervised"))
        if len(unknown) == len(hidden) == 1:
            return hidden
        if len(unknown) * len(missing) > MOST_GUESSES:
            return frozenset()
        return frozenset(found for entry in unknown if (found := suggest(entry, missing)) is not None)

    def meant(self, unknown: str) -> str | None:
        """The declared variable that an unknown name probably stands for; None where too many names are unknown."""
        return self._meanings.get(unknown)

    @cached_property
    def _meanings(self) -> dict[str, str | None]:
        named = {name for side in SIDES for name in self.written(side)}
        named.update(base_of(p) for side in SIDES for factor in self.written(side).values() for p in factor.parents)
        unknown = named - self.variables.keys() - self.spec.plates.keys()
        few = len(unknown) * len(self.variables) <= MOST_GUESSES
        return {name: suggest(name, self.variables) for name in unknown} if few else {}

    @cached_property
    def observed(self) -> tuple[str, ...]:
        """The observed variables, in the order declared."""
        return tuple(name for name in self.variables if self.role(name) == "observed")

    def home(self, name: str) -> Side | None:
        """The graph that defines deterministic variable `name`; None if neither does."""
        return next((side for side in SIDES if name in self.factors(side)), None)

    @cached_property
    def _graphs(self) -> dict[Side, nx.DiGraph]:
        return {side: self._build(side) for side in SIDES}

    def graph(self, side: Side) -> nx.DiGraph:
        """Edges parent -> child of one side, with the deterministic variables it reads from the other side and what
        those depend on. May have cycles."""
        return self._graphs[side]

    def _build(self, side: Side) -> nx.DiGraph:
        graph: nx.DiGraph = nx.DiGraph()
        pending = [(side, name) for name in self.factors(side) if not self.misplaced(side, name)]
        entered = {name for _, name in pending}
        while pending:
            home, name = pending.pop()
            graph.add_node(name)
            for parent in self.parents(home, name):
                graph.add_edge(parent, name)
                other = self.home(parent)
                if parent not in entered and self.role(parent) == "deterministic" and other is not None:
                    entered.add(parent)
                    pending.append((other, parent))
        return graph

    def misplaced(self, side: Side, name: str) -> bool:
        """An observed variable has no factor in recognition; one that is there makes no arrows."""
        return side == "recognition" and self.role(name) == "observed"

    def borrowed(self, side: Side, name: str) -> bool:
        """`name` is a deterministic variable that this side's graph holds but does not define."""
        return self.role(name) == "deterministic" and name not in self.factors(side)

    @cached_property
    def cyclic(self) -> frozenset[str]:
        """Names on a cycle of either graph: nothing below them can be computed."""
        found: set[str] = set()
        for side in SIDES:
            found.update(*loops(self.graph(side)))
        return frozenset(found)


def outline_of(spec: Spec, report: Report) -> Outline:
    """The outline of what could be read; the report knows the document as written and what reading left out."""
    document, dropped = report.document.value, report.dropped
    declared = {*_keys(document.get("variables")), *_below(dropped, "variables")}
    lost: dict[Side, frozenset[str]] = {}
    truncated: set[tuple[Side, str]] = set()
    for side in SIDES:
        names = {*_keys(document.get(side)), *_below(dropped, side)} - {"auto"}
        kept = spec.generative if side == "generative" else {**spec.recognition.factors, **spec.recognition.exact}
        lost[side] = frozenset(names - set(kept))
        truncated |= {(side, name) for name in _below(dropped, side)}
    unreadable = frozenset(declared - set(spec.variables) | _below(dropped, "variables"))
    return Outline(spec, unreadable, lost, frozenset(truncated), report.incomplete)


def _below(paths: Iterable[Path], section: str) -> frozenset[str]:
    """Names of the entries of `section` that lost something."""
    return frozenset(str(path[1]) for path in paths if path[0] == section and len(path) > 1)


def _keys(section: Any) -> frozenset[str]:
    return frozenset(section) if isinstance(section, dict) else frozenset()


def loops(graph: nx.DiGraph) -> list[set[str]]:
    """The groups of names that depend on themselves: components of more than one node, and nodes with an edge to
    themselves."""
    components = [set(c) for c in nx.strongly_connected_components(graph)]
    return [c for c in components if len(c) > 1 or graph.has_edge(*(list(c) * 2))]
