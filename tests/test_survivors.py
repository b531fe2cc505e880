"""What a run of single-place faults over the derivation showed to be untested (experiments/mutations.py)."""

import math
from dataclasses import replace

import pytest
import scipy.stats
import torch
from distributions import Distribution
from test_objective_exact import build

from compiler.families import ENTRIES, Extras
from compiler.symbolic.program import Pattern
from compiler.symbolic.schedules import ObjectiveWeights, Rates, value_at
from compiler.tensors.noise import Noise
from graphspec.language import Schedule
from graphspec.loading import load

LABELS = """
graphspec: 1
variables:
  x: {role: observed, domain: binary, size: 2}
  a: {role: supervised, domain: category, classes: 3}
  b: {role: supervised, domain: binary}
generative: {a: {}, b: {}, x: {parents: [a, b]}}
recognition: {a: {parents: [x]}, b: {parents: [x]}}
objective: OBJECTIVE
"""


def schedule(**fields) -> Schedule:
    return Schedule.model_validate({"from": 2.0, "to": 8.0, "epochs": 10, **fields})


@pytest.mark.parametrize(
    ("fields", "epoch", "expected"),
    [
        ({}, 0.0, 2.0),
        ({}, 2.5, 3.5),
        ({}, 10.0, 8.0),
        ({}, math.inf, 8.0),
        ({"begin": 4}, 4.0, 2.0),
        ({"begin": 4}, 6.5, 3.5),
        ({"begin": 4}, 13.0, 7.4),
        ({"begin": 4}, 14.0, 8.0),
        ({"shape": "cosine"}, 2.5, 5 - 3 * math.cos(math.pi / 4)),
        ({"shape": "cosine"}, 7.5, 5 + 3 * math.cos(math.pi / 4)),
        ({"shape": "exponential"}, 5.0, 4.0),
        ({"cycles": 2}, 2.5, 5.0),
        ({"cycles": 2}, 5.0, 2.0),
        ({"cycles": 2}, 7.5, 5.0),
        ({"cycles": 2}, 10.0, 8.0),
    ],
)
def test_schedules_at_points_known_by_hand(fields: dict[str, object], epoch: float, expected: float) -> None:
    assert value_at(schedule(**fields), epoch) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("choice", "rho"), [("gamma: 4", 40 / 130), ("rho: 0.25", 0.25)])
def test_alpha_over_rho_divides_by_how_often_a_label_is_given(choice: str, rho: float) -> None:
    """10 labelled rows of which b has 2, 90 without: 3/rho is 3 over each label's own share of the weight."""
    graphs = load("-", text=LABELS.replace("OBJECTIVE", f"{{alpha: 3/rho, {choice}}}"))
    weights = ObjectiveWeights.at(graphs, Rates(10, 90, {"a": 10, "b": 2}), 0.0)
    assert weights.rho == pytest.approx(rho, rel=1e-12)
    found = {name: weights.number("alpha", name) for name in "ab"}
    assert found == pytest.approx({"a": 3 / rho, "b": 3 / (rho * 0.2)}, rel=1e-12)


def test_a_group_stands_for_the_rows_it_is_drawn_from() -> None:
    """The mixture over the data in a split divergence: labelled rows among M, the others among N."""
    rates = Rates(10, 90, per_pattern={str(Pattern(("a", "b"))): 3, str(Pattern(("a",))): 7, str(Pattern(())): 90})
    assert [rates.stands_for(Pattern(labels)) for labels in (("a", "b"), ("a",), ())] == [3, 7, 90]
    assert rates.stands_for(Pattern(("b",))) == 10, "validation rows may have a pattern that no training row has"
    assert Rates(10, 90).stands_for(Pattern(())) == 90
    assert Rates(10, 0).stands_for(Pattern(())) == 10, "validation blanks the labels of a data set that has them all"


PARTLY = """
graphspec: 1
variables:
  x: {role: observed, domain: binary, size: 2}
  y: {role: supervised, domain: binary, size: 2}
generative: {y: {parameters: {logits: learned}}, x: {parents: [y]}}
recognition: {y: {parents: [x]}}
networks: {default: {kind: linear}}
objective: OBJECTIVE
"""
X = torch.tensor([[0.0, 1.0]]).double()


@pytest.mark.parametrize("label", [[1.0, torch.nan], [torch.nan, 0.0]])
def test_the_importance_weighted_bound_of_a_partly_given_label_sums_its_blank_element(label: list[float]) -> None:
    """The label's two parts are in log p, the blank one in log g: log sum_v p(x, y, v) + alpha log q(y | x)."""
    model = build(PARTLY.replace("OBJECTIVE", "{bound: importance_weighted, alpha: 2}"))
    given = torch.tensor([label]).double()
    filled = torch.where(given.isnan(), torch.tensor([[0.0], [1.0]]).double(), given)
    worlds = {"x": X.expand(2, 2), "y": filled}
    log_p = torch.stack(list(model.log_prob("generative", worlds).values())).sum(0)
    log_q = model.log_prob("recognition", worlds)["y"]
    expected = torch.logsumexp(log_p, 0) + 2 * torch.logsumexp(log_q, 0)
    torch.testing.assert_close(model.bound({"x": X, "y": given})[0], expected, atol=1e-10, rtol=0)


@pytest.mark.parametrize(("label", "floored"), [([1.0, -1], True), ([-1, -1], True), ([1.0, 0.0], False)])
def test_free_bits_floor_a_label_with_any_blank_element(label: list[float], floored: bool) -> None:
    model = build(PARTLY.replace("OBJECTIVE", "{alpha: 1, free_bits: {y: 50}}"))
    rows = {"x": X, "y": torch.tensor([label]).double()}
    weights = ObjectiveWeights.at(model.graphs, None, 0.0)
    free = replace(weights, numbers={key: n for key, n in weights.numbers.items() if key[0] != "free_bits"})
    with_floor = model.evaluate(rows, weights=weights, noise=Noise(0, 1))
    without = model.evaluate(rows, weights=free, noise=Noise(0, 1))
    cost = 50 - without.terms["KL y"] if floored else torch.zeros(1).double()
    torch.testing.assert_close(with_floor.bound, without.bound - cost, atol=1e-10, rtol=0)


ABOVE = """
graphspec: 1
variables:
  x: {role: observed, domain: binary, size: 2}
  a: {role: latent, domain: category, classes: 5}
  t: {role: supervised, domain: binary}
generative: {a: {}, t: {parents: [a]}, x: {parents: [a]}}
recognition: {a: {parents: [x]}, t: {parents: [x, a]}}
networks: {default: {kind: linear}}
objective: {estimators: {a: ESTIMATOR}}
"""


def test_a_budget_upstream_of_a_label_gives_way_to_the_exact_sum() -> None:
    """A ratio of two estimates is biased, so with the label the sum is exact; without it the budget holds."""
    rows = {"x": X.expand(2, 2), "t": torch.tensor([1.0, -1.0]).double()}
    exact, budget = (
        build(ABOVE.replace("ESTIMATOR", kind)).bound(rows, noise=Noise(0, 2))
        for kind in ("enumerate", "{kind: enumerate, budget: 2}")
    )
    torch.testing.assert_close(budget[0], exact[0], atol=1e-12, rtol=0)
    assert abs(budget[1] - exact[1]) > 1e-6


def test_a_laplace_draw_is_the_quantile_of_its_noise() -> None:
    """Mirrored noise would give the same law; the same noise must give the same draw as ever."""
    uniform = torch.tensor([[0.01, 0.3, 0.5, 0.7, 0.999]], dtype=torch.float64)
    parameters = {"loc": torch.full((1, 5), 0.4), "scale": torch.full((1, 5), 1.5)}
    laplace = Distribution(ENTRIES["laplace"], Extras((5,)), parameters)
    expected = scipy.stats.laplace(0.4, 1.5).ppf(uniform.numpy())
    assert laplace.reparameterize(uniform).numpy() == pytest.approx(expected, abs=1e-6)
