"""Masked programs: blanks per element, and one program for every pattern, against per-pattern programs and the twin."""

import numpy as np
import pytest
import torch
from discrete_specs import discrete_spec, random_dag
from distributions import closed_kl_each, distribution_of
from objective_twin import twin_bound
from row_noise import RowNoise
from test_objective_exact import build

from compiler.symbolic import lowering

NAMES = ["a", "b", "c", "d", "e"]
ALPHA = {"a": 0.5, "b": 2.0, "c": 3.0, "d": 1.0, "e": 0.1}


def five_labels(seed: int, bound: str = "logmeanexp"):
    """Five binary supervised variables: 32 patterns, so one masked program."""
    rng = np.random.default_rng(seed)
    recognition = {n: ["x", *p] for n, p in random_dag(rng, NAMES).items()}
    generative = random_dag(rng, [*NAMES, "x"])
    listed = ", ".join(f"{n}: {a}" for n, a in ALPHA.items())
    text = discrete_spec(
        dict.fromkeys(NAMES, 2), NAMES, generative, recognition, f"{{alpha: {{{listed}}}, label_bound: {bound}}}"
    )
    rows = {n: torch.tensor(rng.integers(-1, 2, 12)) for n in NAMES}
    return build(text, seed), {**rows, "x": torch.tensor(rng.integers(0, 2, (12, 2))).double()}


@pytest.mark.parametrize("bound", ["logmeanexp", "jensen"])
def test_one_masked_program_equals_brute_force(bound: str) -> None:
    model, rows = five_labels(1, bound)
    assert lowering.one_program_for_all(model.graphs)
    found = model.bound(rows)
    assert len(model.group(model.prepare(rows))) == 1
    for index in range(12):
        labels = [n for n in NAMES if rows[n][index] >= 0]
        row = {n: v[index : index + 1] for n, v in rows.items() if n in (*labels, "x")}
        expected = twin_bound(model, row, labels, alpha=ALPHA, jensen=bound == "jensen")
        assert found[index].item() == pytest.approx(expected.item(), abs=1e-10)


def test_one_masked_program_equals_one_per_pattern(monkeypatch: pytest.MonkeyPatch) -> None:
    model, rows = five_labels(2)
    masked = model.bound(rows)
    gradients = torch.autograd.grad(masked.sum(), list(model.parameters()))
    monkeypatch.setattr(lowering, "PATTERN_LIMIT", 64)
    separate = model.bound(rows)
    assert len(model.group(model.prepare(rows))) > 1
    torch.testing.assert_close(masked, separate, atol=1e-10, rtol=0)
    others = torch.autograd.grad(separate.sum(), list(model.parameters()))
    for mine, other in zip(gradients, others, strict=True):
        torch.testing.assert_close(mine, other, atol=1e-9, rtol=0)


VECTOR = """
graphspec: 1
variables:
  x: {role: observed, domain: binary, size: 2}
  y: {role: supervised, domain: binary, size: 2}
generative:
  y: {parameters: {logits: learned}}
  x: {parents: [y], network: {kind: linear}}
recognition:
  y: {parents: [x], network: {kind: linear}}
objective: {alpha: 2}
"""

SCALARS = """
graphspec: 1
variables:
  x: {role: observed, domain: binary, size: 2}
  u: {role: supervised, domain: binary}
  v: {role: supervised, domain: binary}
generative:
  u: {parameters: {logits: learned}}
  v: {parameters: {logits: learned}}
  x: {parents: [u, v], network: {kind: linear}}
recognition:
  u: {parents: [x], network: {kind: linear}}
  v: {parents: [x], network: {kind: linear}}
objective: {alpha: 2}
"""


def test_a_vector_label_with_blanks_equals_scalar_labels() -> None:
    """A vector of two elements, any of them blank, is worth what two scalar labels with the same weights are."""
    vector, scalars = build(VECTOR), build(SCALARS)
    big, small = dict(vector.named_parameters()), dict(scalars.named_parameters())
    with torch.no_grad():
        for index, name in enumerate("uv"):
            for key, value in small.items():
                if f"--{name}." in key:
                    source = big[key.replace(f"--{name}.", "--y.")]
                    axis = next(
                        i for i, size in enumerate(source.shape) if size == 2 and value.numel() * 2 == source.numel()
                    )
                    if source.dim() == 2:
                        axis = 0 if tuple(value.shape) == (1, 2) else 1
                    value.copy_(source.select(axis, index).reshape(value.shape))
        decoders = {k: v for k, v in small.items() if k.startswith("factors.generative--x")}
        (table,) = [v for k, v in big.items() if k.startswith("factors.generative--x") and v.dim() == 2]
        (bias,) = [v for k, v in big.items() if k.startswith("factors.generative--x") and v.dim() == 1]
        maps = sorted(k for k, v in decoders.items() if v.dim() == 2)
        assert len(maps) == 2, "one map per parent"
        for index, key in enumerate(maps):
            decoders[key].copy_((table[:, index] if table.shape[1] == 2 else table[index]).reshape(decoders[key].shape))
        (other,) = [v for v in decoders.values() if v.dim() == 1]
        other.copy_(bias)
    x = torch.tensor([[0.0, 1.0]] * 9).double()
    labels = torch.tensor([[a, b] for a in (0, 1, -1) for b in (0, 1, -1)]).double()
    found = vector.bound({"x": x, "y": labels})
    expected = scalars.bound({"x": x, "u": labels[:, 0], "v": labels[:, 1]})
    torch.testing.assert_close(found, expected, atol=1e-10, rtol=0)


CONTINUOUS = """
graphspec: 1
variables:
  x: {role: observed, size: 2}
  y: {role: supervised, size: 2}
  z: {role: latent, size: 2}
generative:
  z: {}
  y: {parents: [z], network: {kind: linear}}
  x: {parents: [y, z], network: {kind: linear}}
recognition:
  z: {parents: [x], network: {kind: linear}}
  y: {parents: [x, z], network: {kind: linear}}
objective: {alpha: 2, samples: 3}
"""


def test_a_blank_element_is_drawn_and_a_given_one_clamped() -> None:
    """Continuous vector label with one blank: the formula written out, with the very draws the model takes.

    q(y | x, z) and p(y | z) are normal, so the blank element's divergence is in closed form for each draw of z.
    """
    model = build(CONTINUOUS)
    rows = {"x": torch.tensor([[0.2, -0.4]]).double(), "y": torch.tensor([[0.7, torch.nan]]).double()}
    found = model.bound(rows, noise=RowNoise(5, [0]))[0]
    noise = RowNoise(5, [0])
    eps = {n: noise.normal(n, (3,), (2,), torch.float64) for n in "zy"}
    mask = torch.tensor([True, False])

    def factor(key: str, **parents):
        side, name = key.split("--")
        return distribution_of(model, model.graphs.factors(side)[name], parents, noise)

    log_w, inner = [], []
    q_z = factor("recognition--z", x=rows["x"])
    for s in range(3):
        z = q_z.reparameterize(eps["z"][s])
        q_y = factor("recognition--y", x=rows["x"], z=z)
        y = torch.where(mask, rows["y"], q_y.reparameterize(eps["y"][s]))
        p_y, p_x = factor("generative--y", z=z), factor("generative--x", y=y, z=z)
        each_q, each_p = q_y.log_prob_each(y)[0], p_y.log_prob_each(y)[0]
        log_w.append(each_q[0])
        prior = factor("generative--z").log_prob(z)[0]
        divergence = closed_kl_each(q_y, p_y)[0, 1]
        inner.append(p_x.log_prob(rows["x"])[0] + each_p[0] + prior - q_z.log_prob(z)[0] - divergence - each_q[0])
    log_w, inner = torch.stack(log_w), torch.stack(inner)
    evidence = torch.logsumexp(log_w, 0) - np.log(3)
    expected = (torch.softmax(log_w, 0) * inner).sum() + (1 + 2) * evidence
    assert found.item() == pytest.approx(expected.item(), abs=1e-10)
