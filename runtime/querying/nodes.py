"""The random variables that a question is about, as nodes: of q or p before a change, and of p after it.

pi, the posterior of what is hidden, is written as nodes that are drawn or summed in order, with weights for what is
known (`queries.md`, section 2):

    recognition  a node of q for each label and latent; what is given of them weighs; p's factors for observed
                 elements that are not given
    generative   a node of p for each variable; every fact weighs

After do(V=v) the nodes below V stand a second time: as they were where nothing that they read has changed, else with
their own noise (`kept`). Without facts below V or on it nothing is kept, and V's factors are left out.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Literal

import networkx as nx

from graphspec.graphs.graph import Factor, Graphs, Side, Variable
from graphspec.reading.suggestions import few
from runtime.answering.panels import below, conditioned
from runtime.predicting.used_run import UsedRun
from runtime.querying.grammar import QueryError
from runtime.querying.meaning import ROW, Question

By = Literal["recognition", "generative"]
NOW = "'"
"""Behind the name of a variable after the change."""


@dataclass(frozen=True)
class Node:
    """One variable in one world.

    factor: of its distribution. frame: where its parents are read. parents: nodes, deterministic ones replaced by what
    they are computed from. weighs: its density at what is given counts. before: the node whose noise it keeps, or
    (without a factor) whose values it has where it is not set.
    """

    name: str
    variable: Variable
    factor: Factor | None
    frame: str
    parents: tuple[str, ...]
    weighs: bool = True
    before: str = ""


@dataclass(frozen=True)
class Scene:
    """The nodes in an order in which each can be drawn. frames: by name, the node of each variable; a variable that is
    none of them is read as rows have it. by: the graph that tells pi. set_in: the frame where changes hold."""

    by: By
    nodes: Mapping[str, Node]
    frames: Mapping[str, Mapping[str, str]]
    notes: tuple[str, ...] = ()
    changed: Mapping[str, frozenset[int]] = field(default_factory=dict)

    @property
    def graph(self) -> nx.DiGraph:
        """Who reads whom."""
        graph: nx.DiGraph = nx.DiGraph()
        graph.add_nodes_from(self.nodes)
        graph.add_edges_from((parent, node.name) for node in self.nodes.values() for parent in node.parents)
        return graph


def graph_that_tells(question: Question, used: UsedRun, wanted: str | None) -> By:
    """Recognition where q can run, unless told otherwise. QueryError where q is wanted and cannot."""
    lacking = _lacking(question, used.model.graphs)
    if wanted == "generative" or (wanted is None and lacking is not None):
        return "generative"
    if lacking is not None:
        raise QueryError(f"recognition cannot answer this: {lacking}", question.text, 0, len(question.text))
    return "recognition"


def _lacking(question: Question, graphs: Graphs) -> str | None:
    """Why q cannot run; None where it can."""
    if graphs.exact:
        return f"{', '.join(graphs.exact)} is summed out of p"
    reads = read_by(graphs, "recognition")
    ranges = {f.variable.name for f in question.facts if f.sign not in (ROW, "=") and f.variable.role == "observed"}
    if ranges:
        return f"it cannot read a range of {sorted(ranges)[0]}"
    named = {name: question.elements_given(name) for name in reads}
    if not any(given and name in graphs.generative for name, given in named.items()):
        return f"recognition reads {few(reads) if reads else 'nothing'}: give all of it"
    for name in reads:
        variable = graphs.variables[name]
        if len(named[name]) < prod(variable.shape) and not variable.missing:
            return f"recognition reads {name}: give all of it"
    return None


def read_by(graphs: Graphs, side: Side) -> list[str]:
    """Observed variables that the distributions of one side read."""
    factors = [factor for factor in graphs.order(side) if not factor.deterministic]
    found = {parent for factor in factors for parent in graphs.stochastic_parents(factor)}
    return [name for name in graphs.observed if name in found]


def scene_of(question: Question, used: UsedRun, by: By) -> Scene:
    """The nodes of a question. QueryError where something that p conditions on is missing."""
    graphs = used.model.graphs
    changed: dict[str, set[int]] = {}
    for change in question.changes:
        changed.setdefault(change.variable.name, set()).update(change.which)
    facts = {fact.variable.name for fact in question.facts}
    after = below(graphs, changed)
    keeps = bool(changed) and (by == "recognition" or bool(facts & (after | changed.keys())))
    nodes: dict[str, Node] = {}
    if by == "recognition":
        q = _add(nodes, graphs, "recognition", "q", {}, weighs=True)
        whole = [name for name in graphs.observed if _whole(question, name, graphs)]
        was = _add(nodes, graphs, "generative", "p", q, weighs=False, without=whole)
        frames = {"q": q, "p": was}
    else:
        was = _add(nodes, graphs, "generative", "p", {}, weighs=True)
        frames = {"p": was}
    notes = _notes(question, graphs, by, after, changed)
    held = {name: frozenset(which) for name, which in changed.items()}
    if keeps:
        noise_told = _above_facts(nodes, facts) if by == "generative" else set(nodes)
        frames["now"] = _after(nodes, graphs, was, after, changed, noise_told)
    return Scene(by, nodes, frames, notes, held)


def _whole(question: Question, name: str, graphs: Graphs) -> bool:
    """Every element of an observed variable is a fact, and none may be blank."""
    count = prod(graphs.variables[name].shape)
    valued = {e for f in question.facts if f.variable.name == name and f.sign == "=" for e in f.which}
    told = question.elements_given(name)
    return len(told) == count and (len(valued) == count or not graphs.variables[name].missing)


def _add(
    nodes: dict[str, Node],
    graphs: Graphs,
    side: Side,
    frame: str,
    named: Mapping[str, str],
    *,
    weighs: bool,
    without: Collection[str] = (),
) -> dict[str, str]:
    """Nodes of one side's distributions that have none yet; the node of each variable in the frame."""
    found = dict(named)
    for factor in graphs.order(side):
        name = factor.variable
        if factor.deterministic or name in found or name in without:
            continue
        parents = tuple(sorted(found[p] for p in graphs.stochastic_parents(factor) if p in found))
        nodes[name] = Node(name, graphs.variables[name], factor, frame, parents, weighs)
        found[name] = name
    return found


def _after(
    nodes: dict[str, Node],
    graphs: Graphs,
    was: Mapping[str, str],
    after: Collection[str],
    changed: Mapping[str, set[int]],
    noise_told: Collection[str],
) -> dict[str, str]:
    """Nodes of the world after the change: what is set, and what is below it. noise_told: nodes of whose noise facts
    say something; that of all others is as good anew."""
    now = dict(was)
    for name in changed:
        variable = graphs.variables[name]
        before = was.get(name, "") if len(changed[name]) < prod(variable.shape) else ""
        now[name] = name + NOW
        nodes[now[name]] = Node(now[name], variable, None, "now", (before,) if before else (), False, before)
    for factor in graphs.order("generative"):
        name = factor.variable
        if name not in after or factor.deterministic:
            continue
        before = was.get(name, name)
        read = graphs.stochastic_parents(factor)
        parents = {now[p] for p in read if p in now}
        if before in noise_told or before not in nodes:
            parents |= {was[p] for p in read if p in was} | ({before} & nodes.keys())
        else:
            before = ""
        now[name] = name + NOW
        variable = graphs.variables[name]
        nodes[name + NOW] = Node(name + NOW, variable, factor, "now", tuple(sorted(parents)), False, before)
    return now


def _above_facts(nodes: Mapping[str, Node], facts: Collection[str]) -> set[str]:
    """Nodes that are facts or that facts depend on."""
    found, pending = set[str](), [name for name in facts if name in nodes]
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending += nodes[name].parents
    return found


def _notes(
    question: Question, graphs: Graphs, by: By, after: Collection[str], changed: Mapping[str, set[int]]
) -> tuple[str, ...]:
    notes = []
    if by == "recognition":
        factors = [factor for factor in graphs.order("recognition") if not factor.deterministic]
        own = {factor.variable for factor in factors}
        reads = own.union(*(graphs.stochastic_parents(factor) for factor in factors))
        told = [fact for fact in question.facts if not fact.implied]
        read = {f.term.item.written for f in told if f.variable.name in reads}
        unread = dict.fromkeys(f.term.item.written for f in told if f.variable.name not in reads)
        notes += [f"recognition does not read {name}: it changes nothing there" for name in unread if name not in read]
    if changed:
        earlier = dict.fromkeys(
            fact.term.item.written for fact in question.facts if fact.variable.name in {*after, *changed}
        )
        notes += [f"{name} is a fact from before the change" for name in earlier]
        if not {target.variable.name for target in question.targets} & {*after, *changed}:
            said = ", ".join(f"{c.term.item.written}={c.term.value}" for c in question.changes)
            notes.append(f"do({said}) changes nothing that is asked")
    return tuple(notes)


def refuse_unconditioned(
    question: Question, used: UsedRun, scene: Scene, relevant: Collection[str], targets: Sequence[str]
) -> None:
    """QueryError where a target depends on something that p conditions on and nobody tells."""
    graphs = used.model.graphs
    reads: set[str] = set()
    for name in relevant:
        node = scene.nodes[name]
        if node.factor is not None and node.frame != "q":
            reads |= graphs.stochastic_parents(node.factor)
    for name in targets:
        if graphs.variables[name].role == "deterministic":
            reads |= graphs.stochastic_parents(graphs.function(name))
    for name in conditioned(graphs):
        told = question.elements_given(name) | scene.changed.get(name, frozenset())
        if name in reads and len(told) < prod(graphs.variables[name].shape):
            called = used.called(name)
            raise QueryError(
                f"p conditions on {called}, which is not given: add {called}=VALUE, or {called} with --rows",
                question.text, 0, len(question.text),
            )  # fmt: skip
