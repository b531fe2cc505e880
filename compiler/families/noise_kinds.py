"""What draws are made of: the noise that a family needs, which never depends on its parameters, so that one draw serves
every value of an enumerated variable upstream. Emitted files hold a copy.
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
    """drawn: draws it, under the name of a variable. sizes: dimensions after the event's."""

    drawn: FromNoise
    sizes: tuple[int, ...] = ()


PROPOSALS = 8
"""Of a gamma draw (`families.gammas`)."""


def normals(noise: Noise, name: str, lead: Sequence[int], event: Sequence[int], like: Tensor) -> Tensor:
    """Standard normal draws, of the dtype and on the device of `like`."""
    return noise.normal(name, lead, event, like.dtype).to(like.device)


def uniforms(noise: Noise, name: str, lead: Sequence[int], event: Sequence[int], like: Tensor) -> Tensor:
    """Uniform draws in (0, 1)."""
    return noise.uniform(name, lead, event, like.dtype).to(like.device)


def gumbels(noise: Noise, name: str, lead: Sequence[int], event: Sequence[int], like: Tensor) -> Tensor:
    """Standard Gumbel draws: the class with the largest log probability + draw is a sample."""
    return -(-uniforms(noise, name, lead, event, like).log()).log()


def gamma_noise(noise: Noise, name: str, lead: Sequence[int], event: Sequence[int], like: Tensor) -> Tensor:
    """[*lead, B, *event, 2 * PROPOSALS + 1]: normals to propose, uniforms to accept, one uniform for the power."""
    proposed = normals(noise, f"{name}.proposals", lead, (*event, PROPOSALS), like)
    return torch.cat([proposed, uniforms(noise, f"{name}.accept", lead, (*event, PROPOSALS + 1), like)], dim=-1)


def count_uniforms(noise: Noise, name: str, lead: Sequence[int], event: Sequence[int], like: Tensor) -> Tensor:
    """A uniform for the count, one for an extra zero."""
    return uniforms(noise, f"{name}.value", lead, event, like)


def count_noise(noise: Noise, name: str, lead: Sequence[int], event: Sequence[int], like: Tensor) -> Tensor:
    """[*lead, B, *event, 2 + gamma noise]: the uniforms of a count, and what draws its rate."""
    both = count_uniforms(noise, name, lead, (*event, 2), like)
    return torch.cat([both, gamma_noise(noise, name, lead, event, like)], dim=-1)


def sphere_noise(noise: Noise, name: str, lead: Sequence[int], event: Sequence[int], like: Tensor) -> Tensor:
    """Along the event's first axis one uniform (how far from the mean direction), then normals (which way)."""
    share = uniforms(noise, f"{name}.angle", lead, (1, *event[1:]), like)
    way = normals(noise, f"{name}.way", lead, (event[0] - 1, *event[1:]), like)
    return torch.cat([share, way], dim=-len(event))


NORMAL: NoiseKind = NoiseKind(normals)
UNIFORM: NoiseKind = NoiseKind(uniforms)
TWO_UNIFORMS: NoiseKind = NoiseKind(uniforms, (2,))
GUMBEL: NoiseKind = NoiseKind(gumbels)
GAMMA: NoiseKind = NoiseKind(gamma_noise)
TWO_GAMMAS: NoiseKind = NoiseKind(gamma_noise, (2,))
COUNT_UNIFORMS: NoiseKind = NoiseKind(count_uniforms, (2,))
COUNT: NoiseKind = NoiseKind(count_noise)
SPHERE: NoiseKind = NoiseKind(sphere_noise)
