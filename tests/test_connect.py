"""From a spec to graphs: what is filled in, what is inferred, and that one mistake stays one."""

from dataclasses import replace
from math import log

import pytest
from graph_specs import M2, codes_in, graphs_of

from graphspec.graphs.graph import Factor, Variable
from graphspec.language import DEFAULT_NETWORK, LearnedParameter, NetworkParameter
from graphspec.language.networks import Linear, Mlp

TRUNK = """
graphspec: 1
variables:
  x: {role: observed, domain: unit, shape: [1, 28, 28]}
  y: {role: supervised, domain: category, names: [cat, dog, owl]}
  b: {role: supervised, domain: binary}
  n: {role: latent, domain: count, min: 2, max: 5}
  s: {role: latent, domain: simplex, size: 3}
  h: {role: deterministic}
  m: {role: deterministic}
  w: {role: deterministic, domain: positive, size: 6}
generative:
  y: {}
  b: {parameters: {probs: learned}}
  n: {distribution: ordered_logistic}
  s: {}
  x:
    parents: [y, b, n, s]
    distribution: {kind: discretized_logistic}
    network: decoder
    parameters: {scale: {learned: channel}}
recognition:
  m: {parents: [x], network: maps}
  h: {parents: [m]}
  w: {parents: [h, m], network: {kind: cnn, channels: [4]}}
  y: {parents: [h], network: {kind: linear}}
  b: {}
  n: {parents: [w, y, b]}
  s: {parents: [w, y, b, n]}
networks:
  decoder: {kind: deconv, channels: [8, 4]}
  maps: {kind: cnn, channels: [8, 16], kernel: 4}
  default: {kind: mlp, hidden: [40, 30]}
"""


def test_variables():
    variables = graphs_of(TRUNK).variables
    assert {n: v.support for n, v in variables.items() if v.discrete} == {"y": 3, "b": 2, "n": 4}
    assert variables["n"].minimum == 2 and variables["y"].names == ("cat", "dog", "owl")
    assert {n: v.shape for n, v in variables.items()} == {
        "x": (1, 28, 28), "y": (), "b": (), "n": (), "s": (3,), "h": (30,), "m": (16, 7, 7), "w": (6,)
    }  # fmt: skip
    assert variables["h"].domain is None and variables["w"].domain == "positive"


def test_networks_are_resolved_by_name_or_default():
    graphs = graphs_of(TRUNK)
    assert graphs.recognition["h"].network == Mlp(kind="mlp", hidden=(40, 30))
    assert graphs.recognition["h"].network_name == "default"
    assert graphs.recognition["m"].network_name == "maps"
    assert graphs.recognition["y"].network == Linear(kind="linear") and graphs.recognition["y"].network_name == ""
    assert graphs_of(M2).recognition["y"].network == DEFAULT_NETWORK


def test_roots_take_standard_or_learned_values():
    graphs = graphs_of(TRUNK)
    y, b, n, s = (graphs.generative[name] for name in ("y", "b", "n", "s"))
    assert all(factor.network is None for factor in (y, b, n, s))
    assert y.standard and y.parameters == {"logits": 0.0} and y.family.name == "categorical"
    assert not b.standard and b.parameters == {"probs": LearnedParameter(learned="element")}
    assert n.standard and n.parameters["cutpoints"] == pytest.approx((log(1 / 3), 0, log(3)))
    assert s.standard and s.family.name == "dirichlet" and s.parameters == {"concentration": 1.0}
    assert graphs.recognition["b"].parameters == {"logits": LearnedParameter(learned="element")}
    assert not graphs.recognition["b"].standard


def test_a_root_with_some_parameters_takes_standard_values_for_the_rest():
    z = graphs_of(M2, "generative.z.parameters.scale=2").generative["z"]
    assert z.parameters == {"scale": 2.0, "loc": 0.0} and not z.standard
    laplace = graphs_of(M2, "generative.z.distribution=laplace").generative["z"]
    assert laplace.parameters == {"loc": 0.0, "scale": 1.0} and laplace.standard


@pytest.mark.parametrize(
    ("domain", "family"),
    [
        ("real", "normal"),
        ("positive", "lognormal"),
        ("unit", "continuous_bernoulli"),
        ("binary", "bernoulli"),
        ("count", "poisson"),
        ("count, max: 3", "categorical"),
        ("category, classes: 2", "categorical"),
        ("direction, size: 3", "von_mises_fisher"),
        ("simplex, size: 3", "dirichlet"),
    ],
)
def test_default_families(domain, family):
    text = f"""
graphspec: 1
variables: {{x: {{role: observed, domain: {domain}}}, z: {{role: latent}}}}
generative: {{z: {{}}, x: {{parents: [z]}}}}
recognition: {{z: {{parents: [x]}}}}
"""
    x = graphs_of(text).generative["x"]
    assert x.family.name == family and x.parameters == {} and x.network == DEFAULT_NETWORK


def test_options_get_their_defaults():
    assert graphs_of(TRUNK).generative["x"].options == {"levels": 256}
    levels = graphs_of(TRUNK, "generative.x.distribution.levels=16").generative["x"].options
    assert levels == {"levels": 16}


def test_no_network_where_every_parameter_is_given():
    graphs = graphs_of(M2, "generative.x={parents: [y, z], distribution: normal, parameters: {loc: learned, scale: 1}}")
    assert graphs.generative["x"].network is None
    assert [w.code for w in graphs.warnings] == ["GS104"]


def test_networks_of_parameters_are_resolved():
    text = M2.replace("domain: unit, shape: [1, 8, 8]", "domain: count, size: 5")
    own = "{mean: {parents: [z]}, dispersion: {parents: [y], network: d}}"
    factor = f"{{parents: [y, z], distribution: negative_binomial, parameters: {own}}}"
    graphs = graphs_of(text, f"generative.x={factor}", "networks={d: {kind: linear}}")
    parameters = graphs.generative["x"].parameters
    assert parameters["mean"] == NetworkParameter(parents=("z",), network=DEFAULT_NETWORK)
    assert parameters["dispersion"] == NetworkParameter(parents=("y",), network=Linear(kind="linear"))
    assert graphs.generative["x"].network is None and graphs.warnings == ()


PHYSICS = """
graphspec: 1
variables:
  x: {role: observed, domain: unit, shape: [1, 8, 6]}
  l: {role: observed, domain: direction, size: 3}
  s: {role: latent, size: 2}
  normals: {role: deterministic, domain: direction, shape: [3, 8, 6]}
  albedo: {role: deterministic, domain: unit, shape: [1, 8, 6]}
  shading: {role: deterministic}
  image: {role: deterministic}
generative:
  s: {}
  image: {parents: [albedo, shading], network: {kind: product}}
  shading: {parents: [l, normals], network: {kind: dot, minimum: 0}}
  normals: {parents: [s], network: {kind: deconv, channels: [4]}}
  albedo: {parents: [s], network: {kind: deconv, channels: [4]}}
  x: {parents: [image], distribution: normal, network: {kind: identity}, parameters: {scale: learned}}
recognition:
  s: {parents: [x, l]}
"""


def test_shapes_pass_through_functions_in_any_order():
    graphs = graphs_of(PHYSICS)
    assert graphs.variables["shading"].shape == graphs.variables["image"].shape == (1, 8, 6)
    assert [f.variable for f in graphs.order("generative")] == ["s", "normals", "shading", "albedo", "image", "x"]
    assert graphs.stochastic_parents(graphs.generative["x"]) == {"l", "s"}
    assert graphs.warnings == ()


def test_order_is_the_first_entry_whose_parents_are_done():
    text = """
graphspec: 1
variables:
  x: {role: observed}
  a: {role: latent}
  b: {role: latent}
  c: {role: latent}
  t: {role: deterministic}
generative: {a: {}, b: {}, t: {parents: [a, b]}, c: {parents: [t]}, x: {parents: [c, t]}}
recognition:
  c: {parents: [t, x]}
  b: {parents: [x, a]}
  a: {parents: [x]}
"""
    graphs = graphs_of(text)
    assert [(f.side, f.variable) for f in graphs.order("recognition")] == [
        ("recognition", "a"), ("recognition", "b"), ("generative", "t"), ("recognition", "c")
    ]  # fmt: skip
    assert set(graphs.graph("recognition").edges) == {
        ("x", "a"), ("x", "b"), ("a", "b"), ("a", "t"), ("b", "t"), ("t", "c"), ("x", "c")
    }  # fmt: skip


def test_borrowed_functions_run_once_before_their_first_reader():
    text = """
graphspec: 1
variables:
  x: {role: observed}
  a: {role: latent}
  b: {role: latent}
  d: {role: deterministic}
  t: {role: deterministic}
generative: {a: {}, d: {parents: [a]}, t: {parents: [d]}, b: {parents: [t]}, x: {parents: [b, t]}}
recognition: {a: {parents: [x]}, b: {parents: [x, t, d]}}
"""
    assert [f.variable for f in graphs_of(text).order("recognition")] == ["a", "d", "t", "b"]


ONE_MISTAKE = {
    "variables.y.classes=null": "GS044",
    "variables.y.domain=direction": "GS045",
    "networks={default: {kind: cnn, channels: [4]}}": "GS062",
    "generative.z.distribution=lognormal": "GS051",
    "generative.z={parents: [q]}": "GS030",
    "recognition.z.parents=[x, y, z]": "GS031",
    "variables.z=null": "GS030",
}


@pytest.mark.parametrize("override", ONE_MISTAKE)
def test_a_mistake_is_reported_once_as_what_it_is(override):
    codes = codes_in(M2, override)
    assert ONE_MISTAKE[override] in codes
    assert set(codes) <= {ONE_MISTAKE[override], "GS043"}, codes


def test_a_long_chain_is_ordered_in_linear_time():
    names = [f"t{i}" for i in range(3000)]
    functions = {
        name: Factor("generative", name, (before,), None) for before, name in zip(["z", *names], names, strict=False)
    }
    base = graphs_of(M2)
    variables = {**base.variables, **{n: Variable(n, "deterministic", None, (1,)) for n in names}}
    generative = {**base.generative, **dict(reversed(functions.items()))}
    last = replace(base.recognition["z"], parents=("x",))
    y = replace(base.recognition["y"], parents=("x", names[-1]))
    graphs = replace(base, variables=variables, generative=generative, recognition={"y": y, "z": last})
    assert [f.variable for f in graphs.order("generative")][-3000:] == names
    assert graphs.stochastic_parents(y) == {"x", "z"}
    assert [f.variable for f in graphs.order("recognition")] == ["z", *names, "y"]
