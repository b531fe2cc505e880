"""What the hand-written twins share: a plain training loop, and their losses on a case."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.contender import Case, Gate, Losses
from benchmarks.rows import Batches
from benchmarks.settings import SCALE_FLOOR, Implementation, Setting

HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)


class HandWritten(nn.Module, ABC):
    """A model as a person writes it in eager PyTorch; `loss` is the whole step's loss.

    eps: noise by variable as in `Case.draws`; None draws it anew.
    """

    def __init__(
        self, setting: Setting, implementation: Implementation, dtype: torch.dtype = torch.float32, device: str = "cpu"
    ) -> None:
        super().__init__()
        self.setting, self.bf16, self.dtype, self.device = setting, implementation.bf16, dtype, device
        self.build()
        self.to(device, dtype)

    @abstractmethod
    def build(self) -> None:
        """Make the networks."""

    @abstractmethod
    def loss(self, unlabelled: Tensor, labelled: Tensor, labels: Tensor, eps: Mapping[str, Tensor] | None) -> Tensor:
        """Half the mean of minus the bound over each kind of rows: a scalar, in nats per row."""

    def losses(self, case: Case) -> Losses:
        """See `Contender`."""
        self.load_state_dict(dict(case.weights))
        case = case.on(self.device)
        return losses_of(
            lambda eps: self._autocast_loss(case.unlabelled, case.labelled, case.labels, eps),
            case.draws,
            list(self.parameters()),
        )

    def _autocast_loss(
        self, unlabelled: Tensor, labelled: Tensor, labels: Tensor, eps: Mapping[str, Tensor] | None
    ) -> Tensor:
        with torch.autocast(self.device, torch.bfloat16, enabled=self.bf16):
            return self.loss(unlabelled, labelled, labels, eps)

    def run(self, gate: Gate) -> None:
        """See `Contender`."""
        optimizer = torch.optim.Adam(self.parameters(), lr=self.setting.learning_rate)
        batches = iter(Batches(self.setting, self.dtype, self.device))
        gate.opens()
        for unlabelled, labelled, labels in batches:
            optimizer.zero_grad()
            self._autocast_loss(unlabelled, labelled, labels, None).backward()
            optimizer.step()
            gate.passed()


def losses_of(
    loss: Callable[[Mapping[str, Tensor]], Tensor],
    draws: Sequence[Mapping[str, Tensor]],
    parameters: Sequence[nn.Parameter],
    constant: float = 0.0,
) -> Losses:
    """The loss at each draw, and the gradient of their mean."""
    each = []
    for eps in draws:
        value = loss(eps)
        (value / len(draws)).backward()
        each.append(value.item() + constant)
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(g.double()) for g in gradients]))
    for parameter in parameters:
        parameter.grad = None
    return Losses(tuple(each), float(norm), constant)


def perceptron(*widths: int, activation: type[nn.Module]) -> nn.Sequential:
    """Linear layers with an activation between them."""
    layers: list[nn.Module] = [nn.Linear(widths[0], widths[1])]
    for inputs, outputs in pairwise(widths[1:]):
        layers += [activation(), nn.Linear(inputs, outputs)]
    return nn.Sequential(*layers)


def normal(parameters: Tensor) -> tuple[Tensor, Tensor]:
    """loc and scale from the two halves of a head."""
    loc, raw = parameters.chunk(2, dim=-1)
    return loc, F.softplus(raw) + SCALE_FLOOR


def divergence(loc: Tensor, scale: Tensor) -> Tensor:
    """KL(normal(loc, scale) || normal(0, 1)) summed over the last axis, nats."""
    return 0.5 * (loc**2 + scale**2 - 2 * scale.log() - 1).sum(-1)


def bernoulli(logits: Tensor, x: Tensor) -> Tensor:
    """log p(x) summed over the last axis, nats."""
    return -F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1)
