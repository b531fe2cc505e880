"""Gamma draws as a function of noise that knows no parameter, so that beta and dirichlet share noise like a normal.

Marsaglia and Tsang (2000) propose d (1 + c n)^3 from a standard normal n, d = alpha - 1/3, c = 1 / sqrt(9 d), and
accept with probability above 0.95 for alpha >= 1. Here a fixed number of proposals is drawn beforehand and the first
accepted one is taken; all fail with probability below 1e-10. Smaller alpha: G(alpha) = G(alpha + 1) U^(1 / alpha),
kept as a logarithm, since such draws underflow. The derivative in alpha is the implicit one (Figurnov et al. 2018).
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from compiler.tensors.noise import Noise

PROPOSALS = 8


def gamma_noise(noise: Noise, name: str, lead: Sequence[int], event: Sequence[int], like: Tensor) -> Tensor:
    """[*lead, B, *event, 2 * PROPOSALS + 1]: normals, uniforms that accept, and one uniform for the power."""
    normals = noise.normal(f"{name}.proposals", lead, (*event, PROPOSALS), like.dtype)
    uniforms = noise.uniform(f"{name}.accept", lead, (*event, PROPOSALS + 1), like.dtype)
    return torch.cat([normals, uniforms], dim=-1).to(like.device)


def log_gamma_draw(concentration: Tensor, eps: Tensor) -> Tensor:
    """log of a Gamma(concentration, rate 1) draw; eps [..., 2 * PROPOSALS + 1] broadcasts against [...]."""
    drawn: Tensor = _StandardGamma.apply(concentration + 1, eps[..., :-1])  # type: ignore[no-untyped-call]
    return drawn.log() + eps[..., -1].log() / concentration


class _StandardGamma(torch.autograd.Function):
    """Gamma(alpha, 1) for alpha >= 1 from given proposals, with the implicit derivative in alpha."""

    @staticmethod
    def forward(ctx: Any, alpha: Tensor, eps: Tensor) -> Tensor:
        normals, uniforms = eps[..., :PROPOSALS], eps[..., PROPOSALS:]
        d = (alpha - 1 / 3).unsqueeze(-1)
        cube = (1 + normals / (9 * d).sqrt()) ** 3
        positive = cube > 0
        log_cube = torch.where(positive, cube, torch.ones_like(cube)).log()
        accepted = positive & (uniforms.log() < 0.5 * normals**2 + d * (1 - cube + log_cube))
        first = accepted.to(torch.int8).argmax(-1, keepdim=True)
        drawn = torch.take_along_dim(d * cube, first, dim=-1).squeeze(-1)
        drawn = drawn.clamp_min(torch.finfo(drawn.dtype).tiny)
        ctx.save_for_backward(alpha.expand_as(drawn), drawn)
        ctx.shape = alpha.shape
        return drawn

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        alpha, drawn = ctx.saved_tensors
        slope = torch._standard_gamma_grad(alpha, drawn)
        return (gradients[0] * slope).sum_to_size(ctx.shape), None
