"""Networks: sums of per-parent layers, enumeration axes, shared dropout, counting rows, shapes, weightless kinds."""

import sys
import types
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from axis_tensors import SAMPLES, AxisTensor, union
from pydantic import TypeAdapter
from row_noise import RowNoise
from torch import Tensor, nn

from compiler.networks import VALUE, Network, ParentInput, Setup, UserModuleError
from compiler.networks.blueprint import blueprint
from compiler.networks.initialization import Initializer
from compiler.networks.layers import BatchNorm
from compiler.tensors.call_layout import Layout
from compiler.tensors.noise import Noise
from graphspec.diagnostics import InternalError
from graphspec.language import NetworkSpec
from graphspec.language.shapes import conv_plan, deconv_plan

DOUBLE = torch.float64
F32 = torch.float32
SPECS: TypeAdapter[Any] = TypeAdapter(NetworkSpec)
Y = ParentInput("y", "table", (), 3)
Z = ParentInput("z", "identity", (4,))
N = ParentInput("n", "log1p", (2,), 6, 1)
IMAGE = ParentInput("x", "identity", (1, 9, 6))


def network(spec: Mapping[str, Any], *parents: ParentInput, seed: int = 0, **options: Any) -> Network:
    outputs = options.pop("outputs", {"loc": (5,), "scale": (5,)})
    key, dtype = options.pop("key", "generative.x"), options.pop("dtype", DOUBLE)
    setup = Setup({p.name: p for p in parents}, outputs, Initializer(seed, key, dtype), **options)
    return blueprint(SPECS.validate_python(spec), setup).build(setup)


def run(net: nn.Module, noise: Noise | int = 4, **values: AxisTensor | Tensor) -> dict[str, AxisTensor]:
    """The network's outputs on the union of the axes of its parents' values."""
    given = {n: v if isinstance(v, AxisTensor) else AxisTensor((), v) for n, v in values.items()}
    axes = union(given.values())
    layout = Layout(
        len(axes) + 1, Noise(0, noise) if isinstance(noise, int) else noise, (0,) if SAMPLES in axes else ()
    )
    found: dict[str, Tensor] = net({n: v.on(axes) for n, v in given.items()}, layout)
    return {name: AxisTensor(axes, data) for name, data in found.items()}


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=DOUBLE, generator=torch.Generator().manual_seed(seed))


MLP = {"kind": "mlp", "hidden": [7, 6]}
CNN = {"kind": "cnn", "channels": [3, 4], "kernel": 4, "stride": 2, "hidden": [6]}
DECONV = {"kind": "deconv", "channels": [6, 4], "kernel": 4, "stride": 2}
DOWN = {"kind": "resnet", "channels": [3, 4], "blocks": 1, "hidden": [6]}
UP = {"kind": "resnet", "channels": [6, 4], "blocks": 1, "direction": "up"}
GROWN = {"logits": (1, 9, 6)}
WITH_WEIGHTS: list[tuple[dict[str, Any], tuple[ParentInput, ...], dict[str, tuple[int, ...]]]] = [
    ({"kind": "linear"}, (Y, Z, N), {"loc": (5,)}),
    (MLP, (Y, Z, N), {"loc": (5,), "scale": ()}),
    (CNN, (IMAGE, Y, Z), {"loc": (5,)}),
    (DECONV, (Y, Z), GROWN),
    (DOWN, (IMAGE, Y, Z), {"loc": (5,)}),
    (UP, (Y, Z), GROWN),
]


def values_of(parents: tuple[ParentInput, ...], batch: int = 4) -> dict[str, Tensor]:
    drawn = {p.name: random(batch, *p.shape, seed=i) for i, p in enumerate(parents)}
    drawn |= {p.name: torch.arange(batch) % p.classes for p in parents if p.encoding == "table"}
    return drawn | ({"n": torch.arange(batch * 2, dtype=DOUBLE).reshape(batch, 2) % 6 + 1} if N in parents else {})


def test_the_first_layer_is_a_linear_layer_on_the_concatenation() -> None:
    net = network({"kind": "linear"}, Y, Z, N, outputs={"loc": (5,)})
    values = values_of((Y, Z, N))
    encoded = {"y": F.one_hot(values["y"], 3).to(DOUBLE), "z": values["z"], "n": values["n"].log1p()}
    first = net.heads["to_loc"]
    joined = torch.cat([encoded[name] for name in ("n", "y", "z")], dim=-1)
    weight = torch.cat([first.maps[f"from_{name}"].weight for name in ("n", "y", "z")], dim=-1)
    torch.testing.assert_close(
        run(net, **values)["loc"].data, F.linear(joined, weight, first.bias), rtol=1e-13, atol=1e-13
    )
    bound = 1 / (2 + 3 + 4) ** 0.5
    assert weight.abs().max() <= bound and weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.25)


def test_relaxed_values_agree_with_indices_at_the_vertices() -> None:
    shaped = ParentInput("c", "table", (2, 2), 3)
    net = network({"kind": "linear"}, shaped, N, outputs={"loc": (5,)})
    index = torch.tensor([[[0, 1], [2, 1]], [[2, 2], [0, 0]]])
    counts = torch.tensor([[1, 6], [3, 2]])
    hard = run(net, 2, c=index, n=counts.to(DOUBLE))["loc"].data
    soft = run(net, 2, c=F.one_hot(index, 3).to(DOUBLE), n=F.one_hot(counts - 1, 6).to(DOUBLE))["loc"].data
    torch.testing.assert_close(hard, soft)
    assert torch.equal(hard, run(net, 2, c=index.to(DOUBLE), n=counts)["loc"].data)


@pytest.mark.parametrize(("spec", "parents", "outputs"), WITH_WEIGHTS)
def test_enumeration_equals_a_loop_over_values(
    spec: dict[str, Any], parents: tuple[ParentInput, ...], outputs: dict[str, tuple[int, ...]]
) -> None:
    net = network(spec, *parents, outputs=outputs)
    values = values_of(parents)
    support = AxisTensor(("y",), torch.arange(3)[:, None])
    samples = AxisTensor((SAMPLES,), torch.stack([values["z"], values["z"] + 1]))
    both = run(net, **{**values, "y": support, "z": samples})
    for name, output in both.items():
        assert output.axes == (SAMPLES, "y") and output.data.shape == (2, 3, 4, *outputs[name])
        for s, k in ((0, 2), (1, 0), (1, 1)):
            alone = run(net, **{**values, "y": torch.full((4,), k), "z": samples.data[s]})[name]
            torch.testing.assert_close(output.data[s, k], alone.data, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("spec", "parents", "outputs"), WITH_WEIGHTS)
def test_the_order_of_parents_never_matters(
    spec: dict[str, Any], parents: tuple[ParentInput, ...], outputs: dict[str, tuple[int, ...]]
) -> None:
    values = values_of(parents)
    one, other = (network(spec, *p, outputs=outputs) for p in (parents, parents[::-1]))
    assert list(one.state_dict()) == list(other.state_dict())
    for name in outputs:
        assert torch.equal(run(one, **values)[name].data, run(other, **values)[name].data)


def test_initial_weights_depend_on_seed_and_key_only() -> None:
    single, double = (network(MLP, Y, Z, dtype=dtype) for dtype in (torch.float32, DOUBLE))
    again, other = network(MLP, Y, Z), network(MLP, Y, Z, seed=1)
    elsewhere = network(MLP, Y, Z, key="q")
    torch.manual_seed(99)
    for name, value in double.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
        assert (
            torch.equal(value.float(), single.state_dict()[name]) and single.state_dict()[name].dtype == torch.float32
        )
        assert not torch.equal(value, other.state_dict()[name])
        assert not torch.equal(value, elsewhere.state_dict()[name])
    assert len({tuple(v.flatten()[:3].tolist()) for v in double.state_dict().values()}) == len(double.state_dict())


def test_head_gain_scales_heads_only() -> None:
    usual, quiet = network(MLP, Y, Z), network(MLP, Y, Z, head_gain=0.1)
    for name, value in usual.state_dict().items():
        expected = value * 0.1 if name.startswith("heads") else value
        torch.testing.assert_close(quiet.state_dict()[name], expected)


@pytest.mark.parametrize("lead", [(), (SAMPLES,)])
def test_dropout_is_shared_by_the_values_of_an_enumerated_variable(lead: tuple[str, ...]) -> None:
    net = network({**MLP, "hidden": [200], "dropout": 0.5, "activation": "identity"}, Y, Z, outputs={})
    z = AxisTensor(lead, torch.zeros(*((2,) if lead else ()), 3, 4, dtype=DOUBLE))
    support = AxisTensor(("y",), torch.arange(3)[:, None])
    hidden = run(net, 3, y=support, z=z)[VALUE]
    assert hidden.axes == (*lead, "y")
    dropped = hidden.data == 0
    assert 0.4 < dropped.double().mean() < 0.6
    at = len(lead)
    assert torch.equal(dropped, dropped.narrow(at, 0, 1).expand_as(dropped))
    rows = dropped.select(at, 0).reshape(-1, 200)
    assert all(not torch.equal(rows[i], rows[j]) for i in range(len(rows)) for j in range(i))
    net.eval()
    assert (run(net, 3, y=support, z=z)[VALUE].data != 0).all()


def test_dropout_belongs_to_the_row_and_keeps_the_mean() -> None:
    net = network({**MLP, "hidden": [2000], "dropout": 0.25, "activation": "identity"}, Z, outputs={})
    z = random(3, 4)
    together = run(net, RowNoise(1, [5, 6, 7]), z=z)[VALUE].data
    alone = run(net, RowNoise(1, [6]), z=z[1:2])[VALUE].data
    torch.testing.assert_close(together[1:2], alone)
    kept = together != 0
    net.eval()
    torch.testing.assert_close(together[kept] * 0.75, run(net, 3, z=z)[VALUE].data[kept])


def test_rows_without_a_batch_get_masks_of_their_own() -> None:
    net = network({**MLP, "hidden": [50], "dropout": 0.5}, Y, outputs={})
    hidden = run(net, 4, y=AxisTensor(("y",), torch.arange(3)[:, None]))[VALUE]
    assert hidden.data.shape == (3, 4, 50)


def test_batch_norm_counts_a_row_once() -> None:
    """A row that stands K times has the statistics of a row that stands once, also in the running averages."""
    rows = random(6, 5)
    plain, repeated = (network_norm() for _ in range(2))
    usual = nn.BatchNorm1d(5, dtype=DOUBLE)
    expected = usual(rows)
    torch.testing.assert_close(plain(rows, 1), expected)
    torch.testing.assert_close(repeated(rows.repeat(4, 1), 4), expected.repeat(4, 1))
    for norm in (plain, repeated):
        torch.testing.assert_close(norm.running_mean, usual.running_mean)
        torch.testing.assert_close(norm.running_var, usual.running_var)
        torch.testing.assert_close(norm.eval()(rows, 1), usual.eval()(rows))
        usual.train()


def network_norm() -> BatchNorm:
    net = network({**MLP, "hidden": [5], "normalization": "batch"}, Z, outputs={})
    found = next(module for module in net.modules() if isinstance(module, BatchNorm))
    return found


def test_batch_norm_over_maps_and_a_single_row() -> None:
    norm, usual = network_norm(), nn.BatchNorm2d(5, dtype=DOUBLE)
    maps = random(3, 5, 4, 2)
    torch.testing.assert_close(norm(maps, 1), usual(maps))
    torch.testing.assert_close(norm.running_var, usual.running_var)
    before = norm.running_mean.clone()
    single = random(1, 5)
    torch.testing.assert_close(norm(single, 1), usual.eval()(single[..., None, None])[..., 0, 0])
    torch.testing.assert_close(norm(single.repeat(3, 1), 3), norm(single, 1).repeat(3, 1))
    assert torch.equal(norm.running_mean, before)
    assert torch.autograd.gradcheck(lambda x: network_norm()(x, 1), random(4, 5).requires_grad_())


@pytest.mark.parametrize("repeats", [1, 3])
def test_a_group_of_one_row_can_be_differentiated_after_the_next_group(repeats: int) -> None:
    """It reads the running averages, which the next group changes before the backward pass."""
    norm, row = network_norm(), random(1, 5).requires_grad_()
    alone = norm(row.repeat(repeats, 1), repeats)
    (norm(random(4, 5), 1).sum() + alone.sum()).backward()
    expected = repeats * norm.weight / torch.sqrt(torch.ones(5, dtype=DOUBLE) + 1e-5)
    torch.testing.assert_close(row.grad, expected.unsqueeze(0))


def test_batch_norm_of_an_enumerated_layer_is_the_mean_over_values() -> None:
    net = network({**MLP, "hidden": [5], "normalization": "batch", "activation": "identity"}, Y, Z, outputs={})
    hidden = run(net, y=AxisTensor(("y",), torch.arange(3)[:, None]), z=random(4, 4))[VALUE].data
    torch.testing.assert_close(hidden.mean((0, 1)), torch.zeros(5, dtype=DOUBLE), atol=1e-12, rtol=0)
    torch.testing.assert_close(hidden.var((0, 1), correction=0), torch.ones(5, dtype=DOUBLE), atol=1e-2, rtol=0)


@pytest.mark.parametrize("spec", [MLP, CNN, {**CNN, "hidden": []}, DOWN])
@pytest.mark.parametrize("normalization", ["batch", "layer"])
def test_layer_norm_ignores_the_batch_and_batch_norm_does_not(spec: dict[str, Any], normalization: str) -> None:
    net = network({**spec, "normalization": normalization}, IMAGE, outputs={"loc": (2,)})
    x = random(5, 1, 9, 6)
    together, alone = run(net, 5, x=x)["loc"].data[:2], run(net, 2, x=x[:2])["loc"].data
    assert torch.allclose(together, alone) == (normalization == "layer")


@pytest.mark.parametrize(
    "activation", ["relu", "softplus", "tanh", "sigmoid", "gelu", "silu", "elu", "leaky_relu", "identity"]
)
def test_activations(activation: str) -> None:
    net = network({"kind": "mlp", "hidden": [5], "activation": activation}, Z, outputs={})
    identity = network({"kind": "mlp", "hidden": [5], "activation": "identity"}, Z, outputs={})
    z = random(3, 4)
    function = getattr(F, activation, None) or (lambda value: value)
    torch.testing.assert_close(run(net, 3, z=z)[VALUE].data, function(run(identity, 3, z=z)[VALUE].data))


@pytest.mark.parametrize("side", [(1, 1), (2, 3), (5, 5), (7, 4), (28, 28), (48, 42), (33, 17)])
@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (2, 1), (3, 1), (4, 2), (3, 2), (5, 2), (5, 3), (2, 3), (1, 2)])
def test_shapes_are_those_of_the_plan(side: tuple[int, int], kernel: int, stride: int) -> None:
    shape, channels = (2, *side), (3, 4)
    spec = {"kind": "cnn", "channels": channels, "kernel": kernel, "stride": stride}
    net = network(spec, ParentInput("x", "identity", shape), outputs={})
    found = run(net, 2, x=random(2, *shape))[VALUE].event_shape
    assert found == conv_plan(shape, channels, kernel, stride)[-1]
    assert found == SPECS.validate_python(spec).feature_shape({"x": shape})
    up = {"kind": "deconv", "channels": channels, "kernel": kernel, "stride": stride}
    net = network(up, Z, outputs={"loc": shape, "logits": (*shape, 5)})
    grown = run(net, 2, z=random(2, 4))
    assert grown["loc"].event_shape == shape and grown["logits"].event_shape == (*shape, 5)
    plan = deconv_plan(shape, channels, stride)
    assert net.seed.shape == plan.seed
    assert net.heads["to_loc"].sides == plan.layers[-1][1:]


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 32, 32), (1, 9, 6), (2, 5, 17)])
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_resnet_shapes(shape: tuple[int, int, int], kernel: int) -> None:
    down = {"kind": "resnet", "channels": [3, 4], "blocks": 2, "kernel": kernel}
    found = run(network(down, ParentInput("x", "identity", shape), outputs={}), 2, x=random(2, *shape))[
        VALUE
    ].event_shape
    assert found == SPECS.validate_python(down).feature_shape({"x": shape})
    up = {**down, "direction": "up", "hidden": [5]}
    assert run(network(up, Z, outputs={"loc": shape}), 2, z=random(2, 4))["loc"].event_shape == shape


def test_convolutions_agree_with_torch_where_padding_is_even() -> None:
    net = network(
        {"kind": "cnn", "channels": [3], "kernel": 3, "stride": 1, "activation": "identity"}, IMAGE, outputs={}
    )
    weight = net.first.convolutions["from_x"].weight
    bias = net.first.others.bias
    x = random(2, 1, 9, 6)
    torch.testing.assert_close(run(net, 2, x=x)[VALUE].data, F.conv2d(x, weight, bias, padding=1))


def test_several_images_and_other_parents_enter_the_first_convolution() -> None:
    second = ParentInput("w", "identity", (2, 9, 6))
    spec = {"kind": "cnn", "channels": [3], "kernel": 3, "stride": 2, "activation": "identity"}
    net = network(spec, IMAGE, second, Y, Z, outputs={})
    values = values_of((IMAGE, second, Y, Z))
    first = net.first
    joined = torch.cat([values["w"], values["x"]], dim=1)
    weight = torch.cat([first.convolutions[f"from_{n}"].weight for n in ("w", "x")], dim=1)
    bias = first.others.maps["from_y"].weight.t()[values["y"]] + values["z"] @ first.others.maps["from_z"].weight.t()
    expected = F.conv2d(F.pad(joined, (0, 1, 1, 1)), weight, first.others.bias, 2) + bias[..., None, None]
    torch.testing.assert_close(run(net, **values)[VALUE].data, expected)
    assert weight.abs().max() <= 1 / (3 * 9 + 3 + 4) ** 0.5


def test_what_does_not_vary_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The image's convolution and the latent's matrix run on their own axes, whatever else is enumerated."""
    seen: list[tuple[int, ...]] = []
    net = network({**CNN, "hidden": []}, IMAGE, Y, outputs={})
    net.first.convolutions["from_x"].register_forward_hook(lambda _m, given, _o: seen.append(tuple(given[0].shape)))
    run(net, y=AxisTensor(("y",), torch.arange(3)[:, None]), x=random(4, 1, 9, 6))
    net = network(MLP, Y, Z)
    linear = sys.modules["compiler.networks.linear"]
    plain = linear.linear
    monkeypatch.setattr(
        linear, "linear", lambda value, *others: seen.append(tuple(value.shape)) or plain(value, *others)
    )
    run(net, y=AxisTensor(("y",), torch.arange(3)[:, None]), z=random(4, 4))
    assert seen == [(1, 4, 1, 9, 6), (1, 4, 4)]


def test_names_that_torch_keeps_for_itself() -> None:
    parents = [ParentInput(name, "identity", (2,)) for name in ("keys", "forward", "training", "weight", "type")]
    for spec in (MLP, {"kind": "linear"}, {"kind": "elementwise"}):
        net = network(spec, *parents, outputs={"values": (2,)})
        assert run(net, 3, **{p.name: random(3, 2) for p in parents})["values"].data.shape == (3, 2)


def test_elementwise_reads_one_element_each() -> None:
    a, c = ParentInput("a", "identity", (2, 3)), ParentInput("c", "table", (2, 3), 4)
    net = network({"kind": "elementwise"}, a, c, outputs={"loc": (2, 3), "logits": (2, 3, 5)})
    index = torch.arange(12).reshape(2, 2, 3) % 4
    value = random(2, 2, 3).requires_grad_()
    given = run(net, 2, a=value, c=AxisTensor(("c",), index[:, None]))
    assert given["loc"].data.shape == (2, 2, 2, 3) and given["logits"].data.shape == (2, 2, 2, 3, 5)
    (slope,) = torch.autograd.grad(given["logits"].data[0, 1, 1, 2].sum(), value)
    assert (slope != 0).nonzero().tolist() == [[1, 1, 2]]
    weights = net.weights["from_c_to_loc"]
    expected = net.biases["to_loc"][1, 2] + net.weights["from_a_to_loc"][0, 1, 2] * value[0, 1, 2]
    expected = expected + weights[index[1, 1, 2], 1, 2]
    torch.testing.assert_close(given["loc"].data[1, 0, 1, 2], expected)
    soft = run(net, 2, a=value, c=AxisTensor(("c",), F.one_hot(index, 4).to(DOUBLE)[:, None]))
    torch.testing.assert_close(soft["logits"].data, given["logits"].data)
    feature = network({"kind": "elementwise"}, a, outputs={})
    assert run(feature, 2, a=value)[VALUE].event_shape == (2, 3)


def test_weightless_arithmetic() -> None:
    a, b = ParentInput("a", "identity", (3, 2)), ParentInput("b", "log1p", (2,))
    one, two = random(4, 3, 2), random(5, 1, 2, seed=1)
    second = AxisTensor(("b",), two)
    product = network({"kind": "product"}, a, b, outputs={"mean": (3, 2)})
    assert not list(product.parameters())
    found = run(product, a=one, b=second)["mean"]
    assert found.axes == ("b",)
    torch.testing.assert_close(found.data, one[None] * two[:, :, None])
    total = network({"kind": "sum", "minimum": -0.2, "maximum": 0.3}, a, b, outputs={})
    torch.testing.assert_close(run(total, a=one, b=second)[VALUE].data, (one[None] + two[:, :, None]).clamp(-0.2, 0.3))
    identity = network({"kind": "identity"}, b, outputs={"loc": (3, 2)})
    torch.testing.assert_close(run(identity, b=two[:, 0])["loc"].data, two.expand(5, 3, 2))


def test_dot_runs_along_the_first_axis() -> None:
    normals, light = ParentInput("n", "identity", (3, 4, 5)), ParentInput("l", "identity", (3,))
    spec = {"kind": "dot", "minimum": 0}
    net = network(spec, normals, light, outputs={})
    n, lights = random(2, 3, 4, 5), random(6, 1, 3, seed=1)
    found = run(net, 2, n=n, l=AxisTensor(("l",), lights))[VALUE]
    expected = torch.einsum("bchw,kc->kbhw", n, lights[:, 0]).clamp_min(0)[:, :, None]
    torch.testing.assert_close(found.data, expected)
    assert found.event_shape == SPECS.validate_python(spec).direct_shape({"n": (3, 4, 5), "l": (3,)}, None)


def test_affine_write_places_and_read_takes_back() -> None:
    write = network(
        {"kind": "affine_write", "image": "crop", "pose": "a"},
        ParentInput("crop", "identity", (1, 8, 8)), ParentInput("a", "identity", (3,)), outputs={VALUE: (1, 16, 16)},
    )  # fmt: skip
    read = network(
        {"kind": "affine_read", "image": "x", "pose": "a"},
        ParentInput("x", "identity", (1, 16, 16)), ParentInput("a", "identity", (3,)), outputs={VALUE: (1, 8, 8)},
    )  # fmt: skip
    crop = random(2, 1, 8, 8)
    half = torch.log(torch.tensor(0.5, dtype=DOUBLE)).item()
    corner = torch.tensor([[half, 0.5, -0.5]], dtype=DOUBLE).expand(2, 3)
    canvas = run(write, 2, crop=crop, a=corner)[VALUE]
    torch.testing.assert_close(canvas.data[..., :8, 8:], crop)  # x to the right, y down
    assert canvas.data[..., 8:, :].abs().max() == 0 and canvas.data[..., :8].abs().max() == 0
    torch.testing.assert_close(run(read, 2, x=canvas, a=corner)[VALUE].data, crop)
    poses = AxisTensor((SAMPLES,), torch.stack([corner, torch.zeros(2, 3, dtype=DOUBLE)])[:, :1])
    both = run(read, 2, x=canvas, a=poses)[VALUE]
    assert both.data.shape == (2, 2, 1, 8, 8)
    torch.testing.assert_close(both.data[1], F.interpolate(canvas.data, (8, 8), mode="bilinear"))
    assert torch.autograd.gradcheck(lambda a: run(write, 2, crop=crop, a=a)[VALUE].data, random(2, 3).requires_grad_())


class Synth(nn.Module):
    """A stand-in for a user's class."""

    def __init__(
        self, inputs: Mapping[str, tuple[int, ...]], outputs: Mapping[str, tuple[int, ...]], taps: int, wrong: str = ""
    ) -> None:
        super().__init__()
        self.shapes = (dict(inputs), dict(outputs))
        self.linear = nn.Linear(inputs["y"][-1] + inputs["z"][0], outputs["loc"][0] + (wrong == "shape"))
        self.wrong = wrong
        self.taps = taps

    def forward(self, y: Tensor, z: Tensor) -> Any:
        if self.wrong == "error":
            raise KeyError("taps")
        loc = self.linear(torch.cat([y, z], -1))
        return {"mean" if self.wrong == "name" else "loc": loc} if self.wrong != "bare" else loc


def not_a_module(**_: Any) -> int:
    return 3


@pytest.fixture
def mylab(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("mylab_nets")
    module.Synth, module.not_a_module, module.three = Synth, not_a_module, 3  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mylab_nets", module)


def python(target: str = "mylab_nets:Synth", **args: Any) -> Network:
    spec = {"kind": "python", "target": target, "args": {"taps": 16, **args}}
    return network(spec, Y, Z, outputs={"loc": (5,)})


@pytest.mark.usefixtures("mylab")
def test_a_users_module_gets_flat_rows_and_one_hot_classes() -> None:
    net = python()
    assert net.module.shapes == ({"y": (3,), "z": (4,)}, {"loc": (5,)}) and net.module.taps == 16
    state = torch.random.get_rng_state()
    again = python()
    assert torch.equal(state, torch.random.get_rng_state())
    assert torch.equal(net.module.linear.weight, again.module.linear.weight)
    z = random(4, 4)
    found = run(net, y=AxisTensor(("y",), torch.arange(3)[:, None]), z=z)["loc"]
    assert found.axes == ("y",)
    expected = net.module.linear(torch.cat([F.one_hot(torch.full((4,), 2), 3).to(DOUBLE), z], -1))
    torch.testing.assert_close(found.data[2], expected)
    torch.testing.assert_close(run(python(wrong="bare"), y=torch.zeros(4), z=z)["loc"].event_shape, torch.Size([5]))


@pytest.mark.usefixtures("mylab")
@pytest.mark.parametrize(
    ("target", "args", "message"),
    [
        ("mylab_absent:Synth", {}, "mylab_absent cannot be imported: ModuleNotFoundError"),
        ("mylab_nets:Sinth", {}, "has no class Sinth"),
        ("mylab_nets:three", {}, "has no class three"),
        ("mylab_nets:not_a_module", {}, "not a torch.nn.Module"),
        ("mylab_nets:Synth", {"tops": 1}, "could not be built: TypeError"),
        ("mylab_nets:Synth", {"wrong": "shape"}, r"gave \[2, 6\] for 'loc'"),
        ("mylab_nets:Synth", {"wrong": "name"}, "gave nothing for 'loc'"),
        ("mylab_nets:Synth", {"wrong": "error"}, "failed on a trial: KeyError"),
    ],
)
def test_a_users_module_that_cannot_be_used(target: str, args: dict[str, Any], message: str) -> None:
    with pytest.raises(UserModuleError, match=message) as caught:
        python(target, **args)
    assert caught.value.hint


def test_what_is_refused_earlier_is_an_internal_error() -> None:
    unknown = SimpleNamespace(kind="perceptron")
    with pytest.raises(InternalError, match="perceptron"):
        blueprint(unknown, Setup({}, {}, Initializer(0, "generative.x", torch.float64)))  # type: ignore[arg-type]


@pytest.mark.parametrize(("spec", "grown"), [(CNN, False), (DECONV, True), (DOWN, False), (UP, True)])
def test_channels_last_changes_the_layout_and_no_value(
    spec: dict[str, Any], grown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """float32 convolutions see channels side by side; values and gradients are those of the plain layout."""
    net = network(spec, *((Y, Z) if grown else (IMAGE, Y, Z)), outputs=GROWN if grown else {"loc": (5,)}, dtype=F32)
    given: dict[str, Any] = {"y": AxisTensor(("y",), torch.arange(3).reshape(3, 1)), "z": random(4, 4).float()}
    given |= {} if grown else {"x": AxisTensor((SAMPLES,), random(2, 4, 1, 9, 6, seed=1).float())}
    layouts: list[bool] = []
    for name in ("conv2d", "conv_transpose2d"):
        monkeypatch.setattr(F, name, _watching(getattr(F, name), layouts))

    def outcome() -> list[Tensor]:
        net.zero_grad()
        output = run(net, **given)["logits" if grown else "loc"].data
        (output * torch.linspace(-1, 1, output.numel()).reshape(output.shape)).sum().backward()
        return [output.detach(), *(p.grad.clone() for p in net.parameters() if p.grad is not None)]

    ours = outcome()
    assert layouts and all(layouts)
    monkeypatch.setattr("compiler.networks.conv_layers.channels_last", lambda data: data.contiguous())
    for one, other in zip(ours, outcome(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    assert not all(layouts)


def _watching(function: Any, layouts: list[bool]) -> Any:
    def watched(image: Tensor, *rest: Any, **options: Any) -> Tensor:
        layouts.append(image.stride(1) == 1)
        return function(image, *rest, **options)  # type: ignore[no-any-return]

    return watched
