"""Bernoulli, categorical and ordered_logistic: finitely many values, log probabilities straight from logits."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from compiler.families.distribution import Distribution
from compiler.tensors.broadcasting import broadcast_pair
from compiler.tensors.noise import Noise


class Bernoulli(Distribution):
    """Zero or one. Values between (grey pixels, relaxed draws) score linearly: v log p + (1 - v) log(1 - p)."""

    finite = True
    fused = ("bernoulli", "logits")

    @property
    def logits(self) -> Tensor:
        """log p - log(1 - p), [*lead, *shape]."""
        return self.parameters["logits"]

    def log_prob_each(self, value: Tensor, *, relaxed: bool = False) -> Tensor:
        logits, target = broadcast_pair(self.logits, value.to(self.logits.dtype))
        return -F.binary_cross_entropy_with_logits(logits, target, reduction="none")

    def log_probs(self) -> Tensor:
        return torch.stack([F.logsigmoid(-self.logits), F.logsigmoid(self.logits)], dim=-1)

    def draw(self, eps: Tensor) -> Tensor:
        """One where logits + logit(eps) is positive, which happens with probability sigmoid(logits)."""
        return (self.logits.detach() + torch.logit(eps) > 0).to(self.logits.dtype)

    def relaxed(self, eps: Tensor, temperature: float | Tensor, *, straight_through: bool = False) -> Tensor:
        soft = torch.sigmoid((self.logits + torch.logit(eps)) / temperature)
        return soft + ((soft > 0.5).to(soft.dtype) - soft).detach() if straight_through else soft

    @property
    def mean(self) -> Tensor:
        """Probability of one."""
        return torch.sigmoid(self.logits)

    @property
    def mode(self) -> Tensor:
        return (self.logits > 0).to(self.logits.dtype)


class Finite(Distribution):
    """K classes per element, K >= 2. A value is minimum + class index (minimum is 0 but for bounded counts).

    ordered: values are numbers, so a mean exists.
    """

    finite = True

    def __init__(self, shape: Sequence[int], *, minimum: int = 0, ordered: bool = False, **parameters: Tensor) -> None:
        super().__init__(shape, **parameters)
        self.minimum = minimum
        self.ordered = ordered

    @property
    def classes(self) -> int:
        """K."""
        return self.log_probs().shape[-1]

    def log_prob_each(self, value: Tensor, *, relaxed: bool = False) -> Tensor:
        log_probs = self.log_probs()
        if relaxed:
            return (value * log_probs).sum(-1)
        index = (value - self.minimum).long().unsqueeze(-1)
        return torch.take_along_dim(*_same_rank(log_probs, index), dim=-1).squeeze(-1)

    def standard_noise(self, noise: Noise, name: str, lead: Sequence[int] = ()) -> Tensor:
        """Standard Gumbel noise, one value per class."""
        uniform = noise.uniform(name, lead, (*self.shape, self.classes), self.like.dtype).to(self.like.device)
        return -(-uniform.log()).log()

    def draw(self, eps: Tensor) -> Tensor:
        return self._value((self.log_probs().detach() + eps).argmax(-1))

    def relaxed(self, eps: Tensor, temperature: float | Tensor, *, straight_through: bool = False) -> Tensor:
        soft = torch.softmax((self.log_probs() + eps) / temperature, dim=-1)
        if not straight_through:
            return soft
        hard = F.one_hot(soft.argmax(-1), soft.shape[-1]).to(soft.dtype)
        return soft + (hard - soft).detach()

    @property
    def mean(self) -> Tensor:
        if not self.ordered:
            return self.mode
        probabilities = self.probabilities
        steps = torch.arange(probabilities.shape[-1], dtype=probabilities.dtype, device=probabilities.device)
        return self.minimum + (probabilities * steps).sum(-1)

    @property
    def mode(self) -> Tensor:
        return self._value(self.log_probs().argmax(-1))

    def _value(self, index: Tensor) -> Tensor:
        return (index + self.minimum).to(self.like.dtype)


class Categorical(Finite):
    """Class k with probability softmax(logits)_k; logits are [*lead, *shape, K]."""

    trailing = {"logits": 1}  # noqa: RUF012

    @property
    def classes(self) -> int:
        return self.stored["logits"].shape[-1]

    def log_probs(self) -> Tensor:
        return torch.log_softmax(self.parameters["logits"], dim=-1)


class OrderedLogistic(Finite):
    """Class k where predictor + standard logistic noise falls between cutpoints k - 1 and k (K - 1 of them, rising).

    P(Y <= k) = sigmoid(c_k - predictor) (McCullagh 1980). For neighbours a < b,
    sigmoid(b) - sigmoid(a) = sigmoid(b) sigmoid(-a) (1 - exp(a - b)), which loses no digits anywhere.
    """

    trailing = {"cutpoints": 1}  # noqa: RUF012

    def log_probs(self) -> Tensor:
        distance = self.parameters["cutpoints"] - self.parameters["predictor"].unsqueeze(-1)
        below, above = F.logsigmoid(distance), F.logsigmoid(-distance)
        gaps = (distance[..., 1:] - distance[..., :-1]).clamp_min(torch.finfo(distance.dtype).tiny)
        between = below[..., 1:] + above[..., :-1] + torch.log(-torch.expm1(-gaps))
        return torch.cat([below[..., :1], between, above[..., -1:]], dim=-1)


def _same_rank(left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    """Both with as many dimensions, new ones in front."""
    rank = max(left.dim(), right.dim())
    return (
        left.reshape((1,) * (rank - left.dim()) + left.shape),
        right.reshape((1,) * (rank - right.dim()) + right.shape),
    )
