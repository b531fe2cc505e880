"""Rules about names, roles, loops, families and what the two graphs promise each other. Words are in the golden files;
here: what is found where, that one mistake does not come back as another, and that `allow` silences warnings."""

import networkx as nx
import pytest
from graph_specs import M2, codes_in, found_in, graphs_of, pointed_at, random_model, spec_of

from graphspec.graphs.separation import collapse

SCALARS = """
graphspec: 1
variables:
  x: {{role: observed}}
  a: {{role: latent}}
  b: {{role: latent}}
  c: {{role: latent}}
  d: {{role: deterministic}}
generative: {p}
recognition: {q}
"""


def scalars(p: str, q: str) -> str:
    return SCALARS.format(p=p, q=q)


def gaps(text: str, *overrides: str) -> dict[str, str]:
    """Variables that GS105 speaks of, with what it asks for."""
    return {pointed_at(d): d.hint for d in found_in(text, *overrides) if d.code == "GS105"}


@pytest.mark.parametrize(
    ("override", "code", "place", "hint"),
    [
        ("recognition.z.parents=[x, Y]", "GS030", "Y", "y"),
        ("generative.z.distribution=Normal", "GS050", "Normal", "normal"),
        ("generative.z.distribution=gausian", "GS050", "gausian", "normal"),
        ("generative.z.parameters={Scale: 2}", "GS053", "Scale", "scale"),
        ("generative.x.network=defualt", "GS060", "defualt", "default"),
    ],
)
def test_suggestions(override, code, place, hint):
    text = M2 + "networks: {default: {kind: mlp, hidden: [8]}}\n"
    (found,) = found_in(text, override)
    assert (found.code, pointed_at(found)) == (code, place) and f"'{hint}'" in found.hint


def test_every_loop_is_named_once():
    p = "{a: {parents: [b]}, b: {parents: [a]}, c: {parents: [c]}, d: {parents: [a]}, x: {parents: [a, d]}}"
    found = found_in(scalars(p, "{a: {parents: [x]}, b: {parents: [x]}, c: {parents: [x]}}"))
    assert [(d.code, d.message) for d in found] == [
        ("GS031", "a depends on itself: a → b → a"),
        ("GS031", "c is its own parent"),
    ]


def test_a_loop_of_functions_is_told_where_they_are_defined():
    p = "{a: {}, b: {}, c: {}, d: {parents: [d, a]}, x: {parents: [a, b, c, d]}}"
    q = "{a: {parents: [x, b, c]}, b: {parents: [x, c]}, c: {parents: [x]}}"
    assert [d.code for d in found_in(scalars(p, q))] == ["GS031"]
    q = "{a: {parents: [x]}, b: {parents: [x, d]}, c: {parents: [x, d]}}"
    assert [d.code for d in found_in(scalars(p, q))] == ["GS031"]


def test_recognition_may_read_a_function_of_what_comes_before():
    p = "{a: {}, d: {parents: [a]}, b: {parents: [d]}, c: {}, x: {parents: [b, c]}}"
    q = "{a: {parents: [x]}, b: {parents: [x, d]}, c: {parents: [x, b]}}"
    assert codes_in(scalars(p, q)) == []
    q = "{a: {parents: [x, d]}, b: {parents: [x]}, c: {parents: [x, b]}}"
    (found,) = found_in(scalars(p, q))
    assert found.code == "GS033" and pointed_at(found) == "d" and "a → d → a" in found.message


def test_generative_may_read_features_of_what_is_conditioned_on():
    p = "{a: {parents: [d]}, b: {}, c: {}}"
    q = "{d: {parents: [x]}, a: {parents: [x]}, b: {parents: [x]}, c: {parents: [x]}}"
    assert "GS034" not in codes_in(scalars(p, q))
    assert "GS034" in codes_in(scalars("{x: {parents: [a]}, a: {parents: [d]}, b: {}, c: {}}", q))


def test_a_misspelled_factor_is_one_mistake():
    text = M2.replace("  y: {parents: [x]}", "  yy: {parents: [x]}").replace("  z: {}", "  Z: {}")
    found = found_in(text)
    assert [(d.code, pointed_at(d)) for d in found] == [("GS030", "Z"), ("GS030", "yy")]


def test_many_mistakes_come_together():
    text = M2.replace("classes: 3", "clases: 3").replace("[y, z]", "[y, q]").replace("size: 4", "size: -4")
    assert {"GS010", "GS014", "GS030"} <= set(codes_in(text))


def test_a_broken_declaration_has_no_echo():
    text = M2.replace("size: 4", "size: many").replace("bernoulli}", "bernoulli, network: {kind: sum}}")
    assert codes_in(text) == ["GS012"]
    text = M2.replace("role: latent, ", "")
    assert codes_in(text) == ["GS011"]


def test_neighbours_of_what_has_none_are_refused_once():
    text = M2.replace("z: {}", "z: {parents: [z@previous], network: {kind: mlp, hidden: [3]}}")
    text = text.replace("recognition:", "plates: {time: {size: 3, ordered: true}}\nrecognition:")
    assert set(codes_in(text)) == {"GS022"}


def test_open_paths_of_a_mean_field_recognition():
    p = "{a: {}, b: {}, c: {parents: [b]}, d: {parents: [a, b]}, x: {parents: [d]}}"
    q = "{a: {parents: [x]}, b: {parents: [x]}, c: {parents: [x]}}"
    found = {pointed_at(d): d for d in found_in(scalars(p, q)) if d.code == "GS105"}
    assert set(found) == {"b", "c"}
    assert "b → x ← a" in found["b"].message and "add a to the parents of b" in found["b"].hint
    assert "c ← b" in found["c"].message and "add b to" in found["c"].hint


def test_recognition_that_is_rich_enough_is_silent():
    p = "{a: {}, b: {}, c: {parents: [b]}, d: {parents: [a, b]}, x: {parents: [d]}}"
    assert gaps(scalars(p, "{b: {parents: [x]}, a: {parents: [b, x]}, c: {parents: [b]}}")) == {}


def test_features_are_what_is_added():
    text = M2.replace("variables:", "variables:\n  h: {role: deterministic}")
    text = text.replace(
        "  y: {parents: [x]}\n  z: {parents: [x, y]}", "  h: {parents: [x]}\n  y: {parents: [h]}\n  z: {parents: [y]}"
    )
    assert gaps(text) == {"z": "add h to the parents of z, or `allow: [GS105]` if the gap is meant"}


@pytest.mark.parametrize("seed", range(80))
def test_adding_the_missing_edges_makes_recognition_faithful(seed):
    graph, roles = random_model(seed)
    hidden = sorted(n for n, role in roles.items() if role in ("latent", "supervised"))
    recognition = {name: [] for name in hidden}
    found = gaps(spec_of(graph, roles, _written(recognition)))
    for name, hint in found.items():
        recognition[name] += hint.removeprefix("add ").split(" to the parents")[0].replace(" and ", ", ").split(", ")
    assert gaps(spec_of(graph, roles, _written(recognition))) == {}
    for name, parents in recognition.items():
        for parent in parents:
            fewer = recognition | {name: [other for other in parents if other != parent]}
            assert name in gaps(spec_of(graph, roles, _written(fewer)))


def _written(recognition: dict[str, list[str]]) -> str:
    return "\n".join(["recognition:", *(f"  {n}: {{parents: [{', '.join(p)}]}}" for n, p in recognition.items())])


@pytest.mark.parametrize(
    ("overrides", "place", "code"),
    [
        (["networks={t: {kind: linear}}"], None, "GS100"),
        (["variables.u={role: latent}", "generative.u={}", "recognition.u={}"], "u", "GS101"),
        (["objective.estimators={z: score_function}"], "z", "GS102"),
        (["variables.y.classes=2000", "objective.estimators={y: enumerate}"], "y", "GS103"),
        (["generative.x.parameters={logits: learned}"], "x", "GS104"),
        (["recognition.z.parents=[x]"], "z", "GS105"),
        (["variables.u={role: observed}"], "u", "GS106"),
    ],
)
def test_warnings_are_silenced_in_place(overrides, place, code):
    assert codes_in(M2, *overrides) == [code]
    if place is not None:
        assert codes_in(M2, *overrides, f"variables.{place}.allow=[{code}]") == []
        side = {"x": "generative"}.get(place, "recognition")
        if place != "u" or code == "GS101":
            assert codes_in(M2, *overrides, f"{side}.{place}.allow=[{code}]") == []


def test_a_sum_is_long_by_its_joint_values_and_a_budget_bounds_it():
    """2^10 ways to fill ten binary elements are more than 1000, 2^9 are not."""
    vector = "variables.y={{role: latent, domain: binary, size: {}}}"
    asked = "objective.estimators={y: enumerate}"
    assert "GS103" in codes_in(M2, vector.format(10), asked)
    assert "GS103" not in codes_in(M2, vector.format(9), asked)
    many = "variables.y.classes=2000"
    assert "GS103" in codes_in(M2, many, asked)
    assert "GS103" not in codes_in(M2, many, "objective.estimators={y: {kind: enumerate, budget: 3}}")


def test_an_auxiliary_latent_is_meant():
    text = M2.replace("variables:", "variables:\n  a: {role: latent}").replace(
        "  z: {}", "  z: {}\n  a: {parents: [x, y, z]}"
    )
    text = text.replace("{parents: [x]}", "{parents: [a, x]}\n  a: {parents: [x]}").replace(
        "{parents: [x, y]}", "{parents: [a, x, y]}"
    )
    assert codes_in(text) == []


@pytest.mark.parametrize("seed", range(40))
def test_graphs_agree_with_the_model_they_came_from(seed):
    graph, roles = random_model(seed)
    graphs = graphs_of(spec_of(graph, roles))
    assert set(graphs.graph("generative").edges) == set(graph.edges)
    deterministic = {name for name, role in roles.items() if role == "deterministic"}
    plain = collapse(graph, deterministic)
    for name, factor in graphs.generative.items():
        if name not in deterministic:
            assert graphs.stochastic_parents(factor) == set(plain.predecessors(name))
    order = [factor.variable for factor in graphs.order("generative")]
    assert all(order.index(a) < order.index(b) for a, b in graph.edges if a in order)
    assert nx.is_directed_acyclic_graph(graphs.graph("recognition"))
