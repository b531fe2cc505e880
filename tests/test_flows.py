"""Flows: inverses, densities against the Jacobian, gradients, noise shared over axes, contexts, laziness."""

import math
import subprocess
import sys
from collections.abc import Iterable

import pytest
import torch
from axis_modules import ConditionalModule
from axis_tensors import AxisTensor
from distributions import Flow
from graph_specs import codes_in, graphs_of
from row_noise import RowNoise
from torch import Tensor
from zuko.flows.autoregressive import MaskedAutoregressiveTransform

from compiler.families import ENTRIES
from compiler.families.flow_maps import FlowMap, flow_pass, undone
from compiler.families.flows import flow_blueprint
from compiler.model.model import compile_spec
from compiler.networks.initialization import Initializer
from compiler.symbolic.lowering import lower
from compiler.symbolic.program import Pattern
from compiler.tensors.noise import Noise
from graphspec.describe.parameter_words import parameter_origins
from graphspec.language.families import FAMILIES
from graphspec.loading import load

DOUBLE = torch.float64
FLOWS = [name for name, family in FAMILIES.items() if family.flow]
EXACT = {
    name: 1e-9 if name in ("masked_autoregressive", "inverse_autoregressive", "neural_spline") else 1e-5
    for name in FLOWS
} | {"continuous": 3e-3}
"""How well a value meets its noise again: bisection leaves one Newton step's error, integration its tolerance."""


def flow_map(
    name: str, features: int = 3, context: int = 2, *, from_noise: bool = False, spread: float = 1.0, **options: object
) -> FlowMap:
    """A map with weights away from the identity (`spread` times the usual noise on top of the initial ones)."""
    defaults = {"transforms": 2, "hidden": [8, 8]} if name != "continuous" else {"hidden": [8, 8]}
    start = Initializer(0, f"recognition.z/{name}", DOUBLE)
    built = flow_blueprint(name, defaults | options, features, context, from_noise=from_noise).build(start)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.add_(0.1 * spread * torch.randn(parameter.shape, generator=generator, dtype=DOUBLE))
    return built


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=DOUBLE, generator=torch.Generator().manual_seed(seed))


def slopes(total: Tensor, leaves: Iterable[Tensor]) -> list[Tensor]:
    given = list(leaves)
    found = torch.autograd.grad(total, given, allow_unused=True, retain_graph=True)
    return [torch.zeros_like(leaf) if slope is None else slope for leaf, slope in zip(given, found, strict=True)]


def test_flows_need_a_module() -> None:
    assert len(FLOWS) == 7 and not any(FAMILIES[name].parameters for name in FLOWS)
    assert not ENTRIES.keys() & set(FLOWS)


@pytest.mark.parametrize("from_noise", [False, True])
@pytest.mark.parametrize("name", FLOWS)
def test_noise_and_value_meet_and_the_density_is_the_jacobians(name: str, from_noise: bool) -> None:
    flow = Flow((3,), flow_map(name, from_noise=from_noise), random(4, 2, seed=3))
    eps = random(4, 3)
    value = flow.reparameterize(eps)
    assert (value - eps).abs().max() > 0.05
    own = flow.log_prob(value)
    fresh = Flow((3,), flow.entry.transform, flow.tensors[0])
    torch.testing.assert_close(fresh.log_prob(value), own, rtol=0, atol=EXACT[name])
    _, back, _ = flow_pass(fresh.entry.transform, fresh.tensors[0], value, (3,), to_value=False)
    torch.testing.assert_close(back, eps, rtol=0, atol=EXACT[name])
    leaf = eps.clone().requires_grad_()
    columns = flow.reparameterize(leaf).unbind(-1)
    jacobian = torch.stack([slopes(column.sum(), [leaf])[0] for column in columns], dim=-2)
    standard = -0.5 * (eps**2).sum(-1) - 1.5 * math.log(2 * math.pi)
    torch.testing.assert_close(own, standard - torch.linalg.slogdet(jacobian).logabsdet, rtol=0, atol=EXACT[name])


@pytest.mark.parametrize("features", [1, 2])
@pytest.mark.parametrize("context", [0, 2])
@pytest.mark.parametrize("name", FLOWS)
def test_every_size_with_and_without_context(name: str, features: int, context: int) -> None:
    transform = flow_map(name, features, context, from_noise=name.startswith("unconstrained"))  # its slow way is slow
    flow = Flow((features,), transform, random(1 if context == 0 else 5, context, seed=2))
    drawn = flow.sample(Noise(0, 5), "z", (3,))
    assert drawn.shape == (3, 5, features) and flow.log_prob(drawn).shape == (3, 5)
    assert flow.mean.shape == flow.mode.shape == (*flow.lead, features)
    assert flow.lead == ((5,) if context else (1,))


@pytest.mark.parametrize("name", ["masked_autoregressive", "neural_spline", "sum_of_squares"])
def test_the_density_integrates_to_one(name: str) -> None:
    flow = Flow((), flow_map(name, 1, 0, spread=3.0), torch.zeros(1, 0, dtype=DOUBLE))
    grid = torch.linspace(-9, 9, 6001, dtype=DOUBLE)
    density = flow.log_prob(grid).exp()
    assert density.shape == (6001,) and torch.trapezoid(density, grid).item() == pytest.approx(1, abs=1e-4)
    drawn = flow.sample(Noise(0, 4000), "z")
    share = torch.trapezoid(density[grid <= 0.3], grid[grid <= 0.3]).item()
    assert (drawn <= 0.3).double().mean().item() == pytest.approx(share, abs=4 * 0.5 / math.sqrt(4000) + 1e-3)
    assert flow.mean.item() == pytest.approx(drawn.mean().item(), abs=0.2)


@pytest.mark.parametrize("from_noise", [False, True])
@pytest.mark.parametrize("name", FLOWS)
def test_gradients_of_draws_and_densities_are_finite_differences(name: str, from_noise: bool) -> None:
    """Of draws, of their densities and of the density at fixed values, along random changes of weights and context."""
    flow = flow_map(name, 2, 1, from_noise=from_noise, hidden=[5])
    context, eps, at = random(3, 1, seed=4).requires_grad_(), random(3, 2), random(3, 2, seed=9)
    leaves = [context, *flow.parameters()]
    step, tolerance = (1e-2, 3e-2) if name == "continuous" else (1e-7, 2e-4)  # away from kinks

    def results() -> list[Tensor]:
        drawing = Flow((2,), flow, context)
        value = drawing.reparameterize(eps)
        return [torch.sin(value).sum(), drawing.log_prob(value).sum(), Flow((2,), flow, context).log_prob(at).sum()]

    exact = [slopes(total, leaves) for total in results()]
    for seed in range(3):
        changes = [random(*leaf.shape, seed=100 * seed + place) for place, leaf in enumerate(leaves)]
        ends = []
        for share in (1, -2):
            with torch.no_grad():
                for leaf, change in zip(leaves, changes, strict=True):
                    leaf.add_(share * step * change)
            ends.append([total.item() for total in results()])
        with torch.no_grad():
            for leaf, change in zip(leaves, changes, strict=True):
                leaf.add_(step * change)
        for slope, high, low in zip(exact, *ends, strict=True):
            along = sum((s * c).sum().item() for s, c in zip(slope, changes, strict=True))
            assert along == pytest.approx((high - low) / (2 * step), rel=tolerance, abs=tolerance)


@pytest.mark.parametrize("name", ["inverse_autoregressive", "sum_of_squares", "unconstrained_neural_autoregressive"])
@pytest.mark.parametrize("from_noise", [False, True])
def test_a_draws_own_density_is_what_scoring_it_afresh_gives(name: str, from_noise: bool) -> None:
    """Value and gradient: the kept density has the total derivative, along the draw too."""
    flow, context = flow_map(name, from_noise=from_noise), random(4, 2, seed=3).requires_grad_()
    leaves = [context, *flow.parameters()]
    drawing = Flow((3,), flow, context)
    value, kept = drawing.entry.drawn(random(4, 3), drawing.tensors, drawing.extras)
    fresh = Flow((3,), flow, context).log_prob(value)
    torch.testing.assert_close(kept, fresh, rtol=0, atol=1e-9)
    for one, other in zip(slopes(kept.sum(), leaves), slopes(fresh.sum(), leaves), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_an_inverse_autoregressive_flow_never_runs_backwards_for_its_own_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plan of a pattern keeps the density that comes with a draw."""
    flow = "{kind: inverse_autoregressive, transforms: 1, hidden: [4]}"
    model = compile_spec(load("specs/digits.yaml", [f"recognition.z.distribution={flow}"]), dtype=DOUBLE)
    backwards: list[int] = []

    def counted(transform: object, given: Tensor) -> tuple[Tensor, Tensor]:
        backwards.append(len(given))
        return given, given.sum(-1)

    monkeypatch.setattr("compiler.families.flow_maps.solved_inverse", counted)
    rows = {"x": torch.rand(4, 1, 8, 8).double(), "y": torch.tensor([-1, 3, -1, 2])}
    model.bound(rows, noise=Noise(0, 4)).sum().backward()
    assert not backwards
    plan = model.compiled.plan(Pattern(("y",)))
    assert [line.op for line in plan.lines].count("flow_draw") == 1


@pytest.mark.parametrize("name", [name for name in FLOWS if name != "continuous"])
@pytest.mark.parametrize("gain", [1.0, 4.0])
def test_maps_are_undone_as_zuko_undoes_them_in_fewer_passes(
    name: str, gain: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Values in reach and far out of it, weights small and large; a row does not depend on the others."""
    flow, passes = flow_map(name, 6, spread=gain).eval(), [0]
    counted = MaskedAutoregressiveTransform.meta

    def meta(self: MaskedAutoregressiveTransform, *given: Tensor) -> object:
        passes[0] += 1
        return counted(self, *given)

    with torch.no_grad():
        transform, given = flow.inner(random(5, 2)), random(5, 6) * torch.tensor([[1.0], [3.0], [1.0], [1e3], [0.1]])
        expected = transform.inv(given)
        alone = undone(flow.inner(random(5, 2)[1:2]), given[1:2])
        monkeypatch.setattr(MaskedAutoregressiveTransform, "meta", meta)
        found = undone(flow.inner(random(5, 2)), given)
    torch.testing.assert_close(found[:3], expected[:3], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found[3:], expected[3:], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(alone, found[1:2], rtol=0, atol=1e-9)
    assert passes[0] <= 30 or gain > 1  # Newton's method does not always arrive there


@pytest.mark.parametrize("name", ["sum_of_squares", "neural_autoregressive"])
def test_where_newtons_method_does_not_arrive_passes_take_over(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compiler.families.flow_maps.NEWTON_STEPS", 1)
    flow = flow_map(name, 3).eval()
    with torch.no_grad():
        transform, given = flow.inner(random(4, 2)), random(4, 3)
        torch.testing.assert_close(undone(transform, given), transform.inv(given), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", FLOWS)
def test_detached_flows_give_gradient_to_the_value_only(name: str) -> None:
    flow, context = flow_map(name, from_noise=name == "inverse_autoregressive"), random(4, 2).requires_grad_()
    value = random(4, 3, seed=5).requires_grad_()
    density = Flow((3,), flow, context).detached().log_prob(value)
    attached = Flow((3,), flow, context).log_prob(value)
    torch.testing.assert_close(density, attached)
    assert all(not slope.any() for slope in slopes(density.sum(), [context, *flow.parameters()]))
    torch.testing.assert_close(slopes(density.sum(), [value]), slopes(attached.sum(), [value]), rtol=1e-4, atol=1e-5)
    assert all(parameter.requires_grad for parameter in flow.parameters())


@pytest.mark.parametrize("name", FLOWS)
def test_noise_is_shared_along_axes_and_belongs_to_rows(name: str) -> None:
    """Context varies over an enumerated axis; noise does not, and one row's draw does not depend on the others."""
    if name == "continuous":
        pytest.skip("its step size belongs to the batch")
    flow = Flow((3,), flow_map(name, from_noise=name.startswith("unconstrained")), random(2, 3, 2))
    noise = flow.standard_noise(RowNoise(7, [3, 1, 2]), "z", (5,))
    assert noise.shape == (5, 3, 3)
    drawn = flow.draw(noise.unsqueeze(1))
    assert drawn.shape == (5, 2, 3, 3)
    alone = Flow((3,), flow.entry.transform, flow.tensors[0][1, 1:2])
    torch.testing.assert_close(alone.draw(alone.standard_noise(RowNoise(7, [1]), "z", (5,))), drawn[:, 1, 1:2])
    placed = flow.on(("y",), ("a", "y"))
    assert placed.lead == (1, 2, 3) and placed.log_prob(drawn.unsqueeze(1)).shape == (5, 1, 2, 3)
    torch.testing.assert_close(placed.log_prob(drawn.unsqueeze(1))[:, 0], flow.log_prob(drawn))


def test_an_event_of_any_shape_is_one_vector() -> None:
    transform = flow_map("neural_spline", 6)
    flat, shaped = Flow((6,), transform, random(4, 2)), Flow((1, 2, 3), transform, random(4, 2))
    value = random(4, 6, seed=8)
    torch.testing.assert_close(shaped.log_prob(value.reshape(4, 1, 2, 3)), flat.log_prob(value))
    torch.testing.assert_close(shaped.reparameterize(value.reshape(4, 1, 2, 3)).flatten(1), flat.reparameterize(value))


@pytest.mark.parametrize("name", [name for name in FLOWS if name != "neural_autoregressive"])
def test_flows_start_close_to_the_standard_normal(name: str) -> None:
    options = {"hidden": [64, 64]} if name == "continuous" else {"hidden": [64, 64], "transforms": 1}
    flow = Flow(
        (4,),
        flow_blueprint(name, options, 4, 0, from_noise=False).build(Initializer(3, "p.z", DOUBLE)),
        torch.zeros(1, 0, dtype=DOUBLE),
    )
    value = random(200, 4)
    standard = torch.distributions.Normal(0, 1).log_prob(value).sum(-1)
    assert (flow.log_prob(value) - standard).abs().mean() < 0.2


def test_initial_weights_depend_on_seed_and_key_alone() -> None:
    def weights(seed: int = 0, key: str = "a", dtype: torch.dtype = DOUBLE) -> dict[str, Tensor]:
        torch.manual_seed(len(key) + seed)
        options = {"hidden": [8], "transforms": 2}
        made = flow_blueprint("neural_spline", options, 3, 2, from_noise=False)
        return made.build(Initializer(seed, key, dtype)).state_dict()

    before = torch.random.get_rng_state()
    one, again = weights(), weights()
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert all(not torch.equal(one[name], other) for name, other in weights(seed=1).items())
    assert all(not torch.equal(one[name], other) for name, other in weights(key="b").items())
    assert all(torch.equal(one[name].float(), other) for name, other in weights(dtype=torch.float32).items())
    assert all(tensor.is_floating_point() for tensor in one.values())  # no masks in checkpoints
    torch.random.set_rng_state(before)
    flow_blueprint("continuous", {"hidden": [8]}, 3, 2, from_noise=False).build(Initializer(0, "a", DOUBLE))
    assert torch.equal(torch.random.get_rng_state(), before)


SPEC = """
graphspec: 1
variables:
  x: {role: observed, domain: unit, shape: [1, 8, 8]}
  y: {role: supervised, domain: category, classes: 3}
  w: {role: supervised, domain: real, size: 2}
  z: {role: latent, domain: real, size: 3}
  h: {role: deterministic}
generative:
  y: {}
  w: {parents: [y], distribution: {kind: neural_spline, transforms: 2, hidden: [8]}}
  z: {distribution: {kind: masked_autoregressive, transforms: 2, hidden: [8]}}
  x: {parents: [y, w, z], distribution: bernoulli}
recognition:
  h: {parents: [x], network: {kind: mlp, hidden: [16]}}
  y: {parents: [h], network: {kind: linear}}
  w: {parents: [h, y], network: {kind: linear}, distribution: {kind: inverse_autoregressive, hidden: [8]}}
  z: {parents: [h, y, w], distribution: {kind: QZ, transforms: 2, hidden: [8]}, network: {kind: mlp, hidden: [12]}}
"""


def rows() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randn(6, 2, generator=generator)
    labels[3:] = torch.nan
    return {"x": torch.rand(6, 1, 8, 8, generator=generator), "y": torch.tensor([0, -1, 2, 1, -1, -1]), "w": labels}


@pytest.mark.parametrize("name", [name for name in FLOWS if name != "continuous"])
def test_a_model_with_flows_in_both_graphs(name: str) -> None:
    """Every pattern, enumeration upstream of flows, labels scored by a flow; all weights get a gradient."""
    graphs = graphs_of(SPEC.replace("QZ", name))
    model = compile_spec(graphs)
    bound = model.bound(rows(), noise=Noise(0, 6))
    bound.mean().backward()
    assert bound.isfinite().all()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), key
    program = lower(graphs, Pattern(()))
    assert program.choices["z"].estimator == "reparameterize" and not program.choices["z"].closed_kl
    generated = model.generate({}, 4, noise=Noise(1, 4))
    assert generated["w"].shape == (4, 2)
    means = model.posterior_means(rows(), noise=Noise(1, 6))
    assert means["z"].shape == (6, 3) and means["z"].isfinite().all()


def test_fast_ways() -> None:
    """Latents of recognition are drawn fast; what is scored at data is scored fast; the two named ways are kept."""
    graphs = graphs_of(SPEC.replace("QZ", "neural_spline"))
    model = compile_spec(graphs)
    ways = {f.key: model.conditional(f).flow for side in ("generative", "recognition") for f in graphs.order(side)
            if f.family is not None and f.family.flow}  # fmt: skip
    assert {key: flow.from_noise for key, flow in ways.items() if flow is not None} == {
        "generative.w": False, "generative.z": False, "recognition.w": True, "recognition.z": True,
    }  # fmt: skip
    masked = graphs_of(SPEC.replace("QZ", "masked_autoregressive"))
    kept = ConditionalModule(masked.recognition["z"], masked).flow
    assert kept is not None and not kept.from_noise


NETWORKS = {
    "{kind: linear}": (8, "head of linear, 8 numbers"),
    "{kind: mlp, hidden: [12, 7]}": (7, "last hidden layer of mlp [12, 7], 7 numbers"),
    "{kind: cnn, channels: [4, 5]}": (20, "last hidden layer of cnn [4, 5], 20 numbers"),
    "{kind: resnet, channels: [4], blocks: 1, hidden: [6]}": (6, "last hidden layer of resnet [4], 6 numbers"),
}


@pytest.mark.parametrize(("network", "expected"), NETWORKS.items())
def test_the_networks_last_hidden_layer_is_the_context(network: str, expected: tuple[int, str]) -> None:
    text = SPEC.replace("QZ", "neural_spline").replace("parents: [h, y, w], d", "parents: [x, y], d")
    graphs = graphs_of(text.replace("{kind: mlp, hidden: [12]}", network))
    factor = graphs.recognition["z"]
    module = ConditionalModule(factor, graphs)
    support = AxisTensor(("y",), torch.arange(3)[:, None])
    found = module.forward({"x": AxisTensor((), rows()["x"]), "y": support}, Noise(0, 6))
    assert found.axes == ("y",) and found.distribution.lead == (3, 6)
    assert found.distribution.parameters["context"].shape == (3, 6, expected[0])
    assert parameter_origins(graphs, factor) == {
        "context": expected[1],
        "map": "learned, 2 transforms of [8] from standard normal noise",
    }


def test_images_grow_their_context() -> None:
    text = SPEC.replace("QZ", "neural_spline").replace(
        "x: {parents: [y, w, z], distribution: bernoulli}",
        "x: {parents: [y, w, z], distribution: {kind: masked_autoregressive, hidden: [8]}, "
        "network: {kind: deconv, channels: [4], kernel: 4}}",
    )
    graphs = graphs_of(text.replace("domain: unit, shape: [1, 8, 8]", "domain: real, shape: [1, 4, 4]"))
    module = ConditionalModule(graphs.generative["x"], graphs)
    values = {name: AxisTensor((), value) for name, value in rows().items() if name != "x"}
    values["z"] = AxisTensor((), random(6, *graphs.variables["z"].shape).float())
    values["y"] = AxisTensor((), torch.zeros(6, dtype=torch.int64))
    values["w"] = AxisTensor((), random(6, *graphs.variables["w"].shape).float())
    assert module.forward(values, Noise(0, 6)).distribution.parameters["context"].shape == (6, 16)


def test_what_the_language_says_about_flows() -> None:
    text = SPEC.replace("QZ", "neural_spline")
    assert "GS066" in codes_in(text.replace("network: {kind: mlp, hidden: [12]}", "network: {kind: product}"))
    assert "GS052" in codes_in(SPEC.replace("kind: QZ, transforms: 2", "kind: continuous, transforms: 2"))
    assert "GS053" in codes_in(text.replace("z: {distribution:", "z: {parameters: {loc: 0}, distribution:"))
    assert "GS051" in codes_in(
        text.replace("w: {role: supervised, domain: real", "w: {role: supervised, domain: positive")
    )


def test_the_library_is_imported_only_where_a_spec_has_a_flow() -> None:
    program = """
import sys
from compiler import compile_spec
from graphspec.loading import load
text = '''graphspec: 1
variables: {x: {role: observed, domain: real, size: 2}, z: {role: latent, domain: real, size: 2}}
generative: {z: DISTRIBUTION, x: {parents: [z]}}
recognition: {z: {parents: [x]}}
'''
for distribution, wanted in (("{}", False), ("{distribution: neural_spline}", True)):
    compile_spec(load("t.yaml", text=text.replace("DISTRIBUTION", distribution)))
    assert ("zuko" in sys.modules) == wanted, distribution
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
