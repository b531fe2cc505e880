"""Factors as modules: where parameters come from, links, standard priors, deterministic variables, initial weights."""

import math
import sys
import types
from collections.abc import Mapping
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from axis_modules import ConditionalModule, DeterministicModule, Located
from axis_tensors import SAMPLES, AxisTensor
from distributions import closed_kl
from torch import Tensor, nn

from compiler.factors.parameters import BORDER_START, Learned, constrain
from compiler.tensors.call_layout import Layout
from compiler.tensors.noise import Noise
from graphspec.diagnostics import SpecError
from graphspec.graphs.connect import connect
from graphspec.graphs.declared_names import outline_of
from graphspec.graphs.graph import Graphs, Side
from graphspec.language import LearnedParameter
from graphspec.language.families import FAMILIES, SCALE_FLOOR
from graphspec.reading.validation import read_spec
from graphspec.text.report import Report
from graphspec.text.source import read_document

DOUBLE = torch.float64


def graphs_of(text: str) -> Graphs:
    """A spec without the checks of structure, so that a test needs only the factor it is about."""
    report = Report(read_document("graphspec: 1\n" + text, "test.yaml"))
    spec = read_spec(report.document, report)
    assert spec is not None, report.diagnostics
    graphs = connect(outline_of(spec, report), report)
    assert graphs is not None, report.diagnostics
    return graphs


def conditional(text: str, name: str = "x", side: Side = "generative", **options: Any) -> ConditionalModule:
    graphs = graphs_of(text)
    return ConditionalModule(graphs.factors(side)[name], graphs, **{"dtype": DOUBLE, **options})


def deterministic(text: str, name: str = "d", **options: Any) -> DeterministicModule:
    graphs = graphs_of(text)
    return DeterministicModule(graphs.function(name), graphs, **{"dtype": DOUBLE, **options})


def at(module: nn.Module, batch: int = 3, /, **values: AxisTensor | Tensor) -> Any:
    given = {n: v if isinstance(v, AxisTensor) else AxisTensor((), v) for n, v in values.items()}
    return module(given, Noise(0, batch))


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=DOUBLE, generator=torch.Generator().manual_seed(seed))


def factor_x(declared: str, factor: str, variables: str = "", functions: str = "") -> str:
    """A spec in which x has this declaration and this factor of p. Beside it: a latent z of four numbers, more hidden
    `variables` (one a line, roots of p), deterministic `functions` (`name | declaration | factor`, one a line)."""
    hidden = [line.partition(": ") for line in ["z: {role: latent, domain: real, size: 4}", *variables.splitlines()]]
    derived = [line.split(" | ") for line in functions.splitlines()]
    return "\n".join(
        [
            "variables:",
            f"  x: {{role: observed, {declared}}}",
            *(f"  {name}: {declaration}" for name, _, declaration in hidden),
            *(f"  {name}: {{role: deterministic, {declaration}}}" for name, declaration, _ in derived),
            "generative:",
            *(f"  {name}: {{}}" for name, _, _ in hidden),
            *(f"  {name}: {entry}" for name, _, entry in derived),
            f"  x: {factor}",
            "recognition:",
            *(f"  {name}: {{parents: [x]}}" for name, _, _ in hidden),
            "",
        ]
    )


W = "w: {role: latent, domain: real, size: 4}"
STANDARD = [
    ("domain: real, size: 3", "normal", {"loc": 0, "scale": 1}),
    ("domain: positive, size: 3", "lognormal", {"loc": 0, "scale": 1}),
    ("domain: unit, size: 3", "continuous_bernoulli", {"logits": 0}),
    ("domain: binary, size: 3", "bernoulli", {"logits": 0}),
    ("domain: category, classes: 4", "categorical", {"logits": 0}),
    ("domain: count, min: 2, max: 5", "categorical", {"logits": 0}),
    ("domain: simplex, size: 3", "dirichlet", {"concentration": 1}),
    ("domain: direction, size: 3", "von_mises_fisher", {"concentration": 0}),
]


@pytest.mark.parametrize(("declared", "family", "parameters"), STANDARD)
def test_a_root_of_p_is_the_standard_prior(declared: str, family: str, parameters: dict[str, float]) -> None:
    module = conditional(factor_x(declared, "{}"))
    found: Located = at(module)
    assert module.family.name == family and found.axes == () and not list(module.parameters())
    assert not module.state_dict()
    for name, value in parameters.items():
        assert (found.distribution.parameters[name] == value).all()
    assert found.distribution.lead == (1,)


@pytest.mark.parametrize("name", [n for n, f in FAMILIES.items() if not f.flow])
def test_heads_of_zeros_give_the_standard_prior(name: str) -> None:
    """The links are shifted so that a silent network means the standard values."""
    declared = {
        "real": "domain: real, size: 3", "positive": "domain: positive, size: 3", "unit": "domain: unit, size: 3",
        "binary": "domain: binary, size: 3", "category": "domain: category, classes: 4, size: 2",
        "count": "domain: count, size: 3", "simplex": "domain: simplex, size: 3",
        "direction": "domain: direction, shape: [3, 2]",
    }  # fmt: skip
    domain = next(d for d in declared if d in FAMILIES[name].domains)
    text = factor_x(declared[domain], f"{{parents: [z], distribution: {name}, network: {{kind: linear}}}}")
    module = conditional(text)
    root = conditional(factor_x(declared[domain], f"{{distribution: {name}}}"))
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
    found, standard = at(module, z=random(3, 4)).distribution, at(root).distribution
    for key, value in found.parameters.items():
        border = BORDER_START if key == "concentration" and name == "von_mises_fisher" else 0.0
        torch.testing.assert_close(value - border, standard.parameters[key].expand_as(value), rtol=1e-12, atol=1e-12)
    if name == "von_mises_fisher":
        assert 0 < closed_kl(found, standard).max() < 2 * 0.003
    if name in ("categorical", "ordered_logistic"):
        torch.testing.assert_close(found.probabilities, torch.full_like(found.probabilities, 0.25))


def test_scales_stay_above_the_floor() -> None:
    info = FAMILIES["normal"].parameters[1]
    raw = torch.tensor([-1e4, -50.0, 0.0, 50.0], requires_grad=True)
    scale = constrain(info, raw)
    assert scale[0] == SCALE_FLOOR and scale[2].item() == pytest.approx(1.0) and scale.isfinite().all()
    scale.log().sum().backward()
    assert raw.grad is not None and raw.grad.isfinite().all()


def test_cutpoints_always_rise() -> None:
    info = FAMILIES["ordered_logistic"].parameters[1]
    cutpoints = constrain(info, random(50, 4) * 30)
    assert (cutpoints.diff(dim=-1) >= SCALE_FLOOR * (1 - 1e-9)).all()
    torch.testing.assert_close(torch.sigmoid(constrain(info, torch.zeros(4))), torch.tensor([0.2, 0.4, 0.6, 0.8]))


def test_latents_start_close_to_the_standard_normal_and_depend_on_their_parents() -> None:
    text = factor_x("domain: unit, shape: [1, 28, 28]", "{parents: [z], distribution: bernoulli}")
    q, p = conditional(text, "z", "recognition"), conditional(text, "z")
    x = random(64, 1, 28, 28).sigmoid()
    near = at(q, 64, x=x).distribution
    divergence = closed_kl(near, at(p).distribution)
    assert 0 < divergence.max() < 4e-3
    weights = torch.cat([w.flatten() for n, w in q.named_parameters() if "heads" in n and "weight" in n])
    assert weights.std().item() == pytest.approx(0.05 / math.sqrt(3 * 256), rel=0.1)


def test_given_parameters() -> None:
    scale = conditional(factor_x("domain: real, shape: [2, 3]", "{parents: [z], parameters: {scale: [[0.1], [0.2]]}}"))
    found = at(scale, z=random(3, 4)).distribution
    assert found.parameters["scale"].shape == (1, 2, 3)
    torch.testing.assert_close(found.parameters["scale"][0, :, 2], torch.tensor([0.1, 0.2], dtype=DOUBLE))
    assert found.parameters["loc"].shape == (3, 2, 3) and "scale" not in str(list(scale.state_dict()))

    coin = conditional(factor_x("domain: binary, size: 4", "{parameters: {probs: [0, 0.25, 0.5, 1]}}"))
    probs = at(coin).distribution.mean
    torch.testing.assert_close(probs, torch.tensor([[0, 0.25, 0.5, 1]], dtype=DOUBLE), rtol=1e-15, atol=1e-15)
    assert at(coin).distribution.log_prob(torch.zeros(1, 4, dtype=DOUBLE)).isfinite().all()
    die = conditional(factor_x("domain: category, classes: 3", "{parameters: {probs: [0.2, 0, 0.8]}}"))
    torch.testing.assert_close(at(die).distribution.probabilities, torch.tensor([[0.2, 0, 0.8]], dtype=DOUBLE))
    rest = conditional(factor_x("domain: real, size: 2", "{parameters: {loc: 3}}"))
    assert at(rest).distribution.log_prob(torch.full((1, 2), 3.0)).item() == pytest.approx(-math.log(2 * math.pi))


@pytest.mark.parametrize(
    ("extent", "stored"), [("element", (2, 3, 4)), ("channel", (2, 1, 1)), ("variable", (1, 1, 1))]
)
def test_learned_parameters_share_what_the_spec_says(extent: str, stored: tuple[int, ...]) -> None:
    text = f"{{parents: [z], parameters: {{scale: {{learned: {extent}, initial: 0.5, minimum: 0.1, maximum: 2}}}}}}"
    module = conditional(factor_x("domain: real, shape: [2, 3, 4]", text))
    (free,) = [p for n, p in module.named_parameters() if n.endswith("raw")]
    assert free.shape == stored
    scale = at(module, z=random(5, 4)).distribution.parameters["scale"]
    torch.testing.assert_close(scale, torch.full((1, 2, 3, 4), 0.5, dtype=DOUBLE))
    for value, bound in ((-1e3, 0.1), (1e3, 2.0)):
        with torch.no_grad():
            free.fill_(value)
        assert at(module, z=random(5, 4)).distribution.parameters["scale"].max().item() == pytest.approx(bound)


@pytest.mark.parametrize(
    ("family", "name", "spec", "start"),
    [
        ("normal", "scale", {}, 1.0),
        ("normal", "scale", {"minimum": 0.02}, 1.0),
        ("normal", "scale", {"minimum": 3.0}, 3.0 + SCALE_FLOOR),
        ("normal", "scale", {"maximum": 0.5}, 0.5),
        ("normal", "scale", {"initial": 40.0}, 40.0),
        ("normal", "scale", {"initial": 0.5, "minimum": 0.5}, 0.5),
        ("normal", "loc", {}, 0.0),
        ("normal", "loc", {"initial": 2.5}, 2.5),
        ("normal", "loc", {"maximum": -1.0}, -1.0),
        ("normal", "loc", {"minimum": -1.0, "maximum": 4.0}, 0.0),
        ("discretized_logistic", "loc", {}, 0.5),
        ("discretized_logistic", "scale", {}, 0.2),
        ("discretized_logistic", "scale", {"initial": 0.1}, 0.1),
        ("student_t", "df", {}, 4.0),
    ],
)
def test_learned_parameters_start_where_they_should(
    family: str, name: str, spec: dict[str, float], start: float
) -> None:
    info = FAMILIES[family].parameter(name)
    assert info is not None
    learned = Learned(LearnedParameter(learned="element", **spec), info, name, (2,), DOUBLE)
    torch.testing.assert_close(
        learned(), torch.full((1, 2), start, dtype=DOUBLE), atol=0.03 * abs(start) + 2e-4, rtol=0
    )
    assert learned.raw.isfinite().all()
    with torch.no_grad():
        for value in (-1e4, 1e4):
            learned.raw.fill_(value)
            assert (learned() >= spec.get("minimum", -math.inf)).all() and (
                learned() <= spec.get("maximum", math.inf)
            ).all()


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("learned", 0.5),
        ("{learned: variable, initial: 0.2}", 0.2),
        ("{learned: element, initial: 0.2, maximum: 0.3}", 0.2),
    ],
)
def test_learned_probabilities(spec: str, expected: float) -> None:
    module = conditional(factor_x("domain: binary, size: 2", f"{{parameters: {{probs: {spec}}}}}"))
    torch.testing.assert_close(at(module).distribution.mean, torch.full((1, 2), expected, dtype=DOUBLE))
    (free,) = module.parameters()
    assert free.shape == ((1,) if "variable" in spec else (2,))
    assert torch.autograd.grad(at(module).distribution.log_prob(torch.ones(1, 2)).sum(), free)[0].abs().min() > 0
    classes = conditional(factor_x("domain: category, classes: 4, size: 2", f"{{parameters: {{probs: {spec}}}}}"))
    probabilities = at(classes).distribution.probabilities
    torch.testing.assert_close(probabilities, torch.full((1, 2, 4), 0.25, dtype=DOUBLE))


def test_a_root_of_q_is_learned() -> None:
    text = """
variables: {x: {role: observed, domain: real, size: 2}, z: {role: latent, domain: real, size: 3}}
generative: {z: {}, x: {parents: [z]}}
recognition: {z: {}}
"""
    module = conditional(text, "z", "recognition")
    assert {tuple(p.shape) for p in module.parameters()} == {(3,)} and len(list(module.parameters())) == 2
    assert closed_kl(at(module).distribution, at(conditional(text, "z")).distribution).item() == pytest.approx(
        0, abs=1e-12
    )


def test_weightless_networks_give_the_parameter_itself() -> None:
    mask_of = "mask: {role: latent, domain: unit, size: 3}"
    text = factor_x("domain: binary, size: 3", "{parents: [mask], network: {kind: identity}}", mask_of)
    module = conditional(text)
    mask = torch.tensor([[0.0, 0.3, 1.0]], dtype=DOUBLE, requires_grad=True)
    distribution = at(module, 1, mask=mask).distribution
    torch.testing.assert_close(distribution.mean, mask.detach(), rtol=0, atol=1.1e-6)
    density = distribution.log_prob(torch.tensor([[1.0, 1.0, 0.0]], dtype=DOUBLE))
    assert density.item() == pytest.approx(2 * math.log(1e-6) + math.log(0.3), rel=1e-6)
    (slope,) = torch.autograd.grad(density.sum(), mask)
    assert slope.isfinite().all() and slope[0, 1].item() == pytest.approx(1 / 0.3)


SCVI = """
variables:
  x: {role: observed, domain: count, size: 5}
  batch: {role: observed, domain: category, classes: 3}
  library: {role: observed, domain: positive, size: 1}
  z: {role: latent, domain: real, size: 4}
  e: {role: deterministic, domain: simplex, size: 5}
generative:
  z: {}
  e: {parents: [z, batch]}
  x:
    parents: [e, library, batch]
    distribution: negative_binomial
    parameters:
      mean: {parents: [e, library], network: {kind: product}}
      dispersion: {parents: [batch], network: {kind: linear}}
recognition:
  z: {parents: [x, batch]}
"""


def test_a_parameter_with_its_own_network() -> None:
    module, expression = conditional(SCVI), deterministic(SCVI, "e")
    batch, library = torch.tensor([0, 2, 2]), torch.tensor([[100.0], [7.0], [3000.0]], dtype=DOUBLE)
    e = at(expression, z=AxisTensor((SAMPLES,), random(2, 3, 4)), batch=batch)
    torch.testing.assert_close(e.data.sum(-1), torch.ones(2, 3, dtype=DOUBLE))
    found = at(module, e=e, library=library, batch=batch)
    assert found.axes == (SAMPLES,)
    torch.testing.assert_close(found.distribution.parameters["mean"], e.data * library)  # no log1p, no link
    dispersion = found.distribution.parameters["dispersion"]
    assert dispersion.shape == (1, 3, 5) and torch.equal(dispersion[0, 1], dispersion[0, 2])
    zero = AxisTensor((), torch.zeros(3, 5, dtype=DOUBLE))
    assert at(module, e=zero, library=library, batch=batch).distribution.log_prob(torch.ones(3, 5)).isfinite().all()


DETERMINISTIC = [
    ("domain: real, size: 3", lambda v: v),
    ("domain: positive, size: 3", F.softplus),
    ("domain: unit, shape: [2, 3]", torch.sigmoid),
    ("domain: simplex, shape: [3, 2]", lambda v: torch.softmax(v, dim=2)),
    ("domain: direction, shape: [3, 2]", lambda v: F.normalize(v, dim=2)),
]


@pytest.mark.parametrize(("declared", "link"), DETERMINISTIC)
def test_deterministic_variables_with_a_size_pass_their_domains_link(declared: str, link: Any) -> None:
    function = f"d | {declared} | {{parents: [z], network: {{kind: linear}}}}"
    text = factor_x("domain: real, size: 2", "{parents: [d]}", functions=function)
    module = deterministic(text)
    z = AxisTensor((SAMPLES,), random(2, 3, 4))
    value = at(module, z=z)
    raw = module.network({"z": z.data}, Layout(2, Noise(0, 3), True))["value"]
    torch.testing.assert_close(value.data, link(raw))
    assert value.event_shape == module.variable.shape
    child = ConditionalModule(graphs_of(text).generative["x"], graphs_of(text), dtype=DOUBLE)
    assert at(child, d=value).distribution.lead == (2, 3)


def test_features_and_weightless_functions_have_no_link() -> None:
    functions = "d |  | {parents: [z], network: {kind: mlp, hidden: [6], activation: tanh}}\n"
    functions += "s | shape: [4] | {parents: [z, w], network: {kind: product}}"
    text = factor_x("domain: real, size: 2", "{parents: [d, s]}", W, functions)
    z, w = random(3, 4), random(3, 4, seed=1)
    feature = at(deterministic(text), z=z)
    assert feature.data.shape == (3, 6) and feature.data.abs().max() < 1
    torch.testing.assert_close(at(deterministic(text, "s"), z=z, w=w).data, z * w)


def test_stop_gradient_reaches_only_the_parents_named() -> None:
    module = conditional(factor_x("domain: real, size: 2", "{parents: [z, w], stop_gradient: [z]}", W))
    z, w = random(3, 4).requires_grad_(), random(3, 4, seed=1).requires_grad_()
    at(module, z=z, w=w).distribution.mean.sum().backward()
    assert z.grad is None and w.grad is not None and w.grad.abs().sum() > 0


def test_enumerated_parents_put_their_axis_on_the_parameters_that_vary() -> None:
    factor = "{parents: [y, z], parameters: {scale: {parents: [z]}}}"
    module = conditional(
        factor_x("domain: real, size: 2", factor, "y: {role: supervised, domain: category, classes: 3}")
    )
    z, support = random(5, 4), AxisTensor(("y",), torch.arange(3)[:, None])
    found = at(module, 5, y=support, z=z)
    assert found.axes == ("y",) and found.distribution.lead == (3, 5)
    assert found.distribution.parameters["scale"].shape == (1, 5, 2)
    assert found.on((SAMPLES, "y")).lead == (1, 3, 5)
    for k in range(3):
        alone = at(module, 5, y=torch.full((5,), k), z=z).distribution
        torch.testing.assert_close(found.distribution.parameters["loc"][k], alone.parameters["loc"])


def test_one_factors_weights_do_not_depend_on_the_others() -> None:
    small = factor_x("domain: real, size: 2", "{parents: [z]}")
    large = factor_x("domain: real, size: 2", "{parents: [z]}", W)
    one, other = conditional(small).state_dict(), conditional(large).state_dict()
    assert list(one) == list(other) and all(torch.equal(one[name], other[name]) for name in one)
    reseeded, single = conditional(small, seed=1).state_dict(), conditional(small, dtype=torch.float32).state_dict()
    assert all(not torch.equal(one[name], reseeded[name]) for name in one)
    assert all(torch.equal(one[name].float(), single[name]) for name in one)


def test_parameters_are_at_least_single_precision_under_autocast() -> None:
    module = conditional(factor_x("domain: binary, size: 3", "{parents: [z]}"), dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = at(module, z=random(3, 4).float()).distribution
    assert found.like.dtype == torch.float32


class Doubler(nn.Module):
    """A stand-in for a user's class."""

    def __init__(self, inputs: Mapping[str, tuple[int, ...]], outputs: Mapping[str, tuple[int, ...]]) -> None:
        super().__init__()
        self.outputs = outputs

    def forward(self, z: Tensor) -> dict[str, Tensor]:
        return {"loc": 2 * z[..., : self.outputs["loc"][0]]}


PYTHON = factor_x("domain: real, size: 2", "{parents: [z], network: own, parameters: {scale: 1}}")
PYTHON += "networks: {own: {kind: python, target: mylab_own:Doubler}}\n"


def test_a_users_module_needs_permission(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SpecError) as refused:
        conditional(PYTHON)
    (finding,) = refused.value.diagnostics
    assert finding.code == "GS069" and "--allow-python" in finding.hint and "mylab_own:Doubler" in finding.message
    assert finding.span is not None and finding.source is not None
    assert "mylab_own:Doubler" in finding.source.line(finding.span.line)
    with pytest.raises(SpecError, match=r"test.yaml:\d+:\d+: error\[GS069\]: mylab_own cannot be imported"):
        conditional(PYTHON, allow_python=True)
    monkeypatch.setitem(sys.modules, "mylab_own", types.SimpleNamespace(Doubler=Doubler))
    z = random(3, 4)
    torch.testing.assert_close(at(conditional(PYTHON, allow_python=True), z=z).distribution.mean, 2 * z[:, :2])
