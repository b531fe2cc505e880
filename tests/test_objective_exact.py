"""The derived objective against brute force: every topology, every pattern of labels, values and gradients."""

from itertools import chain, combinations

import numpy as np
import pytest
import torch
from discrete_specs import discrete_spec, random_dag, topologies
from objective_twin import twin_bound

from compiler import compile_spec
from graphspec.loading import load

NAMES = ["a", "b", "c", "d"]


def build(text: str, seed: int = 0):
    """A float64 model with weights large enough that nothing is near uniform."""
    model = compile_spec(load("-", text=text), seed=seed, dtype=torch.float64)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return model


def subsets(names: list[str]) -> list[list[str]]:
    return [list(s) for s in chain.from_iterable(combinations(names, size) for size in range(len(names) + 1))]


def one_row(model, rng: np.random.Generator, labels: list[str]) -> dict[str, torch.Tensor]:
    row = {"x": torch.tensor(rng.integers(0, 2, (1, 2)), dtype=torch.float64)}
    for name in labels:
        row[name] = torch.tensor(rng.integers(0, model.graphs.variables[name].support, 1))
    return row


def compare(model, labels: list[str], seed: int, **weights) -> None:
    row = one_row(model, np.random.default_rng(seed), labels)
    expected = twin_bound(model, row, labels, **weights)
    blank = {name: torch.tensor([-1]) for name in model.graphs.supervised if name not in labels}
    found = model.bound({**row, **blank})[0]
    assert found.item() == pytest.approx(expected.item(), abs=1e-10)
    parameters = list(model.parameters())
    gradients = [torch.autograd.grad(value, parameters, allow_unused=True) for value in (found, expected)]
    for mine, twins in zip(*gradients, strict=True):
        zero = torch.zeros(())
        difference = (zero if mine is None else mine) - (zero if twins is None else twins)
        assert difference.abs().max().item() < 1e-9


def random_pair(rng: np.random.Generator, names: list[str], edges=None):
    """Recognition over `names` with the given topology (or random) and x as a parent of some; any DAG for p."""
    order = [names[i] for i in rng.permutation(len(names))]
    if edges is None:
        recognition = random_dag(rng, order)
    else:
        recognition = {name: [order[a] for a, b in edges if b == i] for i, name in enumerate(order)}
    for name in recognition:
        if not recognition[name] or rng.random() < 0.5:
            recognition[name] = ["x", *recognition[name]]
    return random_dag(rng, [*names, "x"]), recognition


@pytest.mark.parametrize("size", [1, 2, 3, 4])
@pytest.mark.parametrize("bound", ["logmeanexp", "jensen"])
def test_every_topology_and_pattern_equals_brute_force(size: int, bound: str) -> None:
    """All recognition topologies on up to four variables; generative graphs random; every pattern of labels."""
    rng = np.random.default_rng(size)
    names = NAMES[:size]
    for number, graph in enumerate(topologies(size)):
        generative, recognition = random_pair(rng, names, list(graph.edges))
        supports = {name: int(rng.integers(2, 4)) for name in names}
        alpha = {name: float(rng.uniform(0.5, 3)) for name in names}
        listed = ", ".join(f"{n}: {a}" for n, a in alpha.items())
        text = discrete_spec(supports, names, generative, recognition, f"{{alpha: {{{listed}}}, label_bound: {bound}}}")
        model = build(text, seed=number)
        patterns = subsets(names)
        chosen = patterns if size < 4 else [patterns[i] for i in rng.permutation(len(patterns))[:5]]
        for labels in chosen:
            compare(model, labels, number, alpha=alpha, jensen=bound == "jensen")


def test_beta_scales_hidden_divergences_only() -> None:
    rng = np.random.default_rng(7)
    generative, recognition = random_pair(rng, ["a", "b", "c"])
    text = discrete_spec(
        {"a": 2, "b": 3, "c": 2}, ["a", "b"], generative, recognition, "{alpha: 2, beta: {a: 0.3, c: 4, b: 1.7}}"
    )
    model = build(text)
    for labels in subsets(["a", "b"]):
        compare(model, labels, 3, alpha={"a": 2.0, "b": 2.0}, beta={"a": 0.3, "b": 1.7, "c": 4.0})


def test_the_total_does_not_depend_on_how_rows_are_batched() -> None:
    rng = np.random.default_rng(5)
    generative, recognition = random_pair(rng, NAMES)
    text = discrete_spec(dict.fromkeys(NAMES, 2), ["a", "b"], generative, recognition, "{alpha: 3}")
    model = build(text)
    rows = {
        "x": torch.tensor(rng.integers(0, 2, (40, 2)), dtype=torch.float64),
        "a": torch.tensor(rng.integers(-1, 2, 40)),
        "b": torch.tensor(rng.integers(-1, 2, 40)),
    }
    whole = model.bound(rows)
    order = torch.randperm(40, generator=torch.Generator().manual_seed(0))
    for size in (1, 7, 40):
        parts = [model.bound({n: v[order[i : i + size]] for n, v in rows.items()}) for i in range(0, 40, size)]
        torch.testing.assert_close(torch.cat(parts), whole[order], atol=1e-10, rtol=0)


def test_at_the_true_posterior_the_bound_is_log_p() -> None:
    """q(c | x) set to p(c | x): the unlabelled bound is log p(x) exactly; with label and alpha 0 it is log p(x, y)."""
    text = discrete_spec({"c": 3}, ["c"], {"c": [], "x": ["c"]}, {"c": ["x"]}, "{alpha: 0}")
    text = text.replace("domain: binary, size: 2", "domain: category, classes: 2")
    text = text.replace("c: {parents: [x]}", "c: {parents: [x], network: {kind: linear}}")
    model = build(text)
    log_joint = torch.stack(
        [
            torch.stack(
                list(model.log_prob("generative", {"x": torch.arange(2), "c": torch.full((2,), k)}).values())
            ).sum(0)
            for k in range(3)
        ],
        dim=1,
    )
    posterior = torch.log_softmax(log_joint, dim=1).detach()
    module = model.factors["recognition--c"]
    tables = [p for p in module.parameters() if tuple(p.shape) in ((2, 3), (3, 2))]
    biases = [p for p in module.parameters() if tuple(p.shape) == (3,)]
    assert len(tables) == 1 and len(biases) == 1, "q(c | x) is one table and one bias"
    with torch.no_grad():
        biases[0].zero_()
        tables[0].copy_(posterior if tuple(tables[0].shape) == (2, 3) else posterior.T)
    evidence = torch.logsumexp(log_joint, dim=1)
    found = model.bound({"x": torch.arange(2), "c": torch.full((2,), -1)})
    torch.testing.assert_close(found, evidence, atol=1e-10, rtol=0)
    labelled = model.bound({"x": torch.arange(2), "c": torch.tensor([2, 0])})
    torch.testing.assert_close(labelled, log_joint[[0, 1], [2, 0]], atol=1e-10, rtol=0)
