"""discretized_logistic: equally spaced values in [0, 1], each with the mass of a logistic around it.

The bins are as wide as the spacing and centred on the values; the first and the last reach to infinity (PixelCNN++,
Salimans et al. 2017), so the probabilities sum to one.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from compiler.families.distribution import Distribution


class DiscretizedLogistic(Distribution):
    """`levels` values 0, 1 / (levels - 1), ..., 1. A value between two of them counts as the nearer one."""

    def __init__(self, shape: Sequence[int], *, levels: int = 256, **parameters: Tensor) -> None:
        super().__init__(shape, **parameters)
        self.levels = levels

    @property
    def loc(self) -> Tensor:
        """Centre of the logistic, [*lead, *shape]."""
        return self.parameters["loc"]

    @property
    def scale(self) -> Tensor:
        """Scale of the logistic, in units of [0, 1]."""
        return self.parameters["scale"]

    def log_prob_each(self, value: Tensor, *, relaxed: bool = False) -> Tensor:
        """sigmoid(b) - sigmoid(a) = sigmoid(b) sigmoid(-a) (1 - exp(a - b)) between the bin's two ends a < b."""
        steps = self.levels - 1
        level = (value * steps).round()
        width = 1 / (steps * self.scale)
        centre = (level / steps - self.loc) / self.scale
        below, above = F.logsigmoid(centre + 0.5 * width), F.logsigmoid(0.5 * width - centre)
        within = torch.log(-torch.expm1(-width))
        return torch.where(level <= 0, below, torch.where(level >= steps, above, below + above + within))

    def draw(self, eps: Tensor) -> Tensor:
        with torch.no_grad():
            return self._nearest(self.loc + self.scale * torch.logit(eps))

    def _nearest(self, value: Tensor) -> Tensor:
        steps = self.levels - 1
        return (value.clamp(0, 1) * steps).round() / steps

    @property
    def mean(self) -> Tensor:
        """(1 / steps) sum_j P(level >= j), level j beginning half a step below its value."""
        steps = self.levels - 1
        total = torch.zeros(*self.lead, *self.shape, dtype=self.loc.dtype, device=self.loc.device)
        for j in range(1, steps + 1):
            total = total + torch.sigmoid((self.loc - (j - 0.5) / steps) / self.scale)
        return total / steps

    @property
    def mode(self) -> Tensor:
        """The level nearest to the centre, or an end, whose open bin may hold more."""
        nearest = self._nearest(self.loc).expand(*self.lead, *self.shape)
        candidates = torch.stack([nearest, torch.zeros_like(nearest), torch.ones_like(nearest)])
        scores = torch.stack([self.log_prob_each(candidate) for candidate in candidates])
        return torch.take_along_dim(candidates, scores.argmax(0, keepdim=True), dim=0).squeeze(0)
