"""Families of K classes, K >= 2: categorical and ordered_logistic. They differ in their log probabilities alone.

A value is minimum + class (minimum is 0 but for bounded counts), or weights of the classes [..., K].
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from compiler.families.entry import FamilyEntry
from compiler.families.noise_kinds import GUMBEL


def categorical_log_probs(logits: Tensor) -> Tensor:
    """log softmax of logits [..., K]."""
    return F.log_softmax(logits, dim=-1)


def ordered_logistic_log_probs(predictor: Tensor, cutpoints: Tensor) -> Tensor:
    """log P(class k) [..., K]: predictor + logistic noise falls between cutpoints k - 1 and k (McCullagh 1980).

    Between neighbours a < b, sigmoid(b) - sigmoid(a) = sigmoid(b) sigmoid(-a) (1 - exp(a - b)), which loses no digits.
    """
    distance = cutpoints - predictor.unsqueeze(-1)
    below, above = F.logsigmoid(distance), F.logsigmoid(-distance)
    gaps = (distance[..., 1:] - distance[..., :-1]).clamp_min(torch.finfo(distance.dtype).tiny)
    between = below[..., 1:] + above[..., :-1] + torch.log(-torch.expm1(-gaps))
    return torch.cat([below[..., :1], between, above[..., -1:]], dim=-1)


def class_log_prob(value: Tensor, log_probs: Tensor) -> Tensor:
    """Log probability at a one-hot value [..., K]; weights of classes (a relaxed draw) score linearly."""
    return (value * log_probs).sum(-1)


def class_draw(eps: Tensor, log_probs: Tensor, minimum: int) -> Tensor:
    """The class with the largest log probability + Gumbel noise [..., K], as a number."""
    return ((log_probs + eps).argmax(-1) + minimum).to(log_probs.dtype)


def class_relaxed(eps: Tensor, log_probs: Tensor, temperature: float | Tensor) -> Tensor:
    """A Concrete draw: weights of the classes [..., K]."""
    return torch.softmax((log_probs + eps) / temperature, dim=-1)


def hardened(soft: Tensor) -> Tensor:
    """Straight through: the likeliest class in value, the relaxed draw [..., K] in gradient."""
    hard = F.one_hot(soft.argmax(-1), soft.shape[-1]).to(soft.dtype)
    return soft + (hard - soft).detach()


def class_mean(log_probs: Tensor, minimum: int, ordered: bool) -> Tensor:
    """Mean of classes that are numbers, else the likeliest class."""
    if not ordered:
        return class_mode(log_probs, minimum)
    steps = torch.arange(log_probs.shape[-1], dtype=log_probs.dtype, device=log_probs.device)
    return minimum + (log_probs.exp() * steps).sum(-1)


def class_mode(log_probs: Tensor, minimum: int) -> Tensor:
    """The likeliest class, as a number."""
    return (log_probs.argmax(-1) + minimum).to(log_probs.dtype)


def class_kl(log_q: Tensor, log_p: Tensor) -> Tensor:
    """Between two distributions over K classes, from log probabilities [..., K]; finite where they are."""
    return (log_q.exp() * (log_q - log_p)).sum(-1)


def uniform_kl(log_q: Tensor) -> Tensor:
    """To the uniform distribution over K classes, from log probabilities [..., K]: log K less the entropy."""
    return (log_q.exp() * log_q).sum(-1) + math.log(log_q.shape[-1])


ENTRIES: tuple[FamilyEntry, ...] = tuple(
    FamilyEntry(
        name,
        log_prob=class_log_prob,
        noise_kind=GUMBEL,
        mean=class_mean,
        mode=class_mode,
        sample=class_draw,
        log_probs=log_probs,
        by_class=True,
        relaxed=class_relaxed,
        hardened=hardened,
        divergences={"categorical": class_kl, "ordered_logistic": class_kl},
        standard_divergence=uniform_kl,
        standard_uniform=True,
    )
    for name, log_probs in (("categorical", categorical_log_probs), ("ordered_logistic", ordered_logistic_log_probs))
)
