"""The table of families: rows and entries agree, nothing else knows a family by name, a new one needs only the two."""

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import toy_families
from graph_specs import graphs_of
from test_emission import compare

from compiler.emission.copied_source import pieces
from compiler.families import ENTRIES, Extras, divergence, divergence_each
from compiler.model.model import Model
from compiler.symbolic.schedules import ObjectiveWeights
from compiler.tensors.expression import Expression, in_place
from compiler.tensors.noise import Noise
from graphspec.language.families import CERTAIN, FAMILIES

ROOT = Path(__file__).parents[1]
DOUBLE = torch.float64

KNOWN_BY_NAME = {
    "graphspec/language/families.py": "the rows",
    "graphspec/language/domains.py": "the family of a factor that names none",
    "graphspec/rules/estimator_rules.py": "whose mean may stand for a draw",
    "graphspec/graphs/flow_times.py": "how long the slow way of a flow was measured to take; of others nothing is said",
    "runtime/querying/node_factors.py": "whose mean and variance have a short form in the data's units",
    "compiler/factors/factor_modules.py": "which way of a flow's map is fast",
}
"""Files outside of compiler/families in which a family's name stands, and why."""

OTHER_MEANINGS = {"normal", "beta", "gamma", "continuous", "certain"}
"""Names that are also noise or a typeface, weights of the objective, another word for real, or what a step does."""


def test_rows_and_entries_agree() -> None:
    assert set(ENTRIES) == {name for name, family in FAMILIES.items() if not family.flow}
    for name, entry in ENTRIES.items():
        row = FAMILIES[name]
        assert entry.name == name and entry.family is row
        assert set(entry.divergences) == row.closed_kl
        assert (entry.draw is not None) == row.reparameterized
        by_class = any(info.extent in ("class", "between_classes") for info in row.parameters)
        assert entry.by_class == (by_class or name == CERTAIN)  # which has no parameters: its value tells the class
        assert {inspect.getmodule(function).__name__.split(".")[0] for function in entry.functions()} == {"compiler"}


def test_functions_take_the_parameters_and_constants_they_can_have() -> None:
    constants = Extras(options={"levels": 4}).named
    for entry in ENTRIES.values():
        count = 1 if entry.by_class else len(entry.family.parameters)
        given = {"log_prob": count + 1, "mean": count, "mode": count, "draw": count + 1, "sample": count + 1,
                 "relaxed": count + 2, "carried": 2 * count + 1, "standard_divergence": count}  # fmt: skip
        named = [(getattr(entry, name), tensors) for name, tensors in given.items()]
        for function, tensors in [*named, *((f, 2 * count) for f in entry.divergences.values())]:
            if function is not None:
                taken = inspect.signature(function).parameters
                anything = any(parameter.kind is parameter.VAR_POSITIONAL for parameter in taken.values())
                assert anything or len(taken) >= tensors, function.__name__
                assert set(list(taken)[tensors:]) <= set(constants), function.__name__


def constants_in(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_no_other_file_knows_a_family_by_name() -> None:
    found = set()
    for package in ("graphspec", "compiler", "runtime"):
        for path in (ROOT / package).rglob("*.py"):
            place = str(path.relative_to(ROOT))
            if place.startswith("compiler/families/"):
                continue
            tree = ast.parse(path.read_text(encoding="utf-8"))
            if set(constants_in(tree)) & (FAMILIES.keys() - OTHER_MEANINGS):
                found.add(place)
            for node in ast.walk(tree):
                compared = isinstance(node, ast.Compare) and ast.unparse(node.left).endswith("family.name")
                if compared and set(constants_in(node)) & FAMILIES.keys():
                    found.add(place)
    assert found == set(KNOWN_BY_NAME)


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for row, entry in zip(toy_families.ROWS, toy_families.ENTRIES, strict=True):
        monkeypatch.setitem(FAMILIES, row.name, row)
        monkeypatch.setitem(ENTRIES, entry.name, entry)
    before = torch.get_default_dtype()
    torch.set_default_dtype(DOUBLE)
    yield
    torch.set_default_dtype(before)


TOYS = """
graphspec: 1
variables:
  x: {role: observed, domain: real, size: 3}
  c: {role: supervised, domain: count, min: 1, max: 4}
  z: {role: latent, domain: real, size: 2}
generative:
  c: {distribution: binomial}
  z: {distribution: logistic, parameters: {scale: 0.7}}
  x: {parents: [c, z], distribution: logistic}
recognition:
  c: {parents: [x], distribution: binomial}
  z: {parents: [x, c], distribution: logistic}
networks: {default: {kind: mlp, hidden: [6], activation: tanh}}
objective: OBJECTIVE
"""


@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize(
    "objective",
    ["{}", "{estimators: {c: {kind: relax, temperature: 0.7}}}", "{samples: 2, estimators: {c: score_function}}"],
)
def test_a_new_family_needs_a_row_and_an_entry_and_nothing_else(objective: str) -> None:
    graphs = graphs_of(TOYS.replace("OBJECTIVE", objective))
    compare(graphs)
    model = Model(graphs, seed=0, dtype=DOUBLE)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    x = torch.randn(64, 3, generator=torch.Generator().manual_seed(0), dtype=DOUBLE)
    c = torch.where(torch.arange(64) % 2 == 0, 1.0 + torch.arange(64, dtype=DOUBLE) % 4, -1.0)
    losses = []
    for step in range(40):
        weights = ObjectiveWeights.at(graphs, model.rates, 0.0)
        loss = -model.evaluate({"x": x, "c": c}, weights=weights, noise=Noise(step, 64)).bound.mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 0.1


def test_a_copied_function_brings_what_it_reads_and_no_namesake_of_its_variables() -> None:
    """`excess` is a function of directions, and a local variable of dirichlet's mode."""
    assert "excess" not in pieces()["dirichlet_mode"].needs
    assert pieces()["von_mises_fisher_log_prob"].needs >= {"excess", "log_area"}
    assert pieces()["zero_inflated_poisson_log_prob"].needs == {"with_extra_zeros", "poisson_log_prob"}


def code(*texts: str) -> list[Expression]:
    return [Expression(text) for text in texts]


@pytest.mark.usefixtures("toys")
def test_functions_of_a_new_family_are_written_in_place_or_called() -> None:
    logistic, binomial, extras = ENTRIES["logistic"], ENTRIES["binomial"], Extras((2,), 4)
    a, s, x, u, e, classes, noise = code("a + b", "s", "x", "u", "e", "l", "noise")
    assert str(logistic.pathwise(u, (a, s), extras)) == "(a + b) + s * torch.logit(u)"
    assert str(logistic.each(x, (a, s), extras)) == "logistic_log_prob(x, a + b, s)"
    assert str(logistic.summed(x, (a, s), extras)) == "logistic_log_prob(x, a + b, s).sum(-1)"
    assert str(binomial.sampled(e, (classes,), extras)) == "class_draw(e, binomial_log_probs(l, 4), 0)"
    assert str(binomial.noise(noise, "c", (), (classes,), extras)) == 'gumbels(noise, "c", (), (2, 4), l)'
    assert {"logistic_draw", "binomial_log_probs"} <= set(pieces())


def test_code_written_in_place_keeps_its_brackets() -> None:
    normal, classes = ENTRIES["normal"], ENTRIES["categorical"]
    assert str(in_place(normal.draw, *code("e", "a - b", "s + t"))) == "(a - b) + (s + t) * e"
    assert str(in_place(classes.relaxed, *code("e", "l", "a + b"))) == "torch.softmax((l + e) / (a + b), dim=-1)"


def test_what_is_done_with_code_is_written_down() -> None:
    a, b, n = Expression("a - b", 2), Expression("f(x)"), Expression("math.log(3)", scalar=True)
    assert str(a + b) == "a - b + f(x)" and str(b - a) == "f(x) - (a - b)" and str(2 * a) == "2 * (a - b)"
    assert str(b + -b) == "f(x) - f(x)" and str(a.sum((-1,))) == "(a - b).sum(-1)" and str(~b) == "~f(x)"
    assert str(b[:, None]) == "f(x)[:, None]" and str(b.unsqueeze(1)) == "f(x)[:, None]" and n.unsqueeze(1) is n
    assert str(torch.where(b, a, 0.0)) == "torch.where(f(x), a - b, 0.0)" and a.dim() == 2
    assert str(torch.nn.functional.softplus(-b)) == "F.softplus(-f(x))" and str((-b).exp()) == "(-f(x)).exp()"


def test_parameters_as_plain_tensors() -> None:
    """What a plan calls: the entry with parameters in order, the same as the distribution's methods."""
    entry, extras = ENTRIES["laplace"], Extras((3,))
    loc, scale = torch.zeros(1, 5, 3, dtype=DOUBLE), torch.full((4, 1, 1), 0.5, dtype=DOUBLE)
    parameters = entry.spread((loc, scale), extras)
    assert [tuple(p.shape) for p in parameters] == [(1, 5, 3), (4, 1, 3)] and entry.lead(parameters, extras) == (4, 5)
    eps = entry.noise(Noise(0, 5), "z", (4,), parameters, extras)
    value = entry.pathwise(eps, parameters, extras)
    assert value.shape == (4, 5, 3) and torch.equal(value, entry.sampled(eps, parameters, extras))
    each = entry.each(value, parameters, extras)
    torch.testing.assert_close(entry.summed(value, parameters, extras), each.sum(-1))
    assert entry.mean_of(parameters, extras).shape == entry.mode_of(parameters, extras).shape == (4, 5, 3)
    normal = ENTRIES["normal"]
    kl = divergence(entry, normal, parameters, parameters, extras)
    torch.testing.assert_close(kl, divergence_each(entry, normal, parameters, parameters, extras).sum(-1).expand(4, 5))
    for refused in (lambda: entry.classes(parameters, extras), lambda: entry.relax(eps, parameters, 1.0, extras)):
        with pytest.raises(NotImplementedError, match="laplace"):
            refused()
