"""M2 by hand in eager PyTorch: q(y | x) q(z | x, y), p(y) p(z) p(x | y, z), one hidden layer of 500 each."""

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.hand import HandWritten, bernoulli, divergence, normal, perceptron
from benchmarks.settings import CLASSES, PIXELS

HIDDEN, STYLE = 500, 50


class HandM2(HandWritten):
    """The digit summed: all ten classes of every unlabelled image in one batch, one-hot and concatenated."""

    def build(self) -> None:
        self.q_y = perceptron(PIXELS, HIDDEN, CLASSES, activation=nn.Softplus)
        self.q_z = perceptron(PIXELS + CLASSES, HIDDEN, 2 * STYLE, activation=nn.Softplus)
        self.p_x = perceptron(CLASSES + STYLE, HIDDEN, PIXELS, activation=nn.Softplus)

    def loss(self, unlabelled: Tensor, labelled: Tensor, labels: Tensor, eps: Mapping[str, Tensor] | None) -> Tensor:
        first, second = None, None
        if eps is not None:
            first, second = eps["z"][0].split([len(unlabelled), len(labelled)])
        y = F.one_hot(labels, CLASSES).to(labelled.dtype)
        log_q = F.log_softmax(self.q_y(labelled), dim=-1)
        bound = self.bound(labelled, y, second) + self.setting.alpha * (y * log_q).sum(-1)
        without = self.without_label(unlabelled, first, None if eps is None else eps["y"][0, : len(unlabelled)])
        return -0.5 * without.mean() - 0.5 * bound.mean()

    def bound(self, x: Tensor, y: Tensor, eps: Tensor | None) -> Tensor:
        """E_q(z | x, y)[log p(x | y, z)] - KL(q(z | x, y) || p(z)) + log p(y), [B] nats. y: [B, classes]."""
        log_px, kl = self.parts(x, y, eps)
        return log_px - kl - math.log(CLASSES)

    def parts(self, x: Tensor, y: Tensor, eps: Tensor | None) -> tuple[Tensor, Tensor]:
        """One draw's log p(x | y, z), and KL(q(z | x, y) || p(z)): [B] nats each."""
        loc, scale = normal(self.q_z(torch.cat([x, y], dim=1)))
        z = loc + scale * (torch.randn_like(loc) if eps is None else eps)
        return bernoulli(self.p_x(torch.cat([y, z], dim=1)), x), divergence(loc, scale)

    def without_label(self, x: Tensor, eps: Tensor | None, uniform: Tensor | None) -> Tensor:
        """sum_y q(y | x) (bound(x, y) - log q(y | x)), [B] nats."""
        log_q = F.log_softmax(self.q_y(x), dim=-1)
        y = torch.eye(CLASSES, dtype=x.dtype, device=x.device).repeat_interleave(len(x), dim=0)
        bound = self.bound(x.repeat(CLASSES, 1), y, None if eps is None else eps.repeat(CLASSES, 1))
        return (log_q.exp() * (bound.view(CLASSES, len(x)).t() - log_q)).sum(-1)


class HandRelaxedM2(HandM2):
    """One draw of the digit from the Concrete distribution; its divergence from p(y) in closed form."""

    def without_label(self, x: Tensor, eps: Tensor | None, uniform: Tensor | None) -> Tensor:
        """log p(x | y, z) - KL(q(y | x) || p(y)) - KL(q(z | x, y) || p(z)) at one relaxed y, [B] nats."""
        log_q = F.log_softmax(self.q_y(x), dim=-1)
        if uniform is None:
            uniform = torch.rand_like(log_q).clamp_min(torch.finfo(log_q.dtype).tiny)
        assert self.setting.temperature is not None
        y = F.softmax((log_q - (-uniform.log()).log()) / self.setting.temperature, dim=-1)
        log_px, kl = self.parts(x, y.to(x.dtype), eps)
        kl_y = (log_q.exp() * (log_q + math.log(CLASSES))).sum(-1)
        return log_px - kl_y - kl
