"""An outside judge: Pyro's `TraceEnum_ELBO` on specs/mnist-m2.yaml with the same weights, loss and every gradient.

The model below is written as Pyro's semi-supervised example writes it: q's label enumerated in parallel on unlabelled
rows, observed on labelled ones, and an auxiliary model for the classifier's loss. Its networks are plain functions of
the compiled model's weights. Pyro draws z and scores the draws, while graphspec takes KL(q(z) || p(z)) in closed form;
with the two draws loc + scale and loc - scale, whose first two moments are q's own, both give the same number.
"""

import math
import warnings
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from compiler import compile_spec
from compiler.tensors.noise import Noise
from graphspec.language.families import SCALE_FLOOR
from graphspec.loading import load

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what Pyro's own imports warn about is not this test's business
    pyro = pytest.importorskip("pyro", reason="the outside judge: pip install graphspec[judge]")
    import pyro.distributions as dist
    from pyro import poutine
    from pyro.infer import Trace_ELBO, TraceEnum_ELBO

ROWS, LABELLED = 5, 4
ALPHA, RHO = 50.0, 0.5
SHIFT = math.log(math.expm1(1 - SCALE_FLOOR))
"""The scale's link is softplus(raw + SHIFT) + floor, so that a head of zeros gives scale one."""


class BothSides(Noise):
    """Standard draws of two samples that are +1 and -1 (times a random sign per element)."""

    def normal(self, name, lead, event, dtype):
        assert tuple(lead) == (2,)
        return torch.stack([self.signs(event, dtype), -self.signs(event, dtype)])

    def signs(self, event, dtype):
        generator = torch.Generator().manual_seed(11)
        return torch.randint(0, 2, (self.batch, *event), generator=generator).to(dtype) * 2 - 1


class Given(dist.Normal):
    """A normal whose only draw is loc + scale * eps, the same eps for every enumerated value."""

    def __init__(self, loc, scale, eps):
        self.eps = eps
        super().__init__(loc, scale)

    def rsample(self, sample_shape=()):
        return self.loc + self.scale * self.eps

    def expand(self, batch_shape, _instance=None):
        return Given(self.loc.expand(batch_shape), self.scale.expand(batch_shape), self.eps)


class Judge:
    """M2 in Pyro: p(y) p(z) p(x | y, z) and q(y | h) q(z | h, y), h = features of x."""

    def __init__(self, weights):
        self.weights = weights

    def __getitem__(self, name):
        return self.weights[f"factors.{name}"]

    def features(self, x):
        net = "recognition--h.network"
        hidden = F.relu(x.flatten(1) @ self[f"{net}.first.maps.from_x.weight"].T + self[f"{net}.first.bias"])
        return F.relu(hidden @ self[f"{net}.hidden.dense.0.weight"].T + self[f"{net}.hidden.dense.0.bias"])

    def logits_y(self, h):
        head = "recognition--y.sources.0.network.heads.to_logits"
        return h @ self[f"{head}.maps.from_h.weight"].T + self[f"{head}.bias"]

    def head_z(self, name, h, y):
        head = f"recognition--z.sources.0.network.heads.to_{name}"
        of_y = F.one_hot(y, 10).to(h.dtype) @ self[f"{head}.maps.from_y.weight"].T
        return h @ self[f"{head}.maps.from_h.weight"].T + of_y + self[f"{head}.bias"]

    def image(self, y, z):
        net = "generative--x.sources.0.network"
        of_y = F.one_hot(y, 10).to(z.dtype) @ self[f"{net}.first.maps.from_y.weight"].T
        hidden = F.relu(of_y + z @ self[f"{net}.first.maps.from_z.weight"].T + self[f"{net}.first.bias"])
        hidden = F.relu(hidden @ self[f"{net}.hidden.dense.0.weight"].T + self[f"{net}.hidden.dense.0.bias"])
        return hidden @ self[f"{net}.heads.heads.to_logits.weight"].T + self[f"{net}.heads.heads.to_logits.bias"]

    def model(self, x, y, eps):
        with pyro.plate("rows", len(x)):
            y = pyro.sample("y", dist.Categorical(torch.full((10,), 0.1, dtype=x.dtype)), obs=y)
            z = pyro.sample("z", dist.Normal(torch.zeros_like(eps), 1.0).to_event(1))
            pyro.sample("x", dist.Bernoulli(logits=self.image(y, z)).to_event(1), obs=x.flatten(1))

    def guide(self, x, y, eps):
        with pyro.plate("rows", len(x)):
            h = self.features(x)
            if y is None:
                y = pyro.sample("y", dist.Categorical(logits=self.logits_y(h)), infer={"enumerate": "parallel"})
            scale = F.softplus(self.head_z("scale", h, y) + SHIFT) + SCALE_FLOOR
            pyro.sample("z", Given(self.head_z("loc", h, y), scale, eps).to_event(1))

    def classify(self, x, y, eps):
        with pyro.plate("rows", len(x)), poutine.scale(scale=ALPHA):
            pyro.sample("y_aux", dist.Categorical(logits=self.logits_y(self.features(x))), obs=y)

    def nothing(self, x, y, eps):
        """The classifier's loss has no hidden variable."""

    def loss(self, x, y, eps):
        """Minus the bound of all rows, the mean of both draws."""
        total = sum(
            TraceEnum_ELBO(max_plate_nesting=1, strict_enumeration_warning=y is None).differentiable_loss(
                self.model, self.guide, x, y, side
            )
            for side in (eps, -eps)
        )
        if y is None:
            return total / 2
        return total / 2 + Trace_ELBO().differentiable_loss(self.classify, self.nothing, x, y, eps)


@pytest.fixture(scope="module")
def compiled():
    path = Path(__file__).parents[1] / "specs" / "mnist-m2.yaml"
    graphs = load(path, ["objective.samples=2", "objective.estimators=null"])  # y summed exactly, as the judge does
    assert graphs.spec.objective.alpha == ALPHA
    assert graphs.spec.objective.rho == RHO
    model = compile_spec(graphs, dtype=torch.float64)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in model.parameters():  # away from the start, where q(y | x) is even and z silent
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return model


def images(count, seed):
    return torch.randint(0, 2, (count, 1, 28, 28), generator=torch.Generator().manual_seed(seed)).double()


def compare(model, mine, judged):
    assert mine.item() == pytest.approx(judged.item(), rel=1e-11)
    names, parameters = zip(*model.named_parameters(), strict=True)
    ours = torch.autograd.grad(mine, parameters, allow_unused=True)
    theirs = torch.autograd.grad(judged, parameters, allow_unused=True)
    for name, left, right in zip(names, ours, theirs, strict=True):
        assert (left is None) == (right is None), name
        if left is not None:
            torch.testing.assert_close(left, right, rtol=1e-8, atol=1e-9, msg=name)


def test_unlabelled_rows_have_the_judges_loss_and_gradients(compiled) -> None:
    x, noise = images(ROWS, 3), BothSides(0, ROWS)
    found = -compiled.bound({"x": x}, noise=noise).sum()
    judged = Judge(dict(compiled.named_parameters())).loss(x, None, noise.signs((50,), torch.float64))
    compare(compiled, found, judged)


def test_labelled_rows_have_the_judges_loss_and_gradients(compiled) -> None:
    x, y, noise = images(LABELLED, 4), torch.tensor([3, 0, 9, 3]), BothSides(0, LABELLED)
    found = -compiled.bound({"x": x, "y": y}, noise=noise).sum()
    judged = Judge(dict(compiled.named_parameters())).loss(x, y, noise.signs((50,), torch.float64))
    compare(compiled, found, judged)


def test_the_weighted_total_is_the_judges(compiled) -> None:
    """rho: half of the weight on labelled rows, however few; one backward pass through both streams."""
    judge = Judge(dict(compiled.named_parameters()))
    x, labelled, y = images(ROWS, 3), images(LABELLED, 4), torch.tensor([3, 0, 9, 3])
    signs = BothSides(0, ROWS).signs((50,), torch.float64), BothSides(0, LABELLED).signs((50,), torch.float64)
    found = -(1 - RHO) * compiled.bound({"x": x}, noise=BothSides(0, ROWS)).mean()
    found = found - RHO * compiled.bound({"x": labelled, "y": y}, noise=BothSides(0, LABELLED)).mean()
    judged = (1 - RHO) * judge.loss(x, None, signs[0]) / ROWS + RHO * judge.loss(labelled, y, signs[1]) / LABELLED
    compare(compiled, found, judged)


def test_the_judge_would_notice(compiled, monkeypatch) -> None:
    """The comparison can fail: half a per cent less of alpha is not the same loss."""
    monkeypatch.setattr(f"{__name__}.ALPHA", 0.995 * ALPHA)
    with pytest.raises(AssertionError):
        test_labelled_rows_have_the_judges_loss_and_gradients(compiled)
