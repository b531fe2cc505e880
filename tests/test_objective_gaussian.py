"""The derived objective on linear-Gaussian graphs, where expectations have closed forms."""

import math

import numpy as np
import pytest
import torch

from compiler import compile_spec
from compiler.tensors.noise import Noise
from graphspec.loading import load

SPEC = """
graphspec: 1
variables:
  x: {role: observed, size: 2}
  y: {role: supervised, size: 1}
  z: {role: latent, size: 2}
generative:
  z: {}
  y: {parents: [z], network: {kind: linear}, parameters: {scale: 0.7}}
  x: {parents: [y, z], network: {kind: linear}, parameters: {scale: 0.5}}
recognition:
  z: {parents: [x], network: {kind: linear}, parameters: {scale: 0.4}}
  y: {parents: [x, z], network: {kind: linear}, parameters: {scale: 0.9}}
objective: {alpha: 0, samples: SAMPLES, label_bound: BOUND}
"""

ROWS = torch.tensor([[0.3, -1.1]], dtype=torch.float64)


def build(samples: int = 1, bound: str = "logmeanexp"):
    text = SPEC.replace("SAMPLES", str(samples)).replace("BOUND", bound)
    model = compile_spec(load("-", text=text), dtype=torch.float64)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.7 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return model


def mean_of(model, name: str, side: str, values: dict[str, torch.Tensor]) -> np.ndarray:
    """loc of one factor, found from densities alone: the gradient of log p at a point of a Gaussian gives it."""
    point = torch.zeros(1, *model.graphs.variables[name].shape, dtype=torch.float64, requires_grad=True)
    density = model.log_prob(side, {**values, name: point})[name].sum()
    (gradient,) = torch.autograd.grad(density, point)
    scale = {"y": {"generative": 0.7, "recognition": 0.9}, "z": {"generative": 1.0, "recognition": 0.4}}
    scale["x"] = {"generative": 0.5, "recognition": 1.0}
    return (gradient * scale[name][side] ** 2).detach().numpy()[0]


def affine(model, name: str, side: str, parents: dict[str, int]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Matrices and offset of a linear factor, read off by probing the means at unit vectors."""
    sizes = {"x": 2, "y": 1, "z": 2}
    zero = {n: torch.zeros(1, s, dtype=torch.float64) for n, s in sizes.items()}
    offset = mean_of(model, name, side, zero)
    matrices = {}
    for parent, size in parents.items():
        columns = []
        for i in range(size):
            probe = {**zero, parent: torch.eye(size, dtype=torch.float64)[i : i + 1]}
            columns.append(mean_of(model, name, side, probe) - offset)
        matrices[parent] = np.stack(columns, axis=1)
    return matrices, offset


def expected_log_normal(mean: np.ndarray, covariance: np.ndarray, scale: float) -> float:
    """E[log N(u; 0, scale^2 I)] for u ~ N(mean, covariance)."""
    size = len(mean)
    square = mean @ mean + np.trace(covariance)
    return float(-size * math.log(scale * math.sqrt(2 * math.pi)) - square / (2 * scale**2))


def closed_form_elbo(model) -> float:
    """E_q[log p - log q] of the unlabelled row, from first and second moments."""
    x = ROWS.numpy()[0]
    qz, bz = affine(model, "z", "recognition", {"x": 2})
    qy, by = affine(model, "y", "recognition", {"x": 2, "z": 2})
    py, cy = affine(model, "y", "generative", {"z": 2})
    px, cx = affine(model, "x", "generative", {"y": 1, "z": 2})
    mean_z, cov_z = qz["x"] @ x + bz, 0.4**2 * np.eye(2)
    mean_y = qy["x"] @ x + qy["z"] @ mean_z + by
    # (y, z) jointly: y = A z + noise
    a = qy["z"]
    joint = np.block([[a @ cov_z @ a.T + 0.9**2 * np.eye(1), a @ cov_z], [cov_z @ a.T, cov_z]])
    mean = np.concatenate([mean_y, mean_z])
    total = expected_log_normal(mean_z, cov_z, 1.0)
    for matrix, offset, value, scale in (
        (np.concatenate([np.eye(1), -py["z"]], axis=1), -cy, 0.0, 0.7),
        (np.concatenate([px["y"], px["z"]], axis=1), cx - x, 0.0, 0.5),
    ):
        total += expected_log_normal(matrix @ mean + offset + value, matrix @ joint @ matrix.T, scale)
    entropy_z = 2 * (0.5 + math.log(0.4 * math.sqrt(2 * math.pi)))
    entropy_y = 0.5 + math.log(0.9 * math.sqrt(2 * math.pi))
    return total + entropy_z + entropy_y


def draws(model, rows, count: int, seed: int = 0) -> torch.Tensor:
    many = {name: value.expand(count, *value.shape[1:]) for name, value in rows.items()}
    return model.bound(many, noise=Noise(seed, count)).detach()


def within_four_standard_errors(values: torch.Tensor, exact: float) -> None:
    error = values.std() / math.sqrt(len(values))
    assert abs(values.mean() - exact) < 4 * error, f"{values.mean():.4f} against {exact:.4f}, error {error:.4f}"


def test_the_unlabelled_bound_has_the_closed_form_as_its_mean() -> None:
    model = build()
    rows = {"x": ROWS, "y": torch.full((1, 1), torch.nan, dtype=torch.float64)}
    within_four_standard_errors(draws(model, rows, 40_000), closed_form_elbo(model))


def log_normal(value: np.ndarray, mean: np.ndarray, covariance: np.ndarray) -> float:
    difference = value - mean
    size = len(mean)
    return float(
        -0.5 * (size * math.log(2 * math.pi) + np.linalg.slogdet(covariance)[1])
        - 0.5 * difference @ np.linalg.solve(covariance, difference)
    )


def test_the_labelled_bound_tends_to_its_limit_in_the_number_of_samples() -> None:
    """y below z in q: with many samples L tends to E_q(z|x,y)[log p - log q(y,z|x)] + log q(y|x) (alpha 0)."""
    label = 0.8
    model = build(samples=4000)
    x = ROWS.numpy()[0]
    qz, bz = affine(model, "z", "recognition", {"x": 2})
    qy, by = affine(model, "y", "recognition", {"x": 2, "z": 2})
    mean_z, cov_z = qz["x"] @ x + bz, 0.4**2 * np.eye(2)
    a, offset = qy["z"], qy["x"] @ x + by
    spread = a @ cov_z @ a.T + 0.9**2 * np.eye(1)
    gain = cov_z @ a.T @ np.linalg.inv(spread)
    post_mean = mean_z + gain @ (np.array([label]) - a @ mean_z - offset)
    post_cov = cov_z - gain @ a @ cov_z
    evidence = log_normal(np.array([label]), a @ mean_z + offset, spread)
    py, cy = affine(model, "y", "generative", {"z": 2})
    px, cx = affine(model, "x", "generative", {"y": 1, "z": 2})
    total = expected_log_normal(post_mean, post_cov, 1.0)
    matrix = py["z"]
    total += expected_log_normal(matrix @ post_mean + cy - label, matrix @ post_cov @ matrix.T, 0.7)
    matrix = px["z"]
    total += expected_log_normal(matrix @ post_mean + px["y"][:, 0] * label + cx - x, matrix @ post_cov @ matrix.T, 0.5)
    # log q(y, z | x) = log q(z | x, y) + log q(y | x), and E[-log q(z | x, y)] is that Gaussian's entropy
    total += 0.5 * np.linalg.slogdet(2 * math.pi * math.e * post_cov)[1] - evidence
    exact = total + evidence
    rows = {"x": ROWS, "y": torch.full((1, 1), label, dtype=torch.float64)}
    found = draws(model, rows, 200)
    # self-normalisation is biased of order 1/S: 4000 samples leave it far below the standard error
    within_four_standard_errors(found, exact)


def test_jensen_is_the_mean_of_log_q() -> None:
    """alpha only: 1e6 alpha per nat would show any other bound; E_q(z|x)[log q(y | x, z)] is Gaussian moments."""
    model = build(bound="jensen", samples=2)
    x = ROWS.numpy()[0]
    label = -0.5
    qz, bz = affine(model, "z", "recognition", {"x": 2})
    qy, by = affine(model, "y", "recognition", {"x": 2, "z": 2})
    mean_z, cov_z = qz["x"] @ x + bz, 0.4**2 * np.eye(2)
    a = qy["z"]
    exact = expected_log_normal(a @ mean_z + qy["x"] @ x + by - label, a @ cov_z @ a.T, 0.9)
    rows = {"x": ROWS.expand(40_000, 2), "y": torch.full((40_000, 1), label, dtype=torch.float64)}
    from compiler.symbolic.schedules import ObjectiveWeights

    evaluation = model.evaluate(rows, weights=ObjectiveWeights.at(model.graphs, None, 0.0), noise=Noise(1, 40_000))
    within_four_standard_errors(evaluation.terms["log q(y)"], exact)


@pytest.mark.parametrize("samples", [1, 3])
def test_importance_weights_with_one_sample_leave_the_plain_labelled_bound(samples: int) -> None:
    """S = 1: the weight is one and log w cancels (paper digest 2.3); checked draw by draw against the formula."""
    model = build(samples=samples)
    rows = {"x": ROWS, "y": torch.full((1, 1), 0.2, dtype=torch.float64)}
    found = model.bound(rows, noise=Noise(9, 1))
    scale, eps = 0.4, Noise(9, 1).normal("z", (samples,), (2,), torch.float64)
    zero = {"x": ROWS, "y": rows["y"], "z": torch.zeros(1, 2, dtype=torch.float64)}
    loc = torch.tensor(mean_of(model, "z", "recognition", zero))
    terms, weights = [], []
    for s in range(samples):
        values = {**zero, "z": loc + scale * eps[s]}
        p, q = model.log_prob("generative", values), model.log_prob("recognition", values)
        weights.append(q["y"])
        terms.append(p["x"] + p["y"] + p["z"] - q["z"] - q["y"])
    log_w, inner = torch.stack(weights), torch.stack(terms)
    expected = (torch.softmax(log_w, 0) * inner).sum(0) + torch.logsumexp(log_w, 0) - math.log(samples)
    torch.testing.assert_close(found, expected, atol=1e-10, rtol=0)
