"""M2 in Pyro: TraceEnum_ELBO sums the digit out in parallel, as its semi-supervised example does."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.contender import Case, Gate, Losses
from benchmarks.hand import losses_of, normal, perceptron
from benchmarks.hand_m2 import HIDDEN, STYLE
from benchmarks.peers import given_normal, no_validation
from benchmarks.rows import Batches
from benchmarks.settings import CLASSES, PIXELS, Implementation, Setting

import pyro  # isort: skip
import pyro.distributions as dist  # isort: skip
from pyro import poutine  # isort: skip
from pyro.infer import Trace_ELBO, TraceEnum_ELBO  # isort: skip


class PyroM2(nn.Module):
    """See `Contender`. Pyro scores its draws of z, where the others take KL(q(z) || p(z)) in closed form."""

    def __init__(self, setting: Setting, implementation: Implementation, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        no_validation()
        pyro.enable_validation(False)
        self.setting, self.dtype = setting, dtype
        self.q_y = perceptron(PIXELS, HIDDEN, CLASSES, activation=nn.Softplus)
        self.q_z = perceptron(PIXELS + CLASSES, HIDDEN, 2 * STYLE, activation=nn.Softplus)
        self.p_x = perceptron(CLASSES + STYLE, HIDDEN, PIXELS, activation=nn.Softplus)
        self.to(dtype)
        self.summed = TraceEnum_ELBO(max_plate_nesting=1)
        self.drawn = Trace_ELBO()

    def model(self, x: Tensor, y: Tensor | None) -> None:
        """p(y) p(z) p(x | y, z), each row weighing half over its kind's number; labelled rows: the classifier too."""
        with pyro.plate("rows", len(x)), poutine.scale(scale=0.5 / len(x)):
            label = pyro.sample("y", dist.Categorical(logits=x.new_zeros(CLASSES)), obs=y)
            z = pyro.sample("z", dist.Normal(x.new_zeros(STYLE), x.new_ones(STYLE)).to_event(1))
            logits = self.p_x(torch.cat(_same_rows(F.one_hot(label, CLASSES).to(x.dtype), z), dim=-1))
            pyro.sample("x", dist.Bernoulli(logits=logits).to_event(1), obs=x)
            if y is not None:
                with poutine.scale(scale=self.setting.alpha):
                    pyro.sample("y_aux", dist.Categorical(logits=self.q_y(x)), obs=y)

    def guide(self, x: Tensor, y: Tensor | None) -> None:
        """q(y | x) q(z | x, y)."""
        with pyro.plate("rows", len(x)), poutine.scale(scale=0.5 / len(x)):
            if y is None:
                y = pyro.sample("y", dist.Categorical(logits=self.q_y(x)), infer={"enumerate": "parallel"})
            loc, scale = normal(self.q_z(torch.cat(_same_rows(x, F.one_hot(y, CLASSES).to(x.dtype)), dim=-1)))
            pyro.sample("z", dist.Normal(loc, scale).to_event(1))

    def without_label(self, x: Tensor) -> Tensor:
        """Its part of the loss."""
        loss: Tensor = self.summed.differentiable_loss(self.model, self.guide, x, None)
        return loss

    def with_label(self, x: Tensor, y: Tensor) -> Tensor:
        """Its part of the loss."""
        loss: Tensor = self.drawn.differentiable_loss(self.model, self.guide, x, y)
        return loss

    def losses(self, case: Case) -> Losses:
        """See `Contender`."""
        self.load_state_dict(dict(case.weights))

        def loss(eps: Mapping[str, Tensor]) -> Tensor:
            first, second = eps["z"][0].split([len(case.unlabelled), len(case.labelled)])
            with given_normal(first):
                total = self.without_label(case.unlabelled)
            with given_normal(second):
                return total + self.with_label(case.labelled, case.labels)

        return losses_of(loss, case.draws, list(self.parameters()))

    def run(self, gate: Gate) -> None:
        """See `Contender`."""
        optimizer = torch.optim.Adam(self.parameters(), lr=self.setting.learning_rate)
        batches = iter(Batches(self.setting, self.dtype))
        gate.opens()
        for unlabelled, labelled, labels in batches:
            optimizer.zero_grad()
            (self.without_label(unlabelled) + self.with_label(labelled, labels)).backward()
            optimizer.step()
            gate.passed()


def _same_rows(left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    """Both with the leading axes of the two together."""
    lead = torch.broadcast_shapes(left.shape[:-1], right.shape[:-1])
    return left.expand(*lead, left.shape[-1]), right.expand(*lead, right.shape[-1])
