"""What others ship wrong, and what is right here: one test per public report, named after it.

The reports: scverse/scvi-tools#841 and #1784, probtorch/probtorch#52 and #54, and two findings in the code that
accompanies Siddharth et al. (2017) that no report names.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from data_specs import DIGIT, REALS, prepared, write_npz
from row_noise import RowNoise

from compiler import compile_spec
from compiler.symbolic.schedules import ObjectiveWeights
from compiler.tensors.noise import Noise
from graphspec.loading import load
from runtime.data import epoch_batches

M2 = """
graphspec: 1
variables:
  x: {role: observed, size: 3}
  y: {role: supervised, domain: category, classes: 4}
  z: {role: latent, size: 2}
generative:
  y: {parameters: {probs: learned}}
  z: {}
  x: {parents: [y, z]}
recognition:
  y: {parents: [x], network: {kind: linear}}
  z: {parents: [x, y]}
networks: {default: {kind: mlp, hidden: [5], activation: tanh}}
objective: {alpha: ALPHA, samples: 2}
"""

BELOW = """
graphspec: 1
variables:
  x: {role: observed, size: 3}
  y: {role: supervised, domain: category, classes: 4}
  z: {role: latent, size: 2}
generative:
  y: {}
  z: {parents: [y]}
  x: {parents: [z]}
recognition:
  z: {parents: [x]}
  y: {parents: [z]}
networks: {default: {kind: mlp, hidden: [5], activation: tanh}}
objective: {alpha: ALPHA, samples: SAMPLES, bound: BOUND}
"""


def build(text: str, **fields: object):
    """A float64 model with large random weights; the same for every objective section."""
    for name, value in fields.items():
        text = text.replace(name.upper(), str(value))
    model = compile_spec(load("-", text=text), dtype=torch.float64)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.7 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return model


X = torch.tensor([[0.4, -1.0, 0.7]], dtype=torch.float64)


def bound(model, label: int) -> torch.Tensor:
    """L of one row with this label (-1: none), the same noise every time."""
    return model.bound({"x": X, "y": torch.tensor([label])}, noise=RowNoise(1, [0]))[0]


def gradient_of(model, value: torch.Tensor, name: str) -> torch.Tensor:
    """Gradient of a bound with respect to the one parameter whose name contains `name`."""
    (found,) = [p for n, p in model.named_parameters() if name in n]
    (gradient,) = torch.autograd.grad(value, [found], allow_unused=True, retain_graph=True)
    return torch.zeros_like(found) if gradient is None else gradient


def test_scvi_tools_841_labelled_rows_get_the_bound_conditioned_on_their_label() -> None:
    """scANVI sums over y for every cell, labelled or not, and lets labels in through a cross-entropy alone.

    Right: a labelled row's bound is J(x, y) + alpha log q(y | x) with the label everywhere a y stands, and the
    unlabelled bound is sum_y q(y | x) (J(x, y) - log q(y | x)) (Kingma et al. 2014, eq. 7).
    """
    model = build(M2, alpha=0)
    conditioned = torch.stack([bound(model, label) for label in range(4)])
    located = {"x": X.expand(4, 3), "y": torch.arange(4), "z": torch.zeros(4, 2).double()}
    log_q = model.log_prob("recognition", located)["y"]
    summed = (log_q.exp() * (conditioned - log_q)).sum()
    torch.testing.assert_close(bound(model, -1), summed, atol=1e-10, rtol=0)
    weighted = build(M2, alpha=3)
    for label in range(4):
        torch.testing.assert_close(bound(weighted, label), conditioned[label] + 3 * log_q[label], atol=1e-10, rtol=0)
    used = gradient_of(model, bound(model, 2), "generative--x.sources.0.network.first.maps.from_y").abs().sum(0) > 0
    assert used.tolist() == [False, False, True, False], "only the label's own column of the decoder learns from it"
    assert not gradient_of(model, bound(model, 2), "recognition--y.sources.0.network.heads.to_logits.bias").any()


def test_scvi_tools_1784_labelled_rows_keep_their_divergences() -> None:
    """scANVI drops the KL terms of the latent variables where a label is given.

    Right: they count in labelled rows as in unlabelled ones; without them the bound is no bound.
    """
    model = build(M2, alpha=0)
    weights = ObjectiveWeights.at(model.graphs, None, 0.0)
    rows = {"x": X.expand(2, 3), "y": torch.tensor([1, -1])}
    found = model.evaluate(rows, weights=weights, noise=RowNoise(1, [0, 1]))
    assert (found.terms["KL z"] > 0).all()
    labelled = found.terms["log p(x)"][0] + found.terms["log p(y)"][0] - found.terms["KL z"][0]
    torch.testing.assert_close(found.bound[0].detach(), labelled, atol=1e-10, rtol=0)


def test_probtorch_52_both_bounds_agree_about_alpha() -> None:
    """There the two objectives disagree: the importance-weighted one has (1 + alpha) log w inside the exponent, so that
    alpha changes which samples count.

    Right: at one sample both bounds of a labelled row are the same number, and with more, alpha still multiplies
    log q^(y | x), outside.
    """
    one = [bound(build(BELOW, alpha=2, samples=1, bound=kind), 2) for kind in ("elbo", "importance_weighted")]
    torch.testing.assert_close(*one, atol=1e-10, rtol=0)
    slopes = []
    for kind in ("elbo", "importance_weighted"):
        values = [bound(build(BELOW, alpha=alpha, samples=5, bound=kind), 2) for alpha in (0, 1, 4)]
        torch.testing.assert_close(values[2] - values[0], 4 * (values[1] - values[0]), atol=1e-10, rtol=0)
        slopes.append(values[1] - values[0])
    torch.testing.assert_close(*slopes, atol=1e-10, rtol=0)
    none = [bound(build(BELOW, alpha=alpha, samples=5, bound="importance_weighted"), -1) for alpha in (0, 4)]
    torch.testing.assert_close(*none, atol=1e-10, rtol=0)


def labels_seen(tmp_path: Path, epochs: int, *, shuffle: int) -> tuple[list[set[int]], list[int]]:
    """Which rows of 90 show a label in each epoch of training with 6 labels, and how many do in each step."""
    generator = np.random.default_rng(0)
    write_npz(tmp_path / "a.npz", x=generator.normal(size=(90, 2)), y=np.arange(90) % 3)
    section = {"source": "a.npz", "variables": {"x": "x", "y": "y"}, "labels": {"y": 6}, "test": 0, "validation": 0}
    data = prepared(tmp_path, {"x": REALS, "y": DIGIT}, section)
    seen, counts = [], []
    for epoch in range(epochs):
        rows: set[int] = set()
        for step in epoch_batches(data, epoch, batch_size=16, labelled_batch_size=6, seed=shuffle):
            batch = data.training.batch(torch.cat([step.unlabelled, step.labelled]), torch.float32)
            shown = batch["y"] != -1
            rows |= set(data.training.source[torch.cat([step.unlabelled, step.labelled])][shown].tolist())
            counts.append(int(shown.sum()))
        seen.append(rows)
    return seen, counts


def test_probtorch_54_a_label_budget_names_rows_not_places_in_a_shuffled_loader(tmp_path: Path) -> None:
    """There labels are switched on per index of the mini-batch while the loader shuffles, so every epoch shows the
    labels of other images, and after a while those of the whole training set.

    Right: six labels are the labels of the same six rows in every epoch, whatever shuffles the batches.
    """
    seen, _ = labels_seen(tmp_path, 12, shuffle=0)
    other, _ = labels_seen(tmp_path, 3, shuffle=99)
    assert len(set().union(*seen, *other)) == 6
    assert all(rows == seen[0] for rows in (*seen, *other))


def test_small_budgets_reach_every_step(tmp_path: Path) -> None:
    """With a labelled share per batch index, 100 labels are less than one batch, and some seeds train with none at all
    (the reproduction that reports 39 +- 35 % accuracy).

    Right: labelled rows have a stream of their own, and no step goes without.
    """
    _, counts = labels_seen(tmp_path, 12, shuffle=0)
    assert set(counts) == {6}


ENTROPY = """
graphspec: 1
variables:
  x: {role: observed, size: 1}
  y: {role: latent, domain: category, classes: 3}
  t: {role: supervised, domain: binary}
generative:
  y: {}
  t: {}
  x: {parameters: {loc: 0, scale: 1}}
recognition:
  y: {parents: [x], network: {kind: linear}}
  t: {parents: [y], network: {kind: linear}}
objective: {alpha: 0, estimators: {y: {kind: relax, temperature: 0.1, straight_through: HARD}}}
"""
LOGITS = (0.3, -1.2, 0.9)


@pytest.mark.parametrize("hard", ["false", "true"])
def test_relaxed_draws_keep_the_gradient_of_the_entropy(hard: str) -> None:
    """There a Concrete draw v is scored by log q(argmax v). Its argmax is an exact draw, so the expected gradient of
    that score is zero: the entropy of q(y | x) never reaches the weights.

    Right: scored linearly, sum_k v_k log q_k, the mean gradient is the entropy's, up to the bias of a draw at
    temperature 0.1. The label below y keeps a closed-form divergence away; with alpha 0 and one draw nothing else of
    the bound depends on the logits.
    """
    model = compile_spec(load("-", text=ENTROPY.replace("HARD", hard), overrides=[]), dtype=torch.float64)
    (bias,) = [p for n, p in model.named_parameters() if "recognition--y" in n and n.endswith("bias")]
    with torch.no_grad():
        bias.copy_(torch.tensor(LOGITS, dtype=torch.float64))
    batches, size = 50, 400
    rows = {"x": torch.zeros(size, 1).double(), "t": torch.ones(size).double()}
    ours, argmax = [], []
    for batch in range(batches):
        value = model.bound(rows, noise=Noise(batch, size)).mean()
        ours.append(torch.autograd.grad(value, [bias])[0])
        uniform = Noise(batch, size).uniform("y", (), (3,), torch.float64)
        picked = (bias.detach() - (-uniform.log()).log()).argmax(-1)
        argmax.append(torch.autograd.grad(-torch.log_softmax(bias, 0)[picked].mean(), [bias])[0])
    logits = torch.tensor(LOGITS, dtype=torch.float64, requires_grad=True)
    log_q = torch.log_softmax(logits, 0)
    (exact,) = torch.autograd.grad(-(log_q.exp() * log_q).sum(), [logits])
    mean, error = torch.stack(ours).mean(0), torch.stack(ours).std(0) / batches**0.5
    assert ((mean - exact).abs() < 4 * error + 0.03 * exact.abs().max()).all(), f"{mean} against {exact}, {error}"
    lost, noise = torch.stack(argmax).mean(0), torch.stack(argmax).std(0) / batches**0.5
    assert (lost.abs() < 4 * noise).all(), "the peers' rule has no gradient on average"
    assert (exact.abs() > 10 * noise).any(), "and the test can tell the two apart"
