"""docs/objective.md holds: its identities in numbers, and its worked patterns as they are derived."""

import itertools
import math

import pytest
import torch
from discrete_specs import discrete_spec
from distributions import distribution_of
from objective_twin import joint_values, log_densities
from plan_runs import values_of
from test_masks import VECTOR
from test_objective_exact import build

from compiler.plan.aggregation import aggregate
from compiler.symbolic.derivation import derive
from compiler.symbolic.lowering import lower
from compiler.symbolic.printing import contribution_lines
from compiler.symbolic.program import Pattern
from compiler.symbolic.schedules import ObjectiveWeights, Rates
from compiler.tensors.noise import Noise
from graphspec.loading import load

BELOW = discrete_spec(
    {"a": 3, "b": 2, "z": 3}, ["a", "b"], {"z": [], "a": ["z"], "b": ["a", "z"], "x": ["a", "b", "z"]},
    {"a": ["x"], "z": ["x", "a"], "b": ["x", "z"]}, "{alpha: 0}",
)  # fmt: skip


@pytest.mark.parametrize("labels", [["a", "b"], ["b"], ["a"], []])
def test_without_alpha_it_is_log_p_minus_the_divergence_of_the_posteriors(labels: list[str]) -> None:
    model = build(BELOW)
    row = {"x": torch.tensor([[0.0, 1.0]]).double()} | {name: torch.tensor([1]) for name in labels}
    hidden = [name for name in ("a", "b", "z") if name not in labels]
    each_p, each_q = log_densities(model, row, joint_values(model, hidden))
    p, q = (torch.stack(list(each.values())).sum(0) for each in (each_p, each_q))
    evidence = torch.logsumexp(p, 0)
    posterior_p, posterior_q = p - evidence, q - torch.logsumexp(q, 0)
    expected = evidence - (posterior_q.exp() * (posterior_q - posterior_p)).sum()
    blank = {name: torch.tensor([-1]) for name in ("a", "b") if name not in labels}
    assert model.bound(row | blank).item() == pytest.approx(expected.item(), abs=1e-10)


WORKED = """
graphspec: 1
variables:
  x: {role: observed, domain: real, size: 2}
  a: {role: supervised, domain: category, classes: 3}
  b: {role: supervised, domain: category, classes: 3}
  z: {role: latent, domain: real, size: 2}
generative: {a: {}, b: {}, z: {}, x: {parents: [a, b, z]}}
recognition: {a: {parents: [x]}, z: {parents: [x, a]}, b: {parents: [x, z]}}
networks: {default: {kind: linear}}
objective: {samples: 4}
"""


@pytest.mark.parametrize(
    ("labels", "weighing", "last"),
    [
        (("a", "b"), ("b",), ["α[a] log q(a | x)", "α[b] log E_g(z)[q(b | x, z)]"]),
        (("b",), ("b",), ["α[b] log E_g(a, z)[q(b | x, z)]"]),
        (("a",), (), ["α[a] log q(a | x)"]),
        ((), (), []),
    ],
)
def test_the_worked_patterns(labels: tuple[str, ...], weighing: tuple[str, ...], last: list[str]) -> None:
    program = lower(load("-", text=WORKED), Pattern(labels))
    assert program.weighing_labels() == weighing
    lines = contribution_lines(program, derive(program))
    assert [line[2:] for line in lines if "α" in line] == last
    assert any("·w(b)" in line for line in lines) == bool(weighing)
    assert sum("log E_g" in line and "α" not in line for line in lines) == len(weighing)


def test_elements_in_part_are_labels_and_the_others_hidden() -> None:
    """By hand: L of (y_0 given, y_1 blank) sums over y_1 alone, and alpha weighs log q(y_0) alone."""
    model = build(VECTOR)
    row = {"x": torch.tensor([[0.0, 1.0]]).double(), "y": torch.tensor([[1.0, -1.0]]).double()}
    q = distribution_of(model, model.graphs.recognition["y"], {"x": row["x"]}, Noise(0, 1))
    logits = q.parameters["logits"][0]
    log_q = [torch.nn.functional.logsigmoid(logits), torch.nn.functional.logsigmoid(-logits)]
    expected = 2 * log_q[0][0]
    for y1 in (0.0, 1.0):
        values = {"x": row["x"], "y": torch.tensor([[1.0, y1]]).double()}
        log_g = log_q[0][1] if y1 else log_q[1][1]
        log_p = sum(density[0] for density in model.log_prob("generative", values).values())
        expected = expected + log_g.exp() * (log_p - log_g)
    assert model.bound(row).item() == pytest.approx(expected.item(), abs=1e-10)


def test_the_stratified_mixture_is_unbiased_and_the_weighted_one_is_lower() -> None:
    """Over every choice of the other rows: the mean of exp(estimate) is q(z) of all N rows."""
    n, batch = 6, 3
    density = torch.rand(n, generator=torch.Generator().manual_seed(1), dtype=torch.float64) + 0.1
    found = {"stratified": [], "weighted": []}
    for others in itertools.combinations(range(1, n), batch - 1):
        pairs = density[[0, *others]].log().reshape(1, batch, 1).expand(batch, batch, 1)
        for name, values in found.items():
            values.append(aggregate(pairs, "joint", name, n)[0].exp())
    exact = density.mean()
    torch.testing.assert_close(torch.stack(found["stratified"]).mean(), exact, atol=1e-12, rtol=0)
    assert torch.stack(found["weighted"]).mean() < 0.6 * exact


def test_effective_samples_of_known_weights() -> None:
    """ESS = 1 / sum v^2 with v the densities of the label at the draws, normalised."""
    model = build(WORKED)
    rows = {"x": torch.zeros(1, 2).double(), "a": torch.tensor([1]), "b": torch.tensor([2])}
    weights = ObjectiveWeights.at(model.graphs, None, math.inf)
    found = model.evaluate(rows, weights=weights, noise=Noise(4, 1)).effective_samples
    assert set(found) == {"b"}, "a's density is the same for every draw"
    density = values_of(model, rows, Noise(4, 1))["log_q_b"][:, 0].exp()
    assert density.std() > 0.01
    expected = 1 / ((density / density.sum()) ** 2).sum()
    assert found["b"].item() == pytest.approx(expected.item(), rel=1e-9)


def test_a_number_over_rho_gives_every_label_the_same_total() -> None:
    """25 times the mean of l_j over the rows that have label j, whatever their number."""
    graphs = load("-", text=WORKED.replace("{samples: 4}", "{alpha: 25/rho, rho: 0.3}"))
    rates = Rates(labelled=100, unlabelled=900, per_label={"a": 100, "b": 20})
    weights = ObjectiveWeights.at(graphs, rates, 0.0)
    for name, rows in rates.per_label.items():
        assert weights.rho * rows / rates.labelled * weights.number("alpha", name) == pytest.approx(25)
    assert weights.number("alpha", "b") == pytest.approx(5 * weights.number("alpha", "a"))


FREE = """
graphspec: 1
variables: {x: {role: observed, domain: real, size: 2}, z: {role: latent, domain: real, size: 2}}
generative: {z: {}, x: {parents: [z]}}
recognition: {z: {parents: [x], network: {kind: linear}}}
networks: {default: {kind: linear}}
objective: {beta: {z: BETA}, free_bits: {z: BITS}}
"""


def free(beta: float, bits: float) -> tuple[float, float, torch.Tensor]:
    """The bound, its value without the divergence, and the gradient by q's weights."""
    model = build(FREE.replace("BETA", str(beta)).replace("BITS", str(bits)))
    weights = ObjectiveWeights.at(model.graphs, None, math.inf)
    found = model.evaluate({"x": torch.ones(1, 2).double()}, noise=Noise(1, 1), weights=weights)
    asked = [p for name, p in model.named_parameters() if "recognition" in name]
    slopes = torch.autograd.grad(found.bound.sum(), asked)
    return found.bound.item(), found.terms["log p(x)"].item(), torch.cat([slope.flatten() for slope in slopes])


def test_free_bits_stop_a_small_divergence_and_leave_a_large_one() -> None:
    """min(-KL, -bits), then beta: below the floor the weights see the likelihood alone."""
    floored, likelihood, slope = free(2, 1e4)
    assert floored == pytest.approx(likelihood - 2e4)
    torch.testing.assert_close(slope, free(0, 0)[2])
    torch.testing.assert_close(free(2, 1e-6)[2], free(2, 0)[2])
    assert (free(2, 0)[2] - slope).abs().max() > 1e-3
