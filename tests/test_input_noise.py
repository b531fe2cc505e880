"""input_noise and input_dropout: what they do to which parents, in training only, and as emitted code."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import torch
from graph_specs import codes_in, graphs_of
from test_emission import compare
from test_networks import CNN, DECONV, DOUBLE, DOWN, GROWN, IMAGE, MLP, UP, N, Y, Z, network, random, values_of
from torch import Tensor

from compiler.networks import ParentInput
from compiler.networks.layers import Disturbance
from compiler.tensors.blanks import PRESENCE
from compiler.tensors.call_layout import Layout
from compiler.tensors.noise import Noise

READERS: list[tuple[dict[str, Any], tuple[ParentInput, ...], dict[str, tuple[int, ...]]]] = [
    (MLP, (Y, Z, N), {"loc": (5,)}),
    (CNN, (IMAGE, Y, Z), {"loc": (5,)}),
    (DECONV, (Y, Z), GROWN),
    (DECONV | {"hidden": [5]}, (Y, Z), GROWN),
    (DOWN, (IMAGE, Y, Z), {"loc": (5,)}),
    (UP, (Y, Z), GROWN),
]


def output(net: torch.nn.Module, values: Mapping[str, Tensor], seed: int = 0) -> Tensor:
    found = net(values, Layout(1, Noise(seed, 4)))
    return next(iter(found.values()))


@pytest.mark.parametrize(("spec", "parents", "outputs"), READERS, ids=lambda v: v.get("kind") if "kind" in v else "")
def test_a_network_reads_numbers_with_noise_on_them_in_training(
    spec: dict[str, Any], parents: tuple[ParentInput, ...], outputs: dict[str, tuple[int, ...]]
) -> None:
    """The same as a network without, of values that were disturbed by hand from the same draws, in order of names."""
    noisy = network(spec | {"input_noise": 0.3, "input_dropout": 0.4}, *parents, outputs=outputs)
    plain = network(spec, *parents, outputs=outputs)
    assert set(noisy.state_dict()) == set(plain.state_dict())
    plain.load_state_dict(noisy.state_dict())
    values = values_of(parents)
    noise, disturbed = Noise(3, 4), dict(values)
    for parent in sorted(parents, key=lambda p: p.name):
        if parent in (Z, IMAGE):
            added = noise.normal("", (), parent.shape, torch.float32).to(DOUBLE)
            kept = noise.uniform("", (), parent.shape, torch.float32) >= 0.4
            disturbed[parent.name] = (values[parent.name] + 0.3 * added) * kept.to(DOUBLE) / 0.6
    assert torch.equal(output(noisy.train(), values, 3), output(plain.train(), disturbed))
    assert not torch.equal(output(noisy, values, 3), output(noisy, values, 4))
    assert torch.equal(output(noisy.eval(), values, 3), output(plain.eval(), values))


def disturbed(parent: ParentInput, value: Tensor, layout: Layout, **spec: float) -> Tensor:
    """The value as an mlp of this spec reads it in training."""
    found = Disturbance(**spec)(parent, value, layout, "below")
    assert network(MLP | {"input_noise": 0.1}, parent).disturbance == Disturbance(noise=0.1)
    return found


def test_categories_counts_and_flags_are_left_as_they_are() -> None:
    flag = ParentInput("z" + PRESENCE, "identity", (4,))
    values = values_of((Y, Z, N)) | {flag.name: torch.ones(4, 4, dtype=DOUBLE)}
    layout = Layout(1, Noise(0, 4))
    for parent in (Y, Z, N, flag):
        value = values[parent.name]
        same = torch.equal(disturbed(parent, value, layout, noise=1.0, rate=0.5), value)
        assert same == (parent is not Z)


def test_rows_share_the_first_layer_unless_it_draws() -> None:
    net = network(MLP | {"input_noise": 0.1}, Z)
    assert not net.train().shareable("z") and net.eval().shareable("z")
    assert network(MLP, Z).train().shareable("z")


def test_enumerated_values_share_what_is_drawn_and_samples_do_not() -> None:
    same = random(1, 1, 1, 4).expand(2, 3, 4, 4).clone()
    changed = disturbed(Z, same, Layout(3, Noise(0, 4), (0,)), noise=1.0, rate=0.3)
    assert torch.equal(changed[:, 0], changed[:, 2])
    assert not torch.equal(changed[0], changed[1])
    assert not torch.equal(changed[:, :, 0], changed[:, :, 1])


def test_the_noise_has_its_size_and_dropping_keeps_the_mean() -> None:
    many, layout = torch.full((20000, 4), 2.0, dtype=DOUBLE), Layout(1, Noise(0, 20000))
    spread = disturbed(Z, many, layout, noise=0.7)
    assert float(spread.std()) == pytest.approx(0.7, rel=0.02)
    assert float(spread.mean()) == pytest.approx(2.0, abs=0.02)
    kept = disturbed(Z, many, layout, rate=0.25)
    assert float((kept == 0).double().mean()) == pytest.approx(0.25, abs=0.01)
    assert float(kept.mean()) == pytest.approx(2.0, rel=0.02)


M2_FEATURES = """
graphspec: 1
variables:
  x: {role: observed, domain: real, shape: [1, 6, 6]}
  u: {role: observed, domain: real}
  y: {role: supervised, domain: category, classes: 3}
  z: {role: latent, domain: real, size: 2}
  h: {role: deterministic}
generative:
  y: {}
  z: {}
  u: {parents: [y, z]}
  x: {parents: [y, z]}
recognition:
  h: {parents: [x, u], network: NETWORK}
  y: {parents: [h], network: {kind: linear}}
  z: {parents: [h, y], network: {kind: linear}}
networks: {default: {kind: mlp, hidden: [5], activation: tanh}}
"""
EMITTED = (
    "{kind: mlp, hidden: [5], input_noise: 0.3}",
    "{kind: mlp, hidden: [5], input_dropout: 0.3, dropout: 0.2}",
    "{kind: cnn, channels: [3], hidden: [5], input_noise: 0.2, input_dropout: 0.3, dropout: 0.1}",
    "{kind: resnet, channels: [3], blocks: 1, hidden: [5], input_noise: 0.2, input_dropout: 0.3}",
)


@pytest.fixture
def double() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("architecture", EMITTED)
@pytest.mark.parametrize("training", [False, True])
def test_emitted_code_draws_the_same(architecture: str, training: bool) -> None:
    compare(graphs_of(M2_FEATURES.replace("NETWORK", architecture)), training=training)


@pytest.mark.usefixtures("double")
def test_parents_that_are_drawn_are_disturbed_in_emitted_code_too() -> None:
    default = "networks.default={kind: mlp, hidden: [5], input_noise: 0.1, input_dropout: 0.2}"
    compare(graphs_of(M2_FEATURES, default, HIDDEN), training=True)


HIDDEN = "recognition.h.network={kind: mlp, hidden: [5]}"


def test_numbers_out_of_range_are_refused() -> None:
    for setting in ("input_noise: -0.1", "input_dropout: 1", "input_dropout: -0.1"):
        text = M2_FEATURES.replace("NETWORK", f"{{kind: mlp, hidden: [5], {setting}}}")
        assert codes_in(text) == ["GS014"]
