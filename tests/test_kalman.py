"""A linear-Gaussian state space model whose q is the posterior: what is drawn along it has the Kalman filter's evidence."""

import math

import torch
from test_plates import DOUBLE

from compiler import compile_spec
from compiler.factors.links import inverse_softplus
from compiler.tensors.noise import Noise
from graphspec.language.families import SCALE_FLOOR
from graphspec.loading import load

STEPS, A, C, S, R, FIRST = 5, 0.8, 1.3, 0.6, 0.5, 0.7
SPEC = f"""
graphspec: 1
plates: {{time: {{size: {STEPS}, ordered: true}}}}
variables:
  x: {{role: observed, size: 1, plate: time}}
  z: {{role: latent, size: 1, plate: time}}
  b: {{role: deterministic, size: 1, plate: time}}
generative:
  z: {{parents: [z@previous], network: {{kind: linear}}, parameters: {{scale: {S}}}}}
  x: {{parents: [z], network: {{kind: linear}}, parameters: {{scale: {R}}}}}
recognition:
  b: {{parents: [b@next, x, time], network: {{kind: linear, by: time}}}}
  z: {{parents: [z@previous, b, time], network: {{kind: linear, by: time}}}}
"""


def kalman_evidence(x: torch.Tensor) -> float:
    """log p(x) of one sequence, forward in time."""
    mean, variance, total = FIRST, S**2, 0.0
    for value in x.tolist():
        spread = C**2 * variance + R**2
        total += -0.5 * ((value - C * mean) ** 2 / spread + math.log(2 * math.pi * spread))
        gain = variance * C / spread
        mean, variance = mean + gain * (value - C * mean), (1 - gain * C) * variance
        mean, variance = A * mean, A**2 * variance + S**2
    return total


def model_at_the_posterior():
    """b gathers what comes later as the information filter does, from behind; z leans on it and on the state before."""
    model = compile_spec(load("-", text=SPEC), dtype=DOUBLE)
    weights = dict(model.named_parameters())
    for parameter in weights.values():
        parameter.data.zero_()
    p_z, p_x, f_b, q_z = (
        f"factors.{n}" for n in ("generative--z", "generative--x", "recognition--b", "recognition--z")
    )

    def at(part: str, end: str) -> torch.Tensor:
        (found,) = (value for name, value in weights.items() if name.startswith(part) and name.endswith(end))
        return found.data

    at(p_z, "from_z@previous.weight").fill_(A)
    at(p_z, "from_z@previous present.weight").fill_(-FIRST)
    at(p_z, "bias").fill_(FIRST)
    at(p_x, "from_z.weight").fill_(C)
    precision = 0.0  # of what x_t, x_t+1, .. say of z_t
    start = inverse_softplus(1 - SCALE_FLOOR)
    for step in reversed(range(STEPS)):
        at(f_b, "from_b@next")[step] = A / (1 + S**2 * precision)
        at(f_b, "from_x")[step] = C / R**2
        precision = A**2 * precision / (1 + S**2 * precision) + C**2 / R**2
        variance = 1 / (1 / S**2 + precision)
        at(q_z, "from_b")[step, 0] = variance
        at(q_z, "from_z@previous")[step, 0] = variance * A / S**2
        at(q_z, "bias")[step, 1] = inverse_softplus(math.sqrt(variance) - SCALE_FLOOR) - start
    at(q_z, "bias")[0, 0] = variance * FIRST / S**2
    return model


def test_the_evidence_is_the_kalman_filters() -> None:
    """At every draw, log p(x, z) - log q(z | x) is log p(x); the bound, whose divergences are closed, is so in the mean."""
    model = model_at_the_posterior()
    x = torch.randn(3, STEPS, 1, generator=torch.Generator().manual_seed(2), dtype=DOUBLE)
    expected = torch.tensor([kalman_evidence(row[:, 0]) for row in x], dtype=DOUBLE)
    drawn = model.infer({"x": x}, samples=1, noise=Noise(0, 3))
    values = {"x": x, "z": drawn["z"][0]}
    joint, posterior = model.log_prob("generative", values), model.log_prob("recognition", values)
    torch.testing.assert_close(joint["x"] + joint["z"] - posterior["z"], expected, atol=1e-9, rtol=0)
    many = model.bound({"x": x.repeat_interleave(4000, 0)}, noise=Noise(1, 12000)).reshape(3, 4000)
    error = many.std(1) / math.sqrt(4000)
    assert ((many.mean(1) - expected).abs() < 4 * error).all()
