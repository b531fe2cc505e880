"""von Mises-Fisher for the naive twin: integrals over the polar angle by Gauss and Legendre, differentiated as they are.

With t the angle between a direction and the mean, the density of t is proportional to exp(k cos t) sin(t)^(d - 2).
"""

import math

import numpy as np
import torch
from torch import Tensor

NODES = 100
"""Enough for concentrations up to some hundred."""
HALVINGS = 60


def log_length(concentration: Tensor, dimension: int) -> Tensor:
    """log of the integral of exp(k mu . x) over the unit sphere of R^d."""
    around = math.log(2) + 0.5 * (dimension - 1) * math.log(math.pi) - math.lgamma(0.5 * (dimension - 1))
    return concentration + around + _mass(concentration, torch.full_like(concentration, math.pi), dimension).log()


def mean_length(concentration: Tensor, dimension: int) -> Tensor:
    """Mean cosine to the mean direction."""
    angles, weights = _nodes(torch.full_like(concentration, math.pi))
    density = _density(concentration.unsqueeze(-1), angles, dimension) * weights
    return (density * torch.cos(angles)).sum(-1) / density.sum(-1)


def directions(loc: Tensor, concentration: Tensor, share: Tensor, way: Tensor) -> Tensor:
    """The vectors [W, d, *rest] whose angle to loc has the share `share` [W, 1, *rest] below it, towards `way`
    [W, d - 1, *rest]: drawn around plus or minus the first unit vector, then mirrored onto loc (Householder)."""
    angle = _angle(concentration, share, loc.shape[1])
    around = torch.sin(angle) * way / (way**2).sum(1, keepdim=True).sqrt()
    side = torch.where(loc[:, :1] < 0, -1.0, 1.0).to(loc.dtype)
    lead = max(len(loc), len(around))
    drawn = torch.cat(
        [(-side * torch.cos(angle)).expand(lead, 1, *loc.shape[2:]), around.expand(lead, *around.shape[1:])], 1
    )
    normal = torch.cat([loc[:, :1] + side, loc[:, 1:]], 1)
    return drawn - 2 * normal * (normal * drawn).sum(1, keepdim=True) / (normal**2).sum(1, keepdim=True)


def _angle(concentration: Tensor, share: Tensor, dimension: int) -> Tensor:
    """By halving; a step of Newton's that knows the concentration gives the derivative (implicit function theorem)."""
    concentration, share = torch.broadcast_tensors(concentration, share)
    whole = _mass(concentration, torch.full_like(share, math.pi), dimension)
    with torch.no_grad():
        low, high = torch.zeros_like(share), torch.full_like(share, math.pi)
        for _ in range(HALVINGS):
            middle = 0.5 * (low + high)
            below = _mass(concentration, middle, dimension) < share * whole
            low, high = torch.where(below, middle, low), torch.where(below, high, middle)
        found = 0.5 * (low + high)
        slope = _density(concentration, found, dimension) / whole
    return found - (_mass(concentration, found, dimension) / whole - share) / slope


def _mass(concentration: Tensor, end: Tensor, dimension: int) -> Tensor:
    """Integral of the angle's density from 0 to `end`, times exp(-k)."""
    angles, weights = _nodes(end)
    return (_density(concentration.unsqueeze(-1), angles, dimension) * weights).sum(-1)


def _density(concentration: Tensor, angle: Tensor, dimension: int) -> Tensor:
    return torch.exp(concentration * (torch.cos(angle) - 1)) * torch.sin(angle) ** (dimension - 2)


def _nodes(end: Tensor) -> tuple[Tensor, Tensor]:
    """Angles between 0 and `end`, and their weights, [*end, NODES]."""
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    half = 0.5 * end.unsqueeze(-1)
    return half * torch.as_tensor(nodes + 1), half * torch.as_tensor(weights)
