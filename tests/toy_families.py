"""Two families that the product does not know: a logistic, and a binomial over the values of a bounded count."""

import torch
import torch.nn.functional as F
from torch import Tensor

from compiler.families.entry import FamilyEntry
from compiler.families.finite import class_entry
from compiler.families.noise_kinds import UNIFORM
from graphspec.language.families import Family, ParameterInfo


def logistic_log_prob(value: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
    """log of sigmoid(s) sigmoid(-s) / scale, s = (x - loc) / scale."""
    apart = (value - loc) / scale
    return F.logsigmoid(apart) + F.logsigmoid(-apart) - scale.log()


def logistic_draw(u: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
    """The inverse distribution function."""
    return loc + scale * torch.logit(u)


def binomial_log_probs(logits: Tensor, classes: int) -> Tensor:
    """Of 0, 1, ..., classes - 1 successes, [..., K]."""
    k = torch.arange(classes, dtype=logits.dtype, device=logits.device)
    ways = torch.lgamma(k.new_tensor(classes)) - torch.lgamma(k + 1) - torch.lgamma(classes - k)
    each = logits.unsqueeze(-1)
    return ways + k * F.logsigmoid(each) + (classes - 1 - k) * F.logsigmoid(-each)


ROWS: tuple[Family, ...] = (
    Family(
        "logistic",
        frozenset({"real"}),
        (ParameterInfo("loc", "identity", 0.0), ParameterInfo("scale", "softplus", 1.0, floor=1e-3, minimum=0.0)),
        "loc",
        reparameterized=True,
    ),
    Family(
        "binomial",
        frozenset({"count"}),
        (ParameterInfo("logits", "identity", 0.0),),
        discrete=True,
        bounded=True,
        closed_kl=frozenset({"binomial"}),
    ),
)
ENTRIES: tuple[FamilyEntry, ...] = (
    FamilyEntry(
        "logistic", logistic_log_prob, UNIFORM, draw=logistic_draw,
        mean=lambda loc, scale: loc, mode=lambda loc, scale: loc,
    ),
    class_entry("binomial", binomial_log_probs, standard_uniform=False),
)  # fmt: skip
