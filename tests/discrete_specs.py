"""Small discrete specs for exact tests: every topology, random pairs of DAGs."""

from itertools import combinations, permutations, product

import networkx as nx
import numpy as np


def topologies(size: int) -> list[nx.DiGraph]:
    """Every directed acyclic graph on `size` nodes up to renaming (1, 2, 6, 31 for 1 to 4 nodes)."""
    found: dict[tuple, nx.DiGraph] = {}
    pairs = list(combinations(range(size), 2))
    for chosen in product([False, True], repeat=len(pairs)):
        edges = [pair for pair, use in zip(pairs, chosen, strict=True) if use]
        key = min(tuple(sorted((p[a], p[b]) for a, b in edges)) for p in permutations(range(size)))
        if key not in found:
            graph = nx.DiGraph()
            graph.add_nodes_from(range(size))
            graph.add_edges_from(edges)
            found[key] = graph
    return list(found.values())


def random_dag(rng: np.random.Generator, names: list[str], density: float = 0.6) -> dict[str, list[str]]:
    """Parents of each name, names in a random topological order."""
    order = [names[i] for i in rng.permutation(len(names))]
    return {name: [p for p in order[:i] if rng.random() < density] for i, name in enumerate(order)}


def factor_lines(parents: dict[str, list[str]]) -> str:
    """YAML lines of one section."""
    lines = [
        f"  {n}: {{parents: [{', '.join(p)}]}}" if p else f"  {n}: {{parameters: {{logits: learned}}}}"
        for n, p in parents.items()
    ]
    return "\n".join(lines)


def discrete_spec(
    supports: dict[str, int],
    supervised: list[str],
    generative: dict[str, list[str]],
    recognition: dict[str, list[str]],
    objective: str = "{}",
) -> str:
    """A spec over category variables and one observed binary vector x of size 2."""
    variables = ["  x: {role: observed, domain: binary, size: 2}"]
    for name, support in supports.items():
        role = "supervised" if name in supervised else "latent"
        variables.append(f"  {name}: {{role: {role}, domain: category, classes: {support}}}")
    return "\n".join(
        [
            "graphspec: 1",
            "variables:",
            *variables,
            "generative:",
            factor_lines(generative),
            "recognition:",
            factor_lines(recognition),
            "networks: {default: {kind: mlp, hidden: [4], activation: tanh}}",
            f"objective: {objective}",
            "",
        ]
    )
