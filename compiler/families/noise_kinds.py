"""What draws are made of: the noise a family needs, from a model's `Noise` and from an emitted file's generator.

Both ways ask for the same numbers in the same order, so equal seeds give equal draws. The noise never depends on the
parameters: one draw serves every value of an enumerated variable upstream.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from compiler.tensors.noise import Noise

FromNoise: TypeAlias = Callable[[Noise, str, Sequence[int], Sequence[int], Tensor], Tensor]
"""(noise, name of the variable, lead, event and what follows it, like) -> [*lead, B, *event, ...]."""


@dataclass(frozen=True)
class NoiseKind:
    """copied: draws it in an emitted file, from (shape, like, generator); `along_axis`: from (shape, axis, ...).

    drawn: draws it from a model's noise. sizes: dimensions after the event's.
    """

    copied: Callable[..., Tensor]
    drawn: FromNoise
    sizes: tuple[int, ...] = ()
    along_axis: bool = False


PROPOSALS = 8
"""Of a gamma draw (`families.gammas`)."""


def standard_normal(shape: Sequence[int], like: Tensor, generator: torch.Generator) -> Tensor:
    """Standard normal draws, of the dtype and on the device of `like`."""
    return torch.randn(tuple(shape), generator=generator, dtype=like.dtype, device=like.device)


def uniform(shape: Sequence[int], like: Tensor, generator: torch.Generator) -> Tensor:
    """Uniform draws in (0, 1), of the dtype and on the device of `like`."""
    drawn = torch.rand(tuple(shape), generator=generator, dtype=like.dtype, device=like.device)
    return drawn.clamp_min(torch.finfo(like.dtype).tiny)


def gumbel(shape: Sequence[int], like: Tensor, generator: torch.Generator) -> Tensor:
    """Standard Gumbel draws: the class with the largest log probability + draw is a sample."""
    return -(-uniform(shape, like, generator).log()).log()


def gamma_proposals(shape: Sequence[int], like: Tensor, generator: torch.Generator) -> Tensor:
    """[*shape, 2 * PROPOSALS + 1]: normals to propose, uniforms to accept, one uniform for the power."""
    normals = standard_normal((*shape, PROPOSALS), like, generator)
    return torch.cat([normals, uniform((*shape, PROPOSALS + 1), like, generator)], dim=-1)


def count_noise(shape: Sequence[int], like: Tensor, generator: torch.Generator) -> Tensor:
    """[*shape, 2 + gamma noise]: a uniform for the count, one for an extra zero, what draws the rate."""
    uniforms = uniform((*shape, 2), like, generator)
    return torch.cat([uniforms, gamma_proposals(shape, like, generator)], dim=-1)


def sphere_noise(shape: Sequence[int], axis: int, like: Tensor, generator: torch.Generator) -> Tensor:
    """Along `axis` one uniform (how far from the mean direction), then normals (which way)."""
    sizes = list(shape)
    sizes[axis] = 1
    share = uniform(sizes, like, generator)
    sizes[axis] = shape[axis] - 1
    return torch.cat([share, standard_normal(sizes, like, generator)], dim=axis)


def _normals(noise: Noise, name: str, lead: Sequence[int], event: Sequence[int], like: Tensor) -> Tensor:
    return noise.normal(name, lead, event, like.dtype).to(like.device)


def _uniforms(noise: Noise, name: str, lead: Sequence[int], event: Sequence[int], like: Tensor) -> Tensor:
    return noise.uniform(name, lead, event, like.dtype).to(like.device)


def _gumbels(noise: Noise, name: str, lead: Sequence[int], event: Sequence[int], like: Tensor) -> Tensor:
    return -(-_uniforms(noise, name, lead, event, like).log()).log()


def gamma_noise(noise: Noise, name: str, lead: Sequence[int], event: Sequence[int], like: Tensor) -> Tensor:
    """[*lead, B, *event, 2 * PROPOSALS + 1]: the same as `gamma_proposals` from a model's noise."""
    normals = _normals(noise, f"{name}.proposals", lead, (*event, PROPOSALS), like)
    return torch.cat([normals, _uniforms(noise, f"{name}.accept", lead, (*event, PROPOSALS + 1), like)], dim=-1)


def _count_uniforms(noise: Noise, name: str, lead: Sequence[int], event: Sequence[int], like: Tensor) -> Tensor:
    return _uniforms(noise, f"{name}.value", lead, event, like)


def _counts(noise: Noise, name: str, lead: Sequence[int], event: Sequence[int], like: Tensor) -> Tensor:
    uniforms = _count_uniforms(noise, name, lead, (*event, 2), like)
    return torch.cat([uniforms, gamma_noise(noise, name, lead, event, like)], dim=-1)


def _spheres(noise: Noise, name: str, lead: Sequence[int], event: Sequence[int], like: Tensor) -> Tensor:
    share = _uniforms(noise, f"{name}.angle", lead, (1, *event[1:]), like)
    way = _normals(noise, f"{name}.way", lead, (event[0] - 1, *event[1:]), like)
    return torch.cat([share, way], dim=-len(event))


NORMAL: NoiseKind = NoiseKind(standard_normal, _normals)
UNIFORM: NoiseKind = NoiseKind(uniform, _uniforms)
TWO_UNIFORMS: NoiseKind = NoiseKind(uniform, _uniforms, sizes=(2,))
GUMBEL: NoiseKind = NoiseKind(gumbel, _gumbels)
GAMMA: NoiseKind = NoiseKind(gamma_proposals, gamma_noise)
TWO_GAMMAS: NoiseKind = NoiseKind(gamma_proposals, gamma_noise, sizes=(2,))
COUNT_UNIFORMS: NoiseKind = NoiseKind(uniform, _count_uniforms, sizes=(2,))
COUNT: NoiseKind = NoiseKind(count_noise, _counts)
SPHERE: NoiseKind = NoiseKind(sphere_noise, _spheres, along_axis=True)
