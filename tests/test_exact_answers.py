"""What exact sums answer: evidence of hidden Markov models, marginals, joint draws, labels of any steps, weights."""

import math

import numpy as np
import pytest
import torch
from exact_twin import ExactTwin
from row_noise import RowNoise
from scipy.optimize import minimize
from test_exact import HEAD, SPECS, rows_of_row
from test_plates import DOUBLE, gradients, model_of, rows_for
from test_ragged_plates import ragged_rows

from compiler import compile_spec
from compiler.emission import emit
from compiler.tensors.noise import Noise
from graphspec.loading import load

HMM = """
graphspec: 1
plates: {time: {count: n, size: 12, ordered: true}}
variables:
  n: {role: observed, domain: count, max: 12}
  x: {role: observed, domain: category, classes: 5, plate: time}
  c: {role: supervised, domain: category, classes: 4, plate: time}
generative:
  c: {parents: [c@previous], network: {kind: linear}}
  x: {parents: [c], network: {kind: linear}}
recognition: {c: exact}
objective: {alpha: 1}
"""


def tables(model) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Initial, transition and emission log probabilities, from the weights themselves."""
    weights = {name: value.detach().double() for name, value in model.named_parameters()}

    def part(factor: str, end: str):
        return next(v for n, v in weights.items() if n.startswith(f"factors.generative--{factor}.") and n.endswith(end))

    bias, moves = part("c", "bias"), part("c", "from_c@previous.weight").T
    there = part("c", "present.weight")[:, 0]
    start, move = torch.log_softmax(bias, -1), torch.log_softmax(moves + bias + there, -1)
    emission = torch.log_softmax(part("x", "from_c.weight").T + part("x", "bias"), -1)
    return start.numpy(), move.numpy(), emission.numpy()


def forward_backward(start, move, seen) -> tuple[float, np.ndarray]:
    """Evidence and marginals [T, K] (Rabiner 1989), seen: log p(x_t | c_t) [T, K]."""
    steps, states = seen.shape
    if not steps:
        return 0.0, np.zeros((0, states))
    ahead, behind = np.zeros((steps, states)), np.zeros((steps, states))
    ahead[0] = start + seen[0]
    for t in range(1, steps):
        ahead[t] = np.logaddexp.reduce(ahead[t - 1][:, None] + move, axis=0) + seen[t]
    for t in reversed(range(steps - 1)):
        behind[t] = np.logaddexp.reduce(move + seen[t + 1] + behind[t + 1], axis=1)
    evidence = np.logaddexp.reduce(ahead[-1])
    return float(evidence), np.exp(ahead + behind - evidence)


def hmm_rows(model, count: int = 5) -> dict[str, torch.Tensor]:
    rows = ragged_rows(model, count, seed=2)
    rows["c"][:] = -1
    return rows


def test_evidence_and_marginals_are_those_of_forward_and_backward() -> None:
    """Rows of any lengths; what is not there is answered by nothing."""
    model = model_of(HMM)
    rows, (start, move, emission) = hmm_rows(model), tables(model)
    found, answer = model.bound(rows), model.predict("c", rows, noise=Noise(0, 5))
    for row in range(5):
        length = int(rows["n"][row])
        evidence, marginals = forward_backward(start, move, emission[:, rows["x"][row, :length]].T)
        assert found[row].item() == pytest.approx(evidence, abs=1e-10)
        np.testing.assert_allclose(answer[row, :length], marginals, atol=1e-10)
        assert bool(answer[row, length:].isnan().all())


def test_evidence_is_that_of_pyro() -> None:
    pyro = pytest.importorskip("pyro")
    model = model_of(HMM)
    rows, (start, move, emission) = hmm_rows(model), map(torch.tensor, tables(model))
    for row in range(5):
        length = int(rows["n"][row])
        if not length:
            continue
        seen = pyro.distributions.Categorical(logits=emission)
        # Pyro's chain makes a move before it is seen first: its first state is one that leads where ours begins
        initial = torch.full((4,), -math.log(4), dtype=DOUBLE)
        moves = torch.cat([start.expand(4, 4)[None], move.expand(length - 1, 4, 4)])
        judge = pyro.distributions.DiscreteHMM(initial, moves, seen)
        expected = judge.log_prob(rows["x"][row, :length].to(DOUBLE))
        torch.testing.assert_close(model.bound(rows)[row], expected, atol=1e-10, rtol=0)


@pytest.mark.parametrize("name", ["own latents", "inside out", "factorial, one read by both", "switching dynamics",
                                  "chains of any lengths, within elements of which there are any"])  # fmt: skip
def test_posteriors_are_those_of_all_paths(name: str) -> None:
    """Of exact variables and of latents of their own, whatever labels a row has, draws weighed by them."""
    model = model_of(HEAD + SPECS[name])
    rows = ragged_rows(model, 4)
    for asked in model.graphs.exact:
        told = {n: v for n, v in rows.items() if n != asked}
        samples = model.graphs.spec.objective.samples
        found = model.predict(asked, told, samples=samples, noise=RowNoise(3, range(4)))
        for row in range(4):
            twin = ExactTwin(model, rows_of_row(told, row), RowNoise(3, [row]))
            for node, expected in twin.posterior(asked).items():
                torch.testing.assert_close(found[(row, *node[1])], expected, atol=1e-10, rtol=0)


@pytest.mark.parametrize("name", ["hidden markov", "inside out", "factorial, one read by both"])
def test_densities_of_what_is_summed_add_up_to_one(name: str) -> None:
    """log q of every path, given what the sum reads outside; and no path that contradicts a draw is drawn."""
    model = model_of(HEAD + SPECS[name])
    rows = rows_of_row(rows_for(model, 2), 0)
    drawn = model.infer(rows, noise=Noise(0, 1))
    whole = {**rows, **{n: v[0] for n, v in drawn.items()}}
    twin = ExactTwin(model, rows, RowNoise(3, [0]))
    paths = {n: [] for n in model.graphs.exact}
    for node, values in twin.values.items():
        if node[0] in paths:
            paths[node[0]].append(values.reshape(twin.shape)[0, 0, :, 0])
    count = twin.shape[2]
    each = {n: v.expand(count, *v.shape[1:]) for n, v in whole.items()}
    for n, values in paths.items():
        variable = model.graphs.variables[n]
        each[n] = torch.stack(values, dim=1).reshape(count, *variable.row_shape)
    found = model.log_prob("recognition", each)
    total = sum(found[n] for n in model.graphs.exact)
    assert torch.logsumexp(total, 0).item() == pytest.approx(0.0, abs=1e-9)


def test_joint_draws_are_as_frequent_as_their_posterior() -> None:
    """8000 paths of a chain of three, a label in its middle: pairs of neighbours within four standard errors."""
    model = model_of(HEAD + SPECS["hidden markov"])
    rows = rows_of_row(rows_for(model, 2), 0)
    rows["c"] = torch.tensor([[-1, -1, 2, -1]])
    drawn = model.infer(rows, samples=8000, noise=Noise(0, 1))["c"][:, 0]
    assert bool((drawn[:, 2] == 2).all())
    twin = ExactTwin(model, rows, RowNoise(3, [0]))
    (each,) = twin.program.sums
    log = twin.inside(each)[0, 0] + torch.where(twin.values["c", (2,)] == 2, 0.0, -math.inf)
    shares = torch.softmax(log, 0)
    for first, second in ((0, 1), (1, 3)):
        pairs = twin.values["c", (first,)] * 3 + twin.values["c", (second,)]
        expected = torch.zeros(9, dtype=DOUBLE).index_add_(0, pairs, shares)
        found = torch.bincount(drawn[:, first] * 3 + drawn[:, second], minlength=9) / 8000
        assert bool(((found - expected).abs() < 4 * (expected * (1 - expected) / 8000).sqrt() + 1e-9).all())


def test_means_are_the_likeliest_values_and_keep_labels() -> None:
    model = model_of(HMM)
    rows = hmm_rows(model)
    rows["c"][:, 1] = 3
    found = model.posterior_means(rows, noise=Noise(0, 5))
    assert bool((found["c"][rows["n"] > 1, 1] == 3).all())
    free = {n: v for n, v in rows.items() if n != "c"}
    likeliest = model.predict("c", free, noise=Noise(0, 5)).argmax(-1)
    means = model.posterior_means(free, noise=Noise(0, 5))["c"]
    there = means >= 0
    assert torch.equal(means[there], likeliest[there]) and bool(there.any())


def test_beta_is_the_best_that_any_q_reaches() -> None:
    """b log Z with the other terms divided by b: the maximum over q(c) of E_q[log p(x | c)] - b KL(q(c) || p(c))."""
    model = model_of("""
graphspec: 1
variables: {x: {role: observed, size: 2}, c: {role: latent, domain: category, classes: 5}}
generative: {c: {parameters: {logits: learned}}, x: {parents: [c], network: {kind: linear}}}
recognition: {c: exact}
objective: {beta: {c: 2.5}}
""")
    x = torch.tensor([[0.3, -1.1]], dtype=DOUBLE)
    values = {"x": x.expand(5, 2), "c": torch.arange(5)}
    densities = {n: v.detach().numpy() for n, v in model.log_prob("generative", values).items()}

    def lost(free: np.ndarray) -> float:
        log_q = free - np.logaddexp.reduce(free)
        return -float(np.exp(log_q) @ (densities["x"] - 2.5 * (log_q - densities["c"])))

    best = minimize(lost, np.zeros(5), tol=1e-12)
    assert model.bound({"x": x}).item() == pytest.approx(-best.fun, abs=1e-6)
    answer = model.predict("c", {"x": x}, noise=Noise(0, 1))[0].detach().numpy()
    np.testing.assert_allclose(answer, np.exp(best.x - np.logaddexp.reduce(best.x)), atol=1e-4)


LONG = """
graphspec: 1
plates: {time: {size: 500, ordered: true}}
variables:
  x: {role: observed, size: 2, plate: time}
  c: {role: supervised, domain: category, classes: 6, plate: time}
generative:
  c: {parents: [c@previous], network: {kind: linear}}
  x: {parents: [c], network: {kind: linear}}
recognition: {c: exact}
objective: {alpha: 1}
"""


def test_long_chains_in_single_precision_and_moves_that_never_happen() -> None:
    """500 elements: value and gradient as in double precision to five digits, with moves of logits -1e9 among them."""
    double = compile_spec(load("-", text=LONG), dtype=DOUBLE)
    single = compile_spec(load("-", text=LONG), dtype=torch.float32)
    weights = {n: p.clone() for n, p in model_of(LONG).state_dict().items()}
    moves = next(name for name in weights if name.endswith("from_c@previous.weight"))
    for state in range(5):  # the last state is reached from itself and its neighbour alone
        weights[moves][5, state] = -1e9 if state < 4 else weights[moves][5, state]
    double.load_state_dict(weights)
    single.load_state_dict({n: w.float() for n, w in weights.items()})
    rows = rows_for(double, 3)
    rows["c"][2] = -1
    rows["c"][2, 100::50] = 4
    told = {n: v.float() if v.is_floating_point() else v for n, v in rows.items()}
    values, slopes = [], []
    for model, here in ((double, rows), (single, told)):
        here["c"] = torch.where(here["c"] == 5, 0, here["c"])
        found = model.bound(here)
        assert bool(found.isfinite().all())
        values.append(found.double())
        slopes.append(gradients(found.sum(), model).double())
    torch.testing.assert_close(values[1], values[0], rtol=1e-5, atol=0)
    torch.testing.assert_close(slopes[1], slopes[0], rtol=1e-3, atol=1e-3 * float(slopes[0].abs().max()))


@pytest.mark.parametrize("name", ["own latents of as many elements as there are", "factorial, one read by both",
                                  "beside drawn, relaxed and summed variables"])  # fmt: skip
def test_the_emitted_file_agrees(name: str) -> None:
    """`emit` runs the file beside the model and raises where value or gradient differ."""
    assert "def bound(" in emit(load("-", text=HEAD + SPECS[name]))
