"""Importance weighted bound and total correlation, on the same tree."""

import math

import pytest
import torch
from discrete_specs import discrete_spec
from distributions import distribution_of
from objective_twin import joint_values, log_densities
from plan_runs import values_of
from test_objective_exact import build

from compiler.plan import program_writer
from compiler.plan.aggregation import aggregate
from compiler.tensors.noise import Noise

GAUSSIAN = """
graphspec: 1
variables:
  x: {role: observed, size: 2}
  z: {role: latent, size: 2}
generative:
  z: {}
  x: {parents: [z], network: {kind: linear}, parameters: {scale: 0.5}}
recognition:
  z: {parents: [x], network: {kind: linear}}
objective: OBJECTIVE
"""


def small(objective: str):
    model = build(GAUSSIAN.replace("OBJECTIVE", objective))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(0.5)
    return model


def test_with_discrete_hidden_variables_the_importance_weighted_bound_is_log_p() -> None:
    """Everything is summed inside the logarithm, whatever q is."""
    text = discrete_spec(
        {"a": 3, "b": 2}, ["b"], {"a": [], "b": ["a"], "x": ["a", "b"]}, {"b": ["x"], "a": ["x", "b"]},
        "{bound: importance_weighted, alpha: 2}",
    )  # fmt: skip
    model = build(text)
    row = {"x": torch.tensor([[0.0, 1.0]]).double()}
    for label in (None, 1):
        given = row if label is None else {**row, "b": torch.tensor([label])}
        hidden = ["a", "b"] if label is None else ["a"]
        log_p, log_q = log_densities(model, given, joint_values(model, hidden))
        exact = torch.logsumexp(torch.stack(list(log_p.values())).sum(0), 0)
        if label is not None:
            exact = exact + 2 * log_q["b"][0]
        assert model.bound(given)[0].item() == pytest.approx(exact.item(), abs=1e-10)


def log_evidence(model) -> float:
    """log p(x) of the linear-Gaussian model at x = (0.3, -0.8)."""
    weights = dict(model.named_parameters())
    matrix = next(v for k, v in weights.items() if k.startswith("factors.generative--x") and v.dim() == 2)
    offset = next(v for k, v in weights.items() if k.startswith("factors.generative--x") and v.dim() == 1)
    covariance = matrix @ matrix.T + 0.25 * torch.eye(2)
    distribution = torch.distributions.MultivariateNormal(offset.detach(), covariance.detach())
    return float(distribution.log_prob(torch.tensor([0.3, -0.8]).double()))


def bounds(samples: int, rows: int = 4000) -> torch.Tensor:
    model = small(f"{{bound: importance_weighted, samples: {samples}}}")
    x = torch.tensor([[0.3, -0.8]]).double().expand(rows, 2)
    return model.bound({"x": x}, noise=Noise(0, rows)).detach()


def test_more_samples_tighten_the_importance_weighted_bound() -> None:
    model = small("{bound: importance_weighted, samples: 1}")
    exact = log_evidence(model)
    means = [bounds(samples).mean().item() for samples in (1, 5, 50)]
    assert means == sorted(means) and means[-1] < exact + 0.02
    assert abs(bounds(2000, 200).mean() - exact) < 0.02


def test_one_sample_is_the_elbo() -> None:
    x = torch.tensor([[0.3, -0.8]]).double().expand(50, 2)
    weighted = small("{bound: importance_weighted}")
    plain = small("{}")
    z = values_of(plain, {"x": x}, Noise(3, 50))["z"]
    p, q = (plain.log_prob(side, {"x": x, "z": z}) for side in ("generative", "recognition"))
    elbo = p["x"] + p["z"] - q["z"]
    torch.testing.assert_close(weighted.bound({"x": x}, noise=Noise(3, 50)), elbo, atol=1e-12, rtol=0)


def _weights(model):
    from compiler.symbolic.schedules import ObjectiveWeights

    return ObjectiveWeights.at(model.graphs, None, 0.0)


def gradients(monkeypatch: pytest.MonkeyPatch, doubly: bool) -> torch.Tensor:
    if not doubly:
        monkeypatch.setattr(program_writer, "doubly_reparameterized", lambda program: False)
    model = small("{bound: importance_weighted, samples: 4}")
    x = torch.tensor([[0.3, -0.8]]).double().expand(200, 2)
    parameters = list(model.parameters())
    found = []
    for chunk in range(300):
        bound = model.bound({"x": x}, noise=Noise(chunk, 200)).mean()
        found.append(torch.cat([g.flatten() for g in torch.autograd.grad(bound, parameters)]))
    monkeypatch.undo()
    return torch.stack(found)


def test_the_doubly_reparameterised_gradient_is_unbiased_and_less_noisy(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, doubly = gradients(monkeypatch, False), gradients(monkeypatch, True)
    error = (plain.var(0) / len(plain) + doubly.var(0) / len(doubly)).sqrt()
    deviation = ((plain.mean(0) - doubly.mean(0)).abs() / error.clamp_min(1e-12)).max()
    assert deviation < 4.5
    model = small("{}")
    sizes = [p.numel() for n, p in model.named_parameters() if n.startswith("factors.recognition")]
    names = [n for n, _ in model.named_parameters()]
    assert names[-1].startswith("factors.recognition") or names[0].startswith("factors.recognition")
    own = slice(-sum(sizes), None) if names[-1].startswith("factors.recognition") else slice(0, sum(sizes))
    assert doubly[:, own].var(0).sum() < plain[:, own].var(0).sum()


def naive_aggregate(pairs: torch.Tensor, form: str, estimator: str, rows: int) -> torch.Tensor:
    """Loops, from Chen et al. 2018: weights as written in the digest (paper notes 4.2)."""
    batch = pairs.shape[0]
    result = []
    for i in range(batch):
        weights = []
        for j in range(batch):
            if estimator == "weighted":
                weights.append(1 / (batch * rows))
            else:
                weights.append(1 / rows if i == j else (rows - 1) / (rows * (batch - 1)))
        if form == "joint":
            result.append(sum(w * pairs[i, j].sum().exp() for j, w in enumerate(weights)).log())
        else:
            each = [sum(w * pairs[i, j, d].exp() for j, w in enumerate(weights)).log() for d in range(pairs.shape[-1])]
            result.append(sum(each))
    return torch.stack(result)


@pytest.mark.parametrize("form", ["joint", "product"])
@pytest.mark.parametrize("estimator", ["stratified", "weighted"])
def test_aggregates_equal_loops(form: str, estimator: str) -> None:
    pairs = torch.randn(5, 5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = aggregate(pairs, form, estimator, 40)
    torch.testing.assert_close(found, naive_aggregate(pairs, form, estimator, 40), atol=1e-12, rtol=0)


@pytest.mark.parametrize("estimator", ["stratified", "weighted"])
def test_a_batch_that_is_the_data_gives_the_exact_mixture(estimator: str) -> None:
    pairs = torch.randn(5, 5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    exact = torch.logsumexp(pairs.sum(-1), dim=1) - math.log(5)
    torch.testing.assert_close(aggregate(pairs, "joint", estimator, 5), exact, atol=1e-12, rtol=0)


def test_the_parts_of_the_divergence_add_up() -> None:
    """With every weight 1 the split telescopes: the bound is the ELBO at the very draws."""
    x = torch.randn(20, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    split = small("{beta: {z: {total_correlation: 1}}}")
    weighted = small("{bound: importance_weighted}")  # one sample: the ELBO without any closed form
    found, expected = (model.bound({"x": x}, noise=Noise(2, 20)) for model in (split, weighted))
    torch.testing.assert_close(found, expected, atol=1e-10, rtol=0)


def test_each_part_has_its_own_weight() -> None:
    x = torch.randn(20, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    split = small("{beta: {z: {total_correlation: 6, mutual_information: 0.5, dimension_wise: 2}}}")
    evaluation = split.evaluate({"x": x}, weights=_weights(split), noise=Noise(2, 20))
    terms = evaluation.terms
    total = terms["log p(x)"] - 6 * terms["total_correlation z"]
    total = total - 0.5 * terms["mutual_information z"] - 2 * terms["dimension_wise z"]
    torch.testing.assert_close(evaluation.bound, total, atol=1e-10, rtol=0)
    draws = values_of(split, {"x": x}, Noise(2, 20))["z"]
    q = distribution_of(split, split.graphs.recognition["z"], {"x": x}, Noise(2, 20))
    pairs = torch.stack(
        [
            torch.stack([q.rebuilt(lambda t, j=j: t[j : j + 1]).log_prob_each(draws[i : i + 1])[0] for j in range(20)])
            for i in range(20)
        ]
    )
    product = (torch.logsumexp(pairs, 1) - math.log(20)).sum(-1)
    joint = torch.logsumexp(pairs.sum(-1), 1) - math.log(20)
    torch.testing.assert_close(terms["total_correlation z"], joint - product, atol=1e-10, rtol=0)


def test_a_split_composes_with_labels() -> None:
    """z below an enumerated label: rows' components are mixed by q(y | x)."""
    text = """
graphspec: 1
variables:
  x: {role: observed, size: 2}
  y: {role: supervised, domain: category, classes: 3}
  z: {role: latent, size: 2}
generative:
  y: {}
  z: {}
  x: {parents: [y, z], network: {kind: linear}}
recognition:
  y: {parents: [x], network: {kind: linear}}
  z: {parents: [x, y], network: {kind: linear}}
objective: {alpha: 1, beta: {z: {total_correlation: WEIGHT}}}
"""
    x = torch.randn(12, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    labels = torch.tensor([0, 1, 2, -1] * 3)
    one, plain = (
        build(text.replace("WEIGHT", "1")),
        build(text.replace("beta: {z: {total_correlation: WEIGHT}}", "samples: 1")),
    )
    split = one.evaluate({"x": x, "y": labels}, weights=_weights(one), noise=Noise(2, 12))
    whole = plain.evaluate({"x": x, "y": labels}, weights=_weights(plain), noise=Noise(2, 12))
    parts = sum(split.terms[f"{kind} z"] for kind in ("mutual_information", "total_correlation", "dimension_wise"))
    assert torch.isfinite(parts).all()
    torch.testing.assert_close(split.bound + parts, whole.bound + whole.terms["KL z"], atol=1e-9, rtol=0)
