"""Specs and random graphs for the tests of connecting, inverting and judging graphs."""

from random import Random

import networkx as nx

from graphspec.diagnostics import Diagnostic
from graphspec.graphs.graph import Graphs
from graphspec.loading import check_file, load

M2 = """
graphspec: 1
variables:
  x: {role: observed, domain: unit, shape: [1, 8, 8]}
  y: {role: supervised, domain: category, classes: 3}
  z: {role: latent, domain: real, size: 4}
generative:
  y: {}
  z: {}
  x: {parents: [y, z], distribution: bernoulli}
recognition:
  y: {parents: [x]}
  z: {parents: [x, y]}
"""


def graphs_of(text: str, *overrides: str) -> Graphs:
    return load("test.yaml", overrides, text=text)


def found_in(text: str, *overrides: str) -> list[Diagnostic]:
    return list(check_file("test.yaml", overrides, text=text))


def codes_in(text: str, *overrides: str) -> list[str]:
    return [diagnostic.code for diagnostic in found_in(text, *overrides)]


def pointed_at(diagnostic: Diagnostic) -> str:
    """The text that the carets stand under."""
    assert diagnostic.span is not None and diagnostic.source is not None
    line = diagnostic.source.line(diagnostic.span.line)
    return line[diagnostic.span.column : diagnostic.span.end_column]


def random_model(seed: int) -> tuple[nx.DiGraph, dict[str, str]]:
    """A random DAG of two to seven nodes and their roles: at least one observed, at least one hidden; some of those
    with parents deterministic."""
    random = Random(seed)
    count = random.randint(2, 7)
    names = [f"v{i}" for i in range(count)]
    random.shuffle(names)
    graph: nx.DiGraph = nx.DiGraph()
    graph.add_nodes_from(names)
    density = random.choice([0.25, 0.5, 0.8])
    for place, child in enumerate(names):
        graph.add_edges_from((parent, child) for parent in names[:place] if random.random() < density)
    roles = {name: random.choice(["observed", "latent", "latent", "supervised"]) for name in names}
    roles[names[0]], roles[names[-1]] = "latent", "observed"
    for name in names[1:-1]:
        if graph.in_degree(name) and random.random() < 0.2:
            roles[name] = "deterministic"
    return graph, roles


def spec_of(graph: nx.DiGraph, roles: dict[str, str], recognition: str = "recognition: auto") -> str:
    """The graph as a spec of scalar variables; observed roots are conditioned on."""
    lines = ["graphspec: 1", "variables:"]
    for name in sorted(graph):
        domain = "domain: category, classes: 2" if roles[name] == "supervised" else "domain: real, shape: []"
        lines.append(f"  {name}: {{role: {roles[name]}, {domain}}}")
    lines.append("generative:")
    for name in sorted(graph):
        parents = sorted(graph.predecessors(name))
        if parents or roles[name] != "observed":
            lines.append(f"  {name}: {{parents: [{', '.join(parents)}]}}")
    return "\n".join([*lines, recognition, ""])
