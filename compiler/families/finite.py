"""bernoulli, categorical and ordered_logistic: finitely many values.

A bernoulli's value is a number; values between 0 and 1 (grey pixels, relaxed draws) score linearly. A value of K >= 2
classes is minimum + class (minimum is 0 but for bounded counts), or weights of the classes [..., K]. Families of
classes differ in their log probabilities alone.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from compiler.families.entry import FamilyEntry, Function
from compiler.families.noise_kinds import GUMBEL, UNIFORM
from compiler.tensors.broadcasting import broadcast_pair
from compiler.tensors.exact_chains import NEVER


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


def bernoulli_kl(q: Tensor, p: Tensor) -> Tensor:
    """Between two Bernoullis, from their logits."""
    return torch.sigmoid(q) * (q - p) + F.softplus(p) - F.softplus(q)


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


def certain_log_probs(value: Tensor, classes: int, minimum: int) -> Tensor:
    """0 of the class that is computed and NEVER of all others, [..., K]."""
    numbers = torch.arange(minimum, minimum + classes, dtype=value.dtype, device=value.device)
    other = (value.unsqueeze(-1) - numbers).abs() > 0.5
    return other.to(value.dtype) * NEVER


def bernoulli_mean(logits: Tensor) -> Tensor:
    """The probability of one."""
    return torch.sigmoid(logits)


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


def class_entry(name: str, log_probs: Function, *, standard_uniform: bool, others: Sequence[str] = ()) -> FamilyEntry:
    """A family of classes. others: those that it has a divergence to, beside itself."""
    return FamilyEntry(
        name, class_log_prob, GUMBEL, sample=class_draw, log_probs=log_probs, by_class=True,
        mean=class_mean, mode=class_mode, relaxed=class_relaxed, hardened=hardened,
        divergences=dict.fromkeys((name, *others), class_kl),
        standard_divergence=uniform_kl, standard_uniform=standard_uniform,
    )  # fmt: skip


ENTRIES: tuple[FamilyEntry, ...] = (
    FamilyEntry(
        "bernoulli", bernoulli_log_prob, UNIFORM, sample=bernoulli_draw, log_probs=bernoulli_log_probs,
        mean=bernoulli_mean, mode=lambda logits: (logits > 0).to(logits.dtype),
        relaxed=bernoulli_relaxed, hardened=rounded,
        divergences={"bernoulli": bernoulli_kl}, standard_uniform=True, kernel="bernoulli",
    ),
    class_entry("categorical", categorical_log_probs, standard_uniform=True, others=["ordered_logistic"]),
    replace(
        class_entry("certain", certain_log_probs, standard_uniform=False),
        divergences={}, standard_divergence=None, relaxed=None, hardened=None,
    ),
    class_entry("ordered_logistic", ordered_logistic_log_probs, standard_uniform=True, others=["categorical"]),
)  # fmt: skip
