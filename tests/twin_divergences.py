"""Divergences of the naive twin's families: torch's own, or an expectation that the formula is short for."""

from collections.abc import Callable

from torch import Tensor
from torch import distributions as torch_families
from torch.distributions import kl_divergence
from twin_families import TwinDistribution, log_mean_exp, unit_mean
from twin_sphere import log_length, mean_length


def divergence(q: TwinDistribution, p: TwinDistribution) -> Tensor | None:
    """KL(q || p) of each element, [W, *shape] (along an axis of size 1 where elements depend on each other); None for
    pairs without a closed form, which are drawn."""
    known = DIVERGENCES.get((q.family, p.family))
    return known(q, p) if known else None


def _by_torch(first: type, second: type, *names: str) -> Callable[[TwinDistribution, TwinDistribution], Tensor]:
    def found(q: TwinDistribution, p: TwinDistribution) -> Tensor:
        both = (kind(*(d[name] for name in names)) for kind, d in ((first, q), (second, p)))
        return kl_divergence(*both)

    return found


def _finite(q: TwinDistribution, p: TwinDistribution) -> Tensor:
    log_q = q.log_probs()
    return (log_q.exp() * (log_q - p.log_probs())).sum(-1)


def _continuous_bernoulli(q: TwinDistribution, p: TwinDistribution) -> Tensor:
    """log q - log p is linear in the value: its mean is that at the mean of q."""
    slope = q["logits"] - p["logits"]
    return slope * unit_mean(q["logits"]) - log_mean_exp(q["logits"]) + log_mean_exp(p["logits"])


def _dirichlet(q: TwinDistribution, p: TwinDistribution) -> Tensor:
    rank = len(q.shape)
    both = (torch_families.Dirichlet(d["concentration"].movedim(-rank, -1)) for d in (q, p))
    return kl_divergence(*both).unsqueeze(-rank)


def _von_mises_fisher(q: TwinDistribution, p: TwinDistribution) -> Tensor:
    """log q - log p is linear in the vector, whose mean is the mean direction shortened to the mean length."""
    dimension = q.shape[0]
    change = (q["loc"] * (q["concentration"] * q["loc"] - p["concentration"] * p["loc"])).sum(1, keepdim=True)
    lengths = log_length(q["concentration"], dimension) - log_length(p["concentration"], dimension)
    return mean_length(q["concentration"], dimension) * change - lengths


_SAME = (
    ("normal", torch_families.Normal, ("loc", "scale")),
    ("lognormal", torch_families.Normal, ("loc", "scale")),
    ("laplace", torch_families.Laplace, ("loc", "scale")),
    ("gamma", torch_families.Gamma, ("concentration", "rate")),
    ("beta", torch_families.Beta, ("concentration1", "concentration0")),
    ("poisson", torch_families.Poisson, ("rate",)),
)
_CLASSES = ("categorical", "ordered_logistic")
DIVERGENCES: dict[tuple[str, str], Callable[[TwinDistribution, TwinDistribution], Tensor]] = {
    **{(name, name): _by_torch(kind, kind, *names) for name, kind, names in _SAME},
    ("laplace", "normal"): _by_torch(torch_families.Laplace, torch_families.Normal, "loc", "scale"),
    ("bernoulli", "bernoulli"): _finite,
    **{(q, p): _finite for q in _CLASSES for p in _CLASSES},
    ("continuous_bernoulli", "continuous_bernoulli"): _continuous_bernoulli,
    ("dirichlet", "dirichlet"): _dirichlet,
    ("von_mises_fisher", "von_mises_fisher"): _von_mises_fisher,
}
"""Invariant under one map of the value: a lognormal's divergence is that of the logarithms."""
