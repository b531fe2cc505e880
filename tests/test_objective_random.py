"""Random pairs of DAGs, discrete and Gaussian, random patterns of labels: the objective against plain sums.

The twin (row_twin.py) computes every factor in every world; worlds are all joint values of the discrete variables under
each draw of the Gaussian ones, or, where an exact expectation is wanted, at the nodes of a Gauss-Hermite rule.
"""

import re
from dataclasses import replace
from itertools import chain, combinations

import numpy as np
import pytest
import torch
from distributions import distribution_of
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from random_specs import Drawn, compiled, rows_of, specs
from row_noise import RowNoise
from row_twin import twin_bound

from compiler import compile_spec
from compiler.tensors.noise import Noise
from graphspec.loading import load

plain = settings(derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
slow = settings(plain, phases=[Phase.generate])
"""For what takes seconds an example: fails with the first case found instead of searching for the smallest."""


def patterns_of(draw, drawn: Drawn, most: int) -> list[tuple[str, ...]]:
    """No labels, all labels, and others in between: at most `most`."""
    names = drawn.supervised
    subsets = list(chain.from_iterable(combinations(names, size) for size in range(len(names) + 1)))
    if len(subsets) <= most:
        return subsets
    return [subsets[0], subsets[-1], *draw(st.lists(st.sampled_from(subsets[1:-1]), min_size=1, max_size=most - 2))]


def gradients(value: torch.Tensor, model) -> torch.Tensor:
    """All gradients in one vector."""
    parameters = list(model.parameters())
    found = torch.autograd.grad(value, parameters, allow_unused=True)
    return torch.cat(
        [(torch.zeros_like(p) if g is None else g).flatten() for p, g in zip(parameters, found, strict=True)]
    )


@settings(plain, max_examples=30)
@given(st.data())
def test_value_and_gradient_equal_the_sum_over_all_worlds(data) -> None:
    """Any two DAGs of up to six variables, alpha, beta and free bits per variable, both label bounds, S up to 3."""
    drawn = data.draw(specs())
    patterns = patterns_of(data.draw, drawn, 4)
    model, rows = compiled(drawn), rows_of(drawn, patterns)
    found = model.bound(rows, noise=RowNoise(3, range(len(patterns))))
    expected = torch.stack([
        twin_bound(model, {n: v[row : row + 1] for n, v in rows.items()}, RowNoise(3, [row]))
        for row in range(len(patterns))
    ])  # fmt: skip
    torch.testing.assert_close(found, expected, atol=1e-10, rtol=1e-12)
    row_weights = torch.arange(1, len(patterns) + 1, dtype=torch.float64)
    mine, theirs = gradients(found @ row_weights, model), gradients(expected @ row_weights, model)
    torch.testing.assert_close(mine, theirs, atol=1e-9, rtol=1e-9)


class NodeNoise(Noise):
    """One chosen standard normal draw for the only variable that is drawn."""

    def __init__(self, value: float) -> None:
        super().__init__(0, 1)
        self.value = value

    def normal(self, name, lead, event, dtype):
        return torch.full((*lead, 1, *event), self.value, dtype=dtype)


def exact_mean(model, row: dict[str, torch.Tensor], nodes: int = 81, reach: float = 7.0) -> torch.Tensor:
    """The mean of the twin's bound over one standard normal draw: the trapezoid rule, which converges exponentially for
    smooth functions (161 nodes instead of 81 move the steepest example's gradient by 7e-6). No closed form is used."""
    points = np.linspace(-reach, reach, nodes)
    masses = np.exp(-0.5 * points**2)
    bounds = [twin_bound(model, row, NodeNoise(float(point)), closed_forms=False) for point in points]
    return torch.stack(bounds) @ torch.tensor(masses / masses.sum())


def means_over_noise(model, row: dict[str, torch.Tensor], batches: int, size: int) -> torch.Tensor:
    """Value and gradient of `batches` means over `size` draws of the bound of one row: [batches, 1 + parameters]."""
    many = {name: value.expand(size, *value.shape[1:]) for name, value in row.items()}
    found = []
    for batch in range(batches):
        value = model.bound(many, noise=Noise(1000 + batch, size)).mean()
        found.append(torch.cat([value.detach().reshape(1), gradients(value, model)]))
    return torch.stack(found)


def assert_mean(found: torch.Tensor, expected: torch.Tensor, *, errors: float = 5.5) -> None:
    """Value and every entry of the gradient within `errors` standard errors of the exact ones."""
    standard_error = found.std(0) / len(found) ** 0.5
    off = (found.mean(0) - expected).abs() - errors * standard_error
    worst = int(off.argmax())
    said = f"entry {worst}: {found.mean(0)[worst]:.5f} against {expected[worst]:.5f}, error {standard_error[worst]:.5f}"
    assert off[worst] < 1e-5, said


@settings(slow, max_examples=4)
@given(st.data())
def test_draws_agree_in_mean_with_quadrature(data) -> None:
    """One Gaussian beside discrete variables, any pattern of labels; upstream of labels the mean is that of S = 1.

    Mean over 30 x 200 draws of bound and gradient against the integral over the noise, within 5.5 standard errors.
    """
    drawn = data.draw(specs(most=4, samples=1, weights=False))
    pattern = data.draw(st.sampled_from(patterns_of(data.draw, drawn, 8)))
    assume(sum(not drawn.kinds[n] and n not in pattern for n in drawn.names) == 1)
    model, row = compiled(drawn), rows_of(drawn, [pattern])
    exact = exact_mean(model, row)
    expected = torch.cat([exact.detach().reshape(1), gradients(exact, model)])
    assert_mean(means_over_noise(model, row, 30, 200), expected)


def with_estimators(drawn: Drawn, estimator: str, samples: int) -> Drawn:
    """The same spec with every discrete variable estimated otherwise."""
    chosen = ", ".join(f"{n}: {estimator}" for n in drawn.names if drawn.kinds[n])
    return replace(drawn, objective={**drawn.objective, "estimators": f"{{{chosen}}}", "samples": str(samples)})


def labels_without_ancestors(drawn: Drawn, draw) -> tuple[str, ...]:
    """Labels below which nothing is hidden: first in recognition order, so that no weights are estimated."""
    model = compiled(drawn)
    order = [f.variable for f in model.graphs.order("recognition") if not f.deterministic]
    count = next((i for i, n in enumerate(order) if n not in drawn.supervised), len(order))
    return tuple(order[: draw(st.integers(0, max(0, min(count, len(order) - 1))))])


@settings(slow, max_examples=4)
@given(st.data())
def test_the_score_function_agrees_in_mean_with_the_sum(data) -> None:
    """Every hidden variable discrete and drawn, S = 2 with the leave-one-out baseline or S = 1 without."""
    summed = data.draw(specs(most=3, gaussian=False, samples=1, weights=False))
    pattern = labels_without_ancestors(summed, data.draw)
    drawn = with_estimators(summed, "score_function", data.draw(st.integers(1, 2)))
    row = rows_of(drawn, [pattern])
    compare_means(compiled(drawn), compiled(summed), row)


@settings(slow, max_examples=4)
@given(st.data())
def test_a_budget_agrees_in_mean_with_the_sum(data) -> None:
    """The likeliest value summed, one weighted draw for the others; only variables of three values have others."""
    summed = data.draw(specs(most=3, gaussian=False, samples=1, weights=False))
    pattern = labels_without_ancestors(summed, data.draw)
    drawn = with_estimators(summed, "{kind: enumerate, budget: 1}", 1)
    assume(any(drawn.kinds[n] == 3 and n not in pattern for n in drawn.names))
    compare_means(compiled(drawn), compiled(summed), rows_of(drawn, [pattern]))


def compare_means(drawn, summed, row: dict[str, torch.Tensor]) -> None:
    """Value and gradient of the drawn estimator against the exact sum of a model with the same weights."""
    drawn.load_state_dict(summed.state_dict())
    value = summed.bound(row)[0]
    exact = torch.cat([value.detach().reshape(1), gradients(value, summed)])
    assert_mean(means_over_noise(drawn, row, 60, 250), exact)


@settings(slow, max_examples=3)
@given(st.data())
def test_relaxed_draws_agree_roughly(data) -> None:
    """Concrete draws are biased at any temperature above zero. At 0.2 the value is within 10 % and four standard errors
    and the gradient points the same way (cosine above 0.9)."""
    summed = data.draw(specs(most=2, gaussian=False, samples=1, weights=False))
    drawn = with_estimators(summed, "{kind: relax, temperature: 0.2}", 1)
    row = rows_of(drawn, [()])
    model, reference = compiled(drawn), compiled(summed)
    value = reference.bound(row)[0]
    exact, found = gradients(value, reference), means_over_noise(model, row, 60, 500)
    error = found[:, 0].std() / 60**0.5
    assert (found[:, 0].mean() - value).abs() < 4 * error + 0.1 * value.abs()
    assert torch.nn.functional.cosine_similarity(found[:, 1:].mean(0), exact, dim=0) > 0.9


IWAE = """
graphspec: 1
variables:
  x: {role: observed, size: 2}
  z: {role: latent}
  y: {role: supervised, domain: binary}
generative:
  z: {}
  y: {parents: [z]}
  x: {parents: [z, y]}
recognition:
  y: {parents: [x]}
  z: {parents: [x, y]}
networks: {default: {kind: mlp, hidden: [3], activation: tanh}}
objective: {bound: importance_weighted, samples: 2, alpha: 1.5}
"""


@pytest.mark.parametrize("label", [-1, 1])
def test_the_importance_weighted_bound_agrees_in_mean_with_quadrature(label: int) -> None:
    """S = 2 on a grid of both draws, from log densities alone: E log((w_1 + w_2) / 2). With the label the gradient is
    the doubly reparameterised one, without it y is summed inside the logarithm."""
    model = compile_spec(load("-", text=IWAE), dtype=torch.float64)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.6 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    row = {"x": torch.tensor([[0.5, -0.8]]).double(), "y": torch.tensor([float(label)]).double()}
    points = torch.linspace(-7, 7, 81, dtype=torch.float64)
    masses = torch.softmax(-0.5 * points**2, 0)
    ratios = []
    for y in [0.0, 1.0] if label < 0 else [float(label)]:
        given = {"x": row["x"].expand(81, 2), "y": torch.full((81,), y).double()}
        q = distribution_of(model, model.graphs.recognition["z"], given, Noise(0, 81))
        z = q.parameters["loc"] + q.parameters["scale"] * points
        log_p = sum(model.log_prob("generative", {**given, "z": z}).values())
        ratios.append(log_p - model.log_prob("recognition", {**given, "z": z})["z"])
    log_w = torch.logsumexp(torch.stack(ratios), 0)
    pairs = torch.logaddexp(log_w[:, None], log_w[None, :]) - np.log(2)
    exact = masses @ pairs @ masses
    if label >= 0:
        exact = exact + 1.5 * model.log_prob("recognition", {**given, "z": z})["y"][0]
    expected = torch.cat([exact.detach().reshape(1), gradients(exact, model)])
    assert_mean(means_over_noise(model, row, 60, 500), expected)


class Renamed(RowNoise):
    """The noise of other names."""

    def __init__(self, seed, rows, names) -> None:
        super().__init__(seed, rows)
        self.names = names

    def _generator(self, name, row):
        return super()._generator(self.names.get(name, name), row)

    def select(self, rows):
        return Renamed(self.seed, torch.tensor(self.rows)[rows].tolist(), self.names)


@settings(plain, max_examples=12)
@given(st.data())
def test_names_order_rows_and_batches_change_nothing(data) -> None:
    """Same weights and noise per row: names permuted; sections written in another order, recognition's kept because
    the alphas differ; rows shuffled and cut into batches of two."""
    drawn = data.draw(specs(most=5))
    random = data.draw(st.randoms(use_true_random=True))
    patterns = patterns_of(data.draw, drawn, 6)
    model, rows = compiled(drawn), rows_of(drawn, patterns)
    count = len(patterns)
    whole = model.bound(rows, noise=RowNoise(3, range(count)))

    def shuffled(section: str, lines: list[str]) -> list[str]:
        return lines if section == "recognition" else random.sample(lines, len(lines))

    other = compiled(drawn, drawn.text(shuffled))
    other.load_state_dict(model.state_dict())
    torch.testing.assert_close(other.bound(rows, noise=RowNoise(3, range(count))), whole, atol=1e-10, rtol=0)

    order = random.sample(range(count), count)
    for start in range(0, count, 2):
        part = order[start : start + 2]
        found = model.bound({n: v[part] for n, v in rows.items()}, noise=RowNoise(3, part))
        torch.testing.assert_close(found, whole[part], atol=1e-10, rtol=0)

    new = dict(zip(drawn.names, random.sample(["zeta", "m", "b2", "a", "k", "f"], len(drawn.names)), strict=True))
    changed = renamed(drawn.text(), new)
    twin = compiled(drawn, changed)
    twin.load_state_dict({renamed_key(k, new): v for k, v in model.state_dict().items()})
    moved = {new.get(n, n): v for n, v in rows.items()}
    back = {v: k for k, v in new.items()}
    found = twin.bound(moved, noise=Renamed(3, range(count), back))
    torch.testing.assert_close(found, whole, atol=1e-10, rtol=0)


def renamed(text: str, new: dict[str, str]) -> str:
    """Every one-letter name of the spec exchanged (the language's own words are longer)."""
    return re.sub(r"\b([a-f])\b", lambda match: new.get(match.group(1), match.group(1)), text)


def renamed_key(key: str, new: dict[str, str]) -> str:
    """`factors.recognition--a.sources.0.network.first.maps.from_b.weight` under the new names."""
    return re.sub(r"(--|from_)([a-f])(?=\.)", lambda match: match.group(1) + new[match.group(2)], key)


def even(text: str):
    """A float64 model of a small spec, weights drawn."""
    model = compile_spec(load("-", text=text), dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return model


def test_free_bits_cost_nothing_where_the_variable_is_given() -> None:
    """Five labels make one masked program; in a row that has all of them no variable is hidden, so none has a floor."""
    names = ["a", "b", "c", "d", "e"]
    text = "\n".join([
        "graphspec: 1", "variables:", "  x: {role: observed, size: 2}",
        *(f"  {n}: {{role: supervised, domain: binary}}" for n in names),
        "generative:", *(f"  {n}: {{}}" for n in names), f"  x: {{parents: [{', '.join(names)}]}}",
        "recognition:", *(f"  {n}: {{parents: [x]}}" for n in names), "objective: {alpha: 1, free_bits: FLOOR}", "",
    ])  # fmt: skip
    row = {"x": torch.zeros(1, 2).double(), **{n: torch.ones(1).double() for n in names}}
    with_floor, without = (even(text.replace("FLOOR", floor)).bound(row) for floor in ("{a: 1.5}", "{}"))
    torch.testing.assert_close(with_floor, without, atol=1e-12, rtol=0)


PARTLY = """
graphspec: 1
variables:
  x: {role: observed, size: 1}
  a: {role: supervised, domain: binary, size: 2}
generative:
  a: {parameters: {logits: learned}}
  x: {parents: [a], network: {kind: linear}}
recognition:
  a: {parents: [x], network: {kind: linear}}
objective: {alpha: 0, samples: SAMPLES, estimators: {a: ESTIMATOR}}
"""


@pytest.mark.parametrize("samples", [1, 2])
@pytest.mark.parametrize("label", [[1.0, torch.nan], [torch.nan, torch.nan]])
def test_the_score_function_leaves_given_elements_alone(samples: int, label: list[float]) -> None:
    """One of two elements given: only the other was drawn, so only its density belongs into the score."""
    text = PARTLY.replace("SAMPLES", str(samples))
    row = {"x": torch.full((1, 1), 0.7).double(), "a": torch.tensor([label]).double()}
    compare_means(even(text.replace("ESTIMATOR", "score_function")), even(text.replace("ESTIMATOR", "enumerate")), row)


def test_a_split_divergence_stands_beside_a_score_function() -> None:
    """The leave-one-out baseline of y needs the bound without one sample, the split of z included."""
    text = """
graphspec: 1
variables:
  x: {role: observed, size: 2}
  y: {role: latent, domain: category, classes: 3}
  z: {role: latent, size: 2}
generative: {y: {}, z: {}, x: {parents: [y, z]}}
recognition: {y: {parents: [x]}, z: {parents: [x]}}
objective: {samples: 2, beta: {z: {total_correlation: 3}}, estimators: {y: score_function}}
"""
    assert torch.isfinite(even(text).bound({"x": torch.ones(4, 2).double()}, noise=Noise(0, 4))).all()
