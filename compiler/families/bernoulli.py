"""bernoulli: zero or one, from log odds. Values between (grey pixels, relaxed draws) score linearly."""

import torch
import torch.nn.functional as F
from torch import Tensor

from compiler.families.entry import FamilyEntry
from compiler.families.noise_kinds import UNIFORM
from compiler.tensors.broadcasting import broadcast_pair


def bernoulli_log_prob(value: Tensor, logits: Tensor) -> Tensor:
    """v log p + (1 - v) log(1 - p); values between 0 and 1 (grey pixels, relaxed draws) score linearly."""
    logits, target = broadcast_pair(logits, value.to(logits.dtype))
    return -F.binary_cross_entropy_with_logits(logits, target, reduction="none")


def bernoulli_log_probs(logits: Tensor) -> Tensor:
    """Of zero and of one, [..., 2]."""
    return torch.stack([F.logsigmoid(-logits), F.logsigmoid(logits)], dim=-1)


def bernoulli_draw(u: Tensor, logits: Tensor) -> Tensor:
    """One where logits + logit(u) is positive, which happens with probability sigmoid(logits)."""
    return (logits + torch.logit(u) > 0).to(logits.dtype)


def bernoulli_relaxed(u: Tensor, logits: Tensor, temperature: float | Tensor) -> Tensor:
    """A Concrete draw of the probability of one."""
    return torch.sigmoid((logits + torch.logit(u)) / temperature)


def rounded(soft: Tensor) -> Tensor:
    """Straight through: zero or one in value, the relaxed draw in gradient."""
    return soft + ((soft > 0.5).to(soft.dtype) - soft).detach()


def bernoulli_mean(logits: Tensor) -> Tensor:
    """Probability of one."""
    return torch.sigmoid(logits)


def bernoulli_mode(logits: Tensor) -> Tensor:
    """Zero or one."""
    return (logits > 0).to(logits.dtype)


def bernoulli_kl(q: Tensor, p: Tensor) -> Tensor:
    """Between two Bernoullis, from their logits."""
    return torch.sigmoid(q) * (q - p) + F.softplus(p) - F.softplus(q)


ENTRIES: tuple[FamilyEntry, ...] = (
    FamilyEntry(
        "bernoulli",
        log_prob=bernoulli_log_prob,
        noise_kind=UNIFORM,
        mean=bernoulli_mean,
        mode=bernoulli_mode,
        sample=bernoulli_draw,
        log_probs=bernoulli_log_probs,
        relaxed=bernoulli_relaxed,
        hardened=rounded,
        divergences={"bernoulli": bernoulli_kl},
        standard_uniform=True,
        kernel="bernoulli",
    ),
)
