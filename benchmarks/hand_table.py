"""The table model (benchmarks/table.yaml) by hand in eager PyTorch: columns of every sort, with blank cells."""

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.hand import HALF_LOG_TWO_PI, HandWritten, divergence, normal, perceptron
from benchmarks.settings import SCALE_FLOOR

CLASSES, SITES, CONDITION = 3, 3, 2
FEATURES, HIDDEN, DROPOUT = 64, 32, 0.1
FREEDOM = 5.0
"""Degrees of freedom of the lab values' Student t."""
MASKS = ("recognition.h/hidden/0/dropout", "recognition.h/hidden/1/dropout")
"""The case's names of what the two layers' dropout is drawn from."""


class HandTable(HandWritten):
    """Features of the row for q(diagnosis | h) and q(condition | h, diagnosis); the diagnosis summed. A row is the
    columns of `benchmarks.rows.COLUMNS`, NaN where a cell is blank."""

    def build(self) -> None:
        inputs = 9 + 6  # numbers and one-hot site, then a flag for each cell that may be blank
        self.h = nn.ModuleList([nn.Linear(inputs, FEATURES), nn.Linear(FEATURES, FEATURES)])
        self.q_diagnosis = nn.Sequential(nn.Linear(FEATURES, CLASSES))
        self.q_condition = nn.Sequential(nn.Linear(FEATURES + CLASSES, 2 * CONDITION))
        below = CONDITION + CLASSES
        self.p_diagnosis = perceptron(1 + CONDITION, HIDDEN, CLASSES, activation=nn.SiLU)
        self.p_labs = perceptron(below, HIDDEN, 2, activation=nn.SiLU)
        self.raw_scale = nn.Parameter(torch.full((2,), math.log(math.e - 1)))
        self.p_glucose = perceptron(below, HIDDEN, 2, activation=nn.SiLU)
        self.p_visits = perceptron(below, HIDDEN, 1, activation=nn.SiLU)
        self.p_smoker = perceptron(CONDITION, HIDDEN, 1, activation=nn.SiLU)
        self.p_site = perceptron(below, HIDDEN, SITES, activation=nn.SiLU)

    def loss(self, unlabelled: Tensor, labelled: Tensor, labels: Tensor, eps: Mapping[str, Tensor] | None) -> Tensor:
        counts = [len(unlabelled), len(labelled)]
        rows = torch.cat([unlabelled, labelled])
        x, given = rows.nan_to_num(0.0), ~rows.isnan()
        h = self.features(x, given, eps)
        shape = (len(rows), CONDITION)
        noise = torch.randn(shape, dtype=h.dtype, device=h.device) if eps is None else eps["condition"][0]
        (h0, h1), (e0, e1), (x0, x1), (g0, g1) = (part.split(counts) for part in (h, noise, x, given))
        y = F.one_hot(labels, CLASSES).to(h.dtype)
        log_q = F.log_softmax(self.q_diagnosis(h1), dim=-1)
        bound = self.bound(x1, g1, h1, y, e1) + self.setting.alpha * (y * log_q).sum(-1)
        return -0.5 * self.without_label(x0, g0, h0, e0).mean() - 0.5 * bound.mean()

    def features(self, x: Tensor, given: Tensor, eps: Mapping[str, Tensor] | None) -> Tensor:
        """[B, features]. x: [B, columns] with 0 for blanks."""
        age, labs, glucose, visits, smoker = x[:, :1], x[:, 1:3], x[:, 3:4], x[:, 4:5], x[:, 5:6]
        site = F.one_hot(x[:, 6].long(), SITES) * given[:, 6:]
        numbers = [age.log1p(), labs, glucose.log1p(), visits.log1p(), smoker, site, given[:, 1:]]
        h = torch.cat([part.to(x.dtype) for part in numbers], dim=1)
        for layer, name in zip(self.h, MASKS, strict=True):
            h = F.silu(layer(h))
            h = F.dropout(h, DROPOUT) if eps is None else h * ((eps[name][0] >= DROPOUT).to(h.dtype) / (1 - DROPOUT))
        return h

    def bound(self, x: Tensor, given: Tensor, h: Tensor, y: Tensor, eps: Tensor) -> Tensor:
        """log p(diagnosis | age, condition) + the cells' log densities - KL(q(condition | h, diagnosis) || p), [B]
        nats. y: [B, classes]."""
        loc, scale = normal(self.q_condition(torch.cat([h, y], dim=1)))
        z = loc + scale * eps
        log_py = (y * F.log_softmax(self.p_diagnosis(torch.cat([x[:, :1].log1p(), z], dim=1)), dim=-1)).sum(-1)
        return log_py + self.cells(x, given, y, z) - divergence(loc, scale)

    def cells(self, x: Tensor, given: Tensor, y: Tensor, z: Tensor) -> Tensor:
        """log p of the cells that are there, [B] nats."""
        above = torch.cat([y, z], dim=1)
        labs = student_t(x[:, 1:3], self.p_labs(above), F.softplus(self.raw_scale) + SCALE_FLOOR)
        known = given.to(x.dtype)
        logarithm = torch.where(given[:, 3], x[:, 3], 1.0).log()
        loc, scale = normal(self.p_glucose(above))
        glucose = log_normal_density(logarithm, loc[:, 0], scale[:, 0]) - logarithm
        rate, visits = F.softplus(self.p_visits(above)[:, 0]) + SCALE_FLOOR, x[:, 4]
        counts = visits * rate.log() - rate - torch.lgamma(visits + 1)
        smoker = -F.binary_cross_entropy_with_logits(self.p_smoker(z)[:, 0], x[:, 5], reduction="none")
        site = -F.cross_entropy(self.p_site(above), x[:, 6].long(), reduction="none")
        each = torch.stack([glucose, counts, smoker, site], dim=1)
        return (labs * known[:, 1:3]).sum(-1) + (each * known[:, 3:]).sum(-1)

    def without_label(self, x: Tensor, given: Tensor, h: Tensor, eps: Tensor) -> Tensor:
        """sum over the diagnosis of q(diagnosis | h) (bound - log q(diagnosis | h)), [B] nats."""
        log_q = F.log_softmax(self.q_diagnosis(h), dim=-1)
        y = torch.eye(CLASSES, dtype=h.dtype, device=h.device).repeat_interleave(len(x), dim=0)
        x, given, h, eps = (part.repeat(CLASSES, 1) for part in (x, given, h, eps))
        bound = self.bound(x, given, h, y, eps)
        return (log_q.exp() * (bound.view(CLASSES, len(log_q)).t() - log_q)).sum(-1)


def student_t(value: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
    """log density of each element, nats."""
    half = 0.5 * (FREEDOM + 1)
    constant = math.lgamma(half) - math.lgamma(0.5 * FREEDOM) - 0.5 * math.log(math.pi * FREEDOM)
    return constant - scale.log() - half * torch.log1p(((value - loc) / scale) ** 2 / FREEDOM)


def log_normal_density(value: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
    """log density of each element, nats."""
    return -0.5 * ((value - loc) / scale) ** 2 - scale.log() - HALF_LOG_TWO_PI
