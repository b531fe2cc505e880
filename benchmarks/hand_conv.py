"""M2 with one convolutional trunk (specs/mnist-m2-conv.yaml) by hand in eager PyTorch, in torch's default layout."""

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.hand import HandWritten, bernoulli, divergence, normal, perceptron
from benchmarks.settings import CLASSES, PIXELS

FEATURES, STYLE = 256, 50


class HandConvM2(HandWritten):
    """Features of x for q(y | h) and q(z | h, y), batch normalised over all rows of the step; the digit summed."""

    def build(self) -> None:
        self.trunk = nn.Sequential(
            *(nn.Conv2d(1, 16, kernel_size=5, stride=2, padding=2), nn.BatchNorm2d(16), nn.ReLU()),
            *(nn.Conv2d(16, 32, kernel_size=5, stride=2, padding=2), nn.BatchNorm2d(32), nn.ReLU()),
            *(nn.Flatten(), nn.Linear(32 * 7 * 7, FEATURES), nn.BatchNorm1d(FEATURES), nn.ReLU()),
        )
        self.q_y = nn.Sequential(nn.Linear(FEATURES, CLASSES))
        self.q_z = nn.Sequential(nn.Linear(FEATURES + CLASSES, 2 * STYLE))
        self.p_x = perceptron(CLASSES + STYLE, 500, 500, PIXELS, activation=nn.ReLU)

    def loss(self, unlabelled: Tensor, labelled: Tensor, labels: Tensor, eps: Mapping[str, Tensor] | None) -> Tensor:
        counts = [len(unlabelled), len(labelled)]
        h = self.trunk(torch.cat([unlabelled, labelled]).view(-1, 1, 28, 28))
        noise = torch.randn(sum(counts), STYLE, dtype=self.dtype, device=h.device) if eps is None else eps["z"][0]
        (h_first, h_second), (first, second) = h.split(counts), noise.split(counts)
        y = F.one_hot(labels, CLASSES).to(self.dtype)
        log_q = F.log_softmax(self.q_y(h_second), dim=-1)
        bound = self.bound(labelled, h_second, y, second) + self.setting.alpha * (y * log_q).sum(-1)
        return -0.5 * self.without_label(unlabelled, h_first, first).mean() - 0.5 * bound.mean()

    def bound(self, x: Tensor, h: Tensor, y: Tensor, eps: Tensor) -> Tensor:
        """log p(x | y, z) - KL(q(z | h, y) || p(z)) + log p(y), [B] nats. y: [B, classes]."""
        loc, scale = normal(self.q_z(torch.cat([h, y], dim=1)))
        z = loc + scale * eps
        return bernoulli(self.p_x(torch.cat([y, z], dim=1)), x) - divergence(loc, scale) - math.log(CLASSES)

    def without_label(self, x: Tensor, h: Tensor, eps: Tensor) -> Tensor:
        """sum_y q(y | h) (bound(x, y) - log q(y | h)), [B] nats."""
        log_q = F.log_softmax(self.q_y(h), dim=-1)
        y = torch.eye(CLASSES, dtype=x.dtype, device=x.device).repeat_interleave(len(x), dim=0)
        bound = self.bound(x.repeat(CLASSES, 1), h.repeat(CLASSES, 1), y, eps.repeat(CLASSES, 1))
        return (log_q.exp() * (bound.view(CLASSES, len(x)).t() - log_q)).sum(-1)
