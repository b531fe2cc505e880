"""`recognition: auto`: faithful to p, no edge too many, labels first, one trunk."""

import re
from itertools import chain, combinations, pairwise
from random import Random

import networkx as nx
import pytest
import yaml
from graph_specs import M2, codes_in, graphs_of, random_model, spec_of

from graphspec.graphs.graph import Graphs
from graphspec.graphs.inversion import as_yaml, recognition_order
from graphspec.graphs.separation import boundary, collapse, sufficient_parents, walk

SEEDS = range(120)


def recognition_of(text: str) -> dict[str, tuple[str, ...]]:
    return {name: factor.parents for name, factor in graphs_of(text).recognition.items()}


def random_parts(graph: nx.DiGraph, roles: dict[str, str]) -> tuple[nx.DiGraph, list[str], list[str]]:
    """p over random variables only, the observed ones in it, and the hidden ones."""
    model = collapse(graph, {name for name, role in roles.items() if role == "deterministic"})
    observed = [name for name in model if roles[name] == "observed"]
    return model, observed, [name for name in model if roles[name] != "observed"]


def subsets(names: list[str]) -> chain:
    return chain.from_iterable(combinations(names, size) for size in range(len(names) + 1))


def stochastic(graphs: Graphs) -> nx.DiGraph:
    graph = graphs.graph("recognition")
    return collapse(graph, {name for name, v in graphs.variables.items() if v.role == "deterministic"})


@pytest.mark.parametrize("seed", SEEDS)
def test_every_independence_of_recognition_holds_in_the_posterior(seed):
    graph, roles = random_model(seed)
    model, observed, hidden = random_parts(graph, roles)
    q = stochastic(graphs_of(spec_of(graph, roles)))
    q.add_nodes_from(observed)
    pairs = [*combinations(hidden, 2), *((h, x) for h in hidden for x in observed)]
    for a, b in pairs:
        for given in subsets([name for name in hidden if name not in (a, b)]):
            seen = {*given, *observed} - {a, b}
            if nx.is_d_separator(q, {a}, {b}, seen):
                assert nx.is_d_separator(model, {a}, {b}, seen), (a, b, seen)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_edge_can_be_left_out(seed):
    graph, roles = random_model(seed)
    model, observed, hidden = random_parts(graph, roles)
    graphs = graphs_of(spec_of(graph, roles))
    features = {name for name, v in graphs.variables.items() if v.derived}
    before = list(observed)
    for factor in graphs.order("recognition"):
        if factor.deterministic:
            continue
        exact = {parent for parent in factor.parents if parent not in features}
        for parent in exact:
            assert not nx.is_d_separator(model, {factor.variable}, {parent}, set(before) - {parent})
        before.append(factor.variable)
    assert set(before) == {*observed, *hidden}


@pytest.mark.parametrize("seed", SEEDS)
def test_supervised_variables_come_first(seed):
    graph, roles = random_model(seed)
    order = [f.variable for f in graphs_of(spec_of(graph, roles)).order("recognition") if not f.deterministic]
    labels = [roles[name] == "supervised" for name in order]
    assert labels == sorted(labels, reverse=True)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_derived_graph_raises_no_warning_about_dependences(seed):
    graph, roles = random_model(seed)
    assert "GS105" not in codes_in(spec_of(graph, roles))
    derived = as_yaml(graphs_of(spec_of(graph, roles)))
    written = yaml.safe_load(spec_of(graph, roles)) | {"recognition": derived["recognition"]}
    written["variables"] |= derived.get("variables", {})
    assert "GS105" not in codes_in(yaml.safe_dump(written, sort_keys=False))


@pytest.mark.parametrize("seed", SEEDS)
def test_boundary_is_what_d_separation_says(seed):
    graph, roles = random_model(seed)
    model, observed, hidden = random_parts(graph, roles)
    for name in hidden:
        for given in subsets([other for other in hidden if other != name]):
            seen = {*observed, *given}
            exact = {u for u in seen if not nx.is_d_separator(model, {name}, {u}, seen - {u})}
            assert boundary(model, name, seen) == exact


@pytest.mark.parametrize("seed", SEEDS)
def test_elimination_never_misses_a_dependence(seed):
    graph, roles = random_model(seed)
    model, observed, hidden = random_parts(graph, roles)
    enough = sufficient_parents(model, hidden)
    seen = set(observed)
    for name in hidden:
        assert boundary(model, name, seen) <= enough[name]
        seen.add(name)


def eliminated(model: nx.DiGraph, hidden: list[str], labels: set[str]) -> list[str]:
    """The order of recognition by the definition: from the moral graph, again and again, the hidden variable (labels
    last) goes whose neighbours lack fewest edges between them, and they get those. Two observed ones need none."""
    graph, left = nx.moral_graph(model), list(hidden)

    def lacking(name: str) -> list[tuple[str, str]]:
        pairs = combinations(graph[name], 2)
        return [(a, b) for a, b in pairs if not graph.has_edge(a, b) and (a in left or b in left)]

    order = []
    while left:
        costs = {n: (n in labels, len(lacking(n)), graph.degree(n), -hidden.index(n)) for n in left}
        name = min(left, key=costs.__getitem__)
        graph.add_edges_from(lacking(name))
        graph.remove_node(name)
        left.remove(name)
        order.append(name)
    return order[::-1]


@pytest.mark.parametrize("seed", range(40))
def test_the_order_is_that_of_the_cheapest_elimination(seed):
    """Larger graphs than the other tests': where costs change twice, what is kept of them must change twice."""
    rng = Random(seed)
    names = [f"v{i}" for i in range(14)]
    model = nx.DiGraph()
    model.add_nodes_from(names)
    model.add_edges_from(pair for pair in combinations(names, 2) if rng.random() < 0.25)
    observed = set(rng.sample(names, 4))
    hidden = [name for name in names if name not in observed]
    labels = set(hidden[:2])
    assert recognition_order(model, hidden, nx.DiGraph(), labels) == eliminated(model, hidden, labels)


def test_the_path_is_open_and_shortest():
    model = nx.DiGraph([("a", "m"), ("m", "x"), ("b", "m"), ("b", "c")])
    seen = {"x", "c"}
    assert walk(model, "a", seen).path(model, "c") == "a → m ← b → c"


def test_two_readers_share_one_trunk():
    text = M2.split("recognition:")[0] + "recognition: auto\n"
    graphs = graphs_of(text)
    assert recognition_of(text) == {"features": ("x",), "y": ("features",), "z": ("features", "y")}
    assert graphs.variables["features"].derived and graphs.variables["features"].shape == (256,)
    kinds = {name: factor.network.kind for name, factor in graphs.recognition.items()}
    assert kinds == {"features": "mlp", "y": "linear", "z": "mlp"}
    assert all(factor.derived for factor in graphs.recognition.values())
    assert as_yaml(graphs) == {
        "variables": {"features": {"role": "deterministic"}},
        "recognition": {
            "features": {"parents": ["x"]},
            "y": {"parents": ["features"], "network": {"kind": "linear"}},
            "z": {"parents": ["features", "y"]},
        },
    }


def test_a_trunk_has_what_two_read_and_no_more():
    """x is read by both hidden variables, w by u alone."""
    text = """
graphspec: 1
variables:
  x: {role: observed, size: 2}
  w: {role: observed, size: 2}
  z: {role: latent, size: 2}
  u: {role: latent, size: 2}
generative: {z: {}, u: {}, x: {parents: [z, u]}, w: {parents: [u]}}
recognition: auto
"""
    found = recognition_of(text)
    assert found["features"] == ("x",)
    assert {name: set(parents) - {"z", "u"} for name, parents in found.items()} == {
        "features": {"x"}, "z": {"features"}, "u": {"features", "w"},
    }  # fmt: skip


def test_one_reader_reads_directly():
    text = """
graphspec: 1
variables: {x: {role: observed, size: 2}, z: {role: latent, size: 2}}
generative: {z: {}, x: {parents: [z]}}
recognition: auto
"""
    assert recognition_of(text) == {"z": ("x",)}


def test_the_name_of_the_trunk_is_unique():
    text = re.sub(r"\bz\b", "features", M2.split("recognition:")[0]) + "recognition: auto\n"
    assert set(recognition_of(text)) == {"features_2", "y", "features"}


def test_without_a_hidden_layer_there_is_no_trunk():
    text = M2.split("recognition:")[0] + "recognition: auto\nnetworks: {default: {kind: linear}}\n"
    assert recognition_of(text) == {"y": ("x",), "z": ("x", "y")}


def test_a_written_trunk_is_read_in_place_of_what_it_reads():
    text = M2.split("recognition:")[0].replace(
        "variables:", "variables:\n  d: {role: deterministic}\n  h: {role: deterministic}"
    )
    text += "recognition: {auto: true, d: {parents: [x]}, h: {parents: [d]}}\n"
    assert recognition_of(text) == {"d": ("x",), "h": ("d",), "y": ("h",), "z": ("h", "y")}


def test_written_factors_keep_their_parents_and_come_before_what_reads_them():
    text = M2.split("recognition:")[0] + "recognition: {auto: true, y: {parents: [z, x]}}\n"
    graphs = graphs_of(text)
    assert [f.variable for f in graphs.order("recognition")] == ["z", "y"]
    assert recognition_of(text) == {"y": ("z", "x"), "z": ("x",)}
    assert not graphs.recognition["y"].derived and graphs.recognition["z"].derived


def test_observed_variables_that_are_conditioned_on_are_read():
    text = """
graphspec: 1
variables: {x: {role: observed}, c: {role: observed}, u: {role: observed}, z: {role: latent}}
generative: {z: {}, x: {parents: [z, c]}, u: {parents: [c]}}
recognition: auto
"""
    assert recognition_of(text) == {"z": ("x", "c")}


def test_a_hierarchy_is_inverted_from_the_data_up():
    names = [f"z{i}" for i in range(6)]
    model = nx.DiGraph([*pairwise(names), ("z5", "x")])
    assert recognition_order(model, names, nx.DiGraph()) == names[::-1]


def test_a_long_chain_is_inverted_quickly():
    names = [f"z{i}" for i in range(400)]
    model = nx.DiGraph([*pairwise(names), (names[-1], "x")])
    order = recognition_order(model, names, nx.DiGraph())
    enough = sufficient_parents(model, order)
    assert all(len(parents) == 1 for parents in enough.values())
