"""The auxiliary model (specs/adgm.yaml) by hand in eager PyTorch: q(a | x) q(y | a, x) q(z | a, x, y)."""

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.hand import HALF_LOG_TWO_PI, HandWritten, bernoulli, divergence, normal, perceptron
from benchmarks.settings import CLASSES, PIXELS

SIZE = 100
"""Of a and of z."""


class HandADGM(HandWritten):
    """`samples` draws of a, one of z given each (and each digit); the digit summed, all classes in one batch."""

    def build(self) -> None:
        hidden = (500, 500)
        self.q_a = perceptron(PIXELS, *hidden, 2 * SIZE, activation=nn.ReLU)
        self.q_y = perceptron(SIZE + PIXELS, *hidden, CLASSES, activation=nn.ReLU)
        self.q_z = perceptron(SIZE + PIXELS + CLASSES, *hidden, 2 * SIZE, activation=nn.ReLU)
        self.p_x = perceptron(CLASSES + SIZE, *hidden, PIXELS, activation=nn.ReLU)
        self.p_a = perceptron(PIXELS + CLASSES + SIZE, *hidden, 2 * SIZE, activation=nn.ReLU)

    def loss(self, unlabelled: Tensor, labelled: Tensor, labels: Tensor, eps: Mapping[str, Tensor] | None) -> Tensor:
        if eps is None:
            shape = (self.setting.samples, len(unlabelled) + len(labelled), SIZE)
            eps = {name: torch.randn(shape, dtype=unlabelled.dtype, device=self.device) for name in ("a", "z")}
        counts = [len(unlabelled), len(labelled)]
        (first_a, second_a), (first_z, second_z) = (eps[name].split(counts, dim=1) for name in ("a", "z"))
        without = self.without_label(unlabelled, first_a, first_z)
        return -0.5 * without.mean() - 0.5 * self.with_label(labelled, labels, second_a, second_z).mean()

    def auxiliary(self, x: Tensor, eps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """a [S, B, size], log q(a | x) [S, B], log q(y | a, x) [S, B, classes]. eps: [S, B, size]."""
        loc, scale = normal(self.q_a(x))
        a = loc + scale * eps
        logits = self.q_y(torch.cat([a, x.expand(*eps.shape[:-1], PIXELS)], dim=-1))
        return a, log_normal(a, loc, scale), F.log_softmax(logits, dim=-1)

    def joint(self, x: Tensor, y: Tensor, a: Tensor, eps: Tensor) -> Tensor:
        """log p(x | y, z) + log p(a | x, y, z) + log p(y) - KL(q(z | a, x, y) || p(z)); all [..., size] alike."""
        loc, scale = normal(self.q_z(torch.cat([a, x, y], dim=-1)))
        z = loc + scale * eps
        log_px = bernoulli(self.p_x(torch.cat([y, z], dim=-1)), x)
        log_pa = log_normal(a, *normal(self.p_a(torch.cat([x, y, z], dim=-1))))
        return log_px + log_pa - math.log(CLASSES) - divergence(loc, scale)

    def without_label(self, x: Tensor, eps_a: Tensor, eps_z: Tensor) -> Tensor:
        """Mean over draws of sum_y q(y | a, x) (joint - log q(a | x) - log q(y | a, x)), [B] nats."""
        a, log_qa, log_qy = self.auxiliary(x, eps_a)
        lead = (CLASSES, *eps_a.shape[:-1])
        y = torch.eye(CLASSES, dtype=x.dtype, device=x.device)[:, None, None].expand(*lead, CLASSES)
        log_qy = log_qy.permute(2, 0, 1)
        joint = self.joint(x.expand(*lead, PIXELS), y, a.expand(*lead, SIZE), eps_z.expand(*lead, SIZE))
        return (log_qy.exp() * (joint - log_qa - log_qy)).sum(0).mean(0)

    def with_label(self, x: Tensor, labels: Tensor, eps_a: Tensor, eps_z: Tensor) -> Tensor:
        """E_w[joint - log q(a | x) - log w] + (1 + alpha) log q^, w = q(y | a, x) normalised over draws, [B] nats."""
        a, log_qa, log_qy = self.auxiliary(x, eps_a)
        one_hot = F.one_hot(labels, CLASSES).to(x.dtype)
        log_w = (log_qy * one_hot).sum(-1)
        log_evidence = torch.logsumexp(log_w, dim=0) - math.log(len(log_w))
        lead = eps_a.shape[:-1]
        inner = self.joint(x.expand(*lead, PIXELS), one_hot.expand(*lead, CLASSES), a, eps_z) - log_qa - log_w
        return (torch.softmax(log_w, dim=0) * inner).sum(0) + (1 + self.setting.alpha) * log_evidence


def log_normal(value: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
    """log density summed over the last axis, nats."""
    return (-0.5 * ((value - loc) / scale) ** 2 - scale.log() - HALF_LOG_TWO_PI).sum(-1)
