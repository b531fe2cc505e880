"""M2 in Pixyz, which enumerates nothing: the sum over the digit is ten terms, each with the digit held constant."""

import math
from collections.abc import Mapping
from functools import reduce
from operator import add
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.contender import Case, Gate, Losses
from benchmarks.hand import losses_of, normal, perceptron
from benchmarks.hand_m2 import HIDDEN, STYLE
from benchmarks.peers import given_normal, no_validation
from benchmarks.rows import Batches
from benchmarks.settings import CLASSES, PIXELS, Implementation, Setting

from pixyz.distributions import Bernoulli, Categorical, Deterministic, Normal  # isort: skip
from pixyz.losses import KullbackLeibler  # isort: skip
from pixyz.models import Model  # isort: skip

LOG_PRIOR = math.log(CLASSES)
"""-log p(y) of a row. The terms below leave it out, as Pixyz's own M2 example does; the comparison adds it."""


class Style(Normal):  # type: ignore[misc]
    """q(z | x, y), where x and y may have other names (Pixyz's closed-form divergence forgets `replace_var`)."""

    def __init__(self, network: nn.Module, x: str = "x", y: str = "y") -> None:
        super().__init__(var=["z"], cond_var=[x, y], name="q")
        self.network, self.x, self.y = network, x, y

    def forward(self, **given: Tensor) -> dict[str, Tensor]:
        """Parameters."""
        loc, scale = normal(self.network(torch.cat([given[self.x], given[self.y]], dim=1)))
        return {"loc": loc, "scale": scale}


class Image(Bernoulli):  # type: ignore[misc]
    """p(x | y, z). Pixyz's Bernoulli takes probabilities."""

    def __init__(self) -> None:
        super().__init__(var=["x"], cond_var=["y", "z"], name="p")
        self.network = perceptron(CLASSES + STYLE, HIDDEN, PIXELS, activation=nn.Softplus)

    def forward(self, y: Tensor, z: Tensor) -> dict[str, Tensor]:
        """Parameters."""
        return {"probs": torch.sigmoid(self.network(torch.cat([y, z], dim=1)))}


class Classifier(Deterministic):  # type: ignore[misc]
    """pi = q(y | x) of all digits, computed once for the ten terms."""

    def __init__(self) -> None:
        super().__init__(var=["pi"], cond_var=["x"], name="f")
        self.network = perceptron(PIXELS, HIDDEN, CLASSES, activation=nn.Softplus)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """The variable's value."""
        return {"pi": torch.softmax(self.network(x), dim=1)}


class Digit(Categorical):  # type: ignore[misc]
    """q(y | pi)."""

    def __init__(self) -> None:
        super().__init__(var=["y"], cond_var=["pi"], name="f")

    def forward(self, pi: Tensor) -> dict[str, Tensor]:
        """Parameters."""
        return {"probs": pi}


class PixyzM2:
    """See `Contender`. Variables: x, y of labelled rows; u of unlabelled ones, with y0 to y9 constant one-hots."""

    def __init__(self, setting: Setting, implementation: Implementation, dtype: torch.dtype = torch.float32) -> None:
        no_validation()
        self.setting, self.dtype = setting, dtype
        network = perceptron(PIXELS + CLASSES, HIDDEN, 2 * STYLE, activation=nn.Softplus)
        self.q, self.p, self.f = (each.to(dtype) for each in (Style(network), Image(), Classifier()))
        zero, one = torch.tensor(0.0, dtype=dtype), torch.tensor(1.0, dtype=dtype)
        self.prior = Normal(loc=zero, scale=one, var=["z"], features_shape=[STYLE], name="prior")
        self.prior.to(dtype)
        parts = [self.q, self.p, self.f]
        self.labelled, self.unlabelled = self._with_label(), self._without_label()
        loss = 0.5 * self.unlabelled.mean() + 0.5 * self.labelled.mean()
        optimizer = {"lr": setting.learning_rate}
        self.model = Model(loss, distributions=parts, optimizer=torch.optim.Adam, optimizer_params=optimizer)
        self._one_hots: dict[int, dict[str, Tensor]] = {}

    def _with_label(self) -> Any:
        """Minus the bound of labelled rows, alpha times the classifier's loss included, without -log p(y)."""
        classifier_loss = -Digit().log_prob().expectation(self.f)
        bound = self.p.log_prob().expectation(self.q) - KullbackLeibler(self.q, self.prior)
        return self.setting.alpha * classifier_loss - bound

    def _without_label(self) -> Any:
        """Minus sum_y q(y | u) (bound(u, y) - log q(y | u)) of unlabelled rows, without -log p(y)."""
        return reduce(add, (self._term(f"y{k}") for k in range(CLASSES))).expectation(self.f.replace_var(x="u"))

    def _term(self, y: str) -> Any:
        q, p = Style(self.q.network, "u", y), self.p.replace_var(x="u", y=y)
        digit = Digit().replace_var(y=y)
        bound = p.log_prob().expectation(q) - KullbackLeibler(q, self.prior)
        return digit.prob() * (digit.log_prob() - bound)

    def _values(self, unlabelled: Tensor, labelled: Tensor, labels: Tensor) -> dict[str, Tensor]:
        if len(unlabelled) not in self._one_hots:
            identity = torch.eye(CLASSES, dtype=self.dtype)
            self._one_hots[len(unlabelled)] = {
                f"y{k}": identity[k].expand(len(unlabelled), CLASSES) for k in range(CLASSES)
            }
        one_hot = nn.functional.one_hot(labels, CLASSES).to(self.dtype)
        return {"u": unlabelled, "x": labelled, "y": one_hot, **self._one_hots[len(unlabelled)]}

    def losses(self, case: Case) -> Losses:
        """See `Contender`; the constant -log p(y), the same for every row, is added."""
        for twin, part in (("q_y", self.f), ("q_z", self.q), ("p_x", self.p)):
            mine = {name: value for name, value in case.weights.items() if name.startswith(f"{twin}.")}
            part.network.load_state_dict({name.removeprefix(f"{twin}."): value for name, value in mine.items()})
        values = self._values(case.unlabelled, case.labelled, case.labels)

        def loss(eps: Mapping[str, Tensor]) -> Tensor:
            first, second = eps["z"][0].split([len(case.unlabelled), len(case.labelled)])
            with given_normal(first):
                without: Tensor = self.unlabelled.eval(values).mean()
            with given_normal(second):
                found: Tensor = self.labelled.eval(values).mean()
            return 0.5 * without + 0.5 * found

        return losses_of(loss, case.draws, list(self.model.distributions.parameters()), LOG_PRIOR)

    def run(self, gate: Gate) -> None:
        """See `Contender`."""
        batches = iter(Batches(self.setting, self.dtype))
        gate.opens()
        for unlabelled, labelled, labels in batches:
            self.model.train(self._values(unlabelled, labelled, labels))
            gate.passed()
