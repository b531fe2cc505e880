"""Work grows with the number of variables, not with its square. Counted in lines of Python that run, library code
included: the same in every run, whatever else the machine does."""

import subprocess
import sys
from itertools import chain as joined
from random import Random

import pytest
import torch

from benchmarks.large_specs import SHAPES, chain, discrete_chain, star
from benchmarks.scale import STAGES, growth, stages
from compiler import compile_spec
from compiler.symbolic.elimination import closure, elimination_order, elimination_steps
from compiler.symbolic.explanation import explain
from compiler.symbolic.explanation_text import as_json, as_text
from compiler.symbolic.lowering import STEP_CAP, lower
from compiler.symbolic.program import Pattern
from compiler.symbolic.schedules import ObjectiveWeights
from compiler.tensors.noise import Noise
from graphspec.graphs import declared_names
from graphspec.graphs.graph import Graphs
from graphspec.loading import check_file, load

LIMIT = 2.5
"""Times as many lines for twice as many variables: sorting is a little more than 2, a square is 4."""


class Lines:
    """Counts the lines that run; a loop within one line counts each time round."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> float:
        return float(self.count)

    def __enter__(self) -> "Lines":
        def trace(frame, event, arg):
            if event == "line":
                self.count += 1
            return None if event == "line" else trace  # None: as before, and cheaper than to say so again

        self.before = sys.gettrace()
        sys.settrace(trace)
        return self

    def __exit__(self, *_) -> None:
        sys.settrace(self.before)


def large(text: str) -> Graphs:
    return load("large.yaml", text=text)


def lines_per_stage(text: str) -> dict[str, float]:
    with Lines() as lines:
        return stages(text, lines)


# of binary variables so many that their sums are too many in either case
@pytest.mark.parametrize(("shape", "count"), [("chain", 60), ("star", 60), ("discrete-chain", 150)])
def test_every_stage_grows_linearly(shape, count):
    lines_per_stage(SHAPES[shape](5))  # what is imported and remembered once
    few, more = lines_per_stage(SHAPES[shape](count)), lines_per_stage(SHAPES[shape](2 * count))
    ratios = {stage: more[stage] / few[stage] for stage in STAGES}
    assert max(ratios.values()) < LIMIT, ratios


def faulty_chain(count: int) -> dict[str, str]:
    good = chain(count)
    variables, _ = good.split("recognition:")
    names = [f"z{place}" for place in range(1, count)]
    return {
        "unknown parents": good.replace("parents: [z", "parents: [q"),
        "renamed": good.replace("  z", "  w", count - 1),
        "no recognition": f"{variables}recognition: {{z1: {{parents: [x]}}}}\nnetworks: {{}}\n",
        "independent recognition": variables + "recognition:\n" + "".join(f"  {n}: {{parents: [x]}}\n" for n in names),
        "auto": f"{variables}recognition: auto\n",
        "wrong family": good.replace("parents: [z", "distribution: bernoulli, parents: [z"),
    }


@pytest.mark.parametrize("fault", faulty_chain(10))
def test_mistakes_by_the_hundred_are_found_in_linear_time(fault, monkeypatch):
    monkeypatch.setattr(declared_names, "MOST_GUESSES", 10_000)  # reached in either case

    def lines(count):
        with Lines() as counted:
            check_file("faulty.yaml", text=faulty_chain(count)[fault])
        return counted()

    lines(5)
    assert lines(300) / lines(150) < LIMIT


def test_two_thousand_variables_check_explain_and_compile():
    graphs = large(chain(2000))
    explanation = explain(graphs)
    text = as_text(explanation)
    assert all(f"log p(z{place} | z{place - 1}) − log q(z{place} | z{place + 1})" in text for place in range(2, 1999))
    assert len(as_json(explanation)["patterns"][0]["contributions"]) == 2000
    assert len(graphs.order("recognition")) == 1999


def test_a_step_on_a_long_chain_needs_no_deep_recursion():
    graphs = large(chain(600))
    model = compile_spec(graphs)
    rows = {"x": torch.randn(2, 4)}
    limit = sys.getrecursionlimit()
    try:
        sys.setrecursionlimit(180)
        found = model.evaluate(rows, weights=ObjectiveWeights.at(graphs, None, 0.0), noise=Noise(0, 2))
        found.bound.sum().backward()
    finally:
        sys.setrecursionlimit(limit)
    assert len(found.terms) == 600


def test_long_lists_of_variables_are_named_by_their_ends():
    text = as_text(explain(large(star(100))))
    assert "L(x1, x2, x3, …, x99) =" in text
    assert max(len(line) for line in text.splitlines() if "log p(x7 |" in line) < 120


# --- exact sums along chains ------------------------------------------------------------------------------------------


def test_a_chain_is_summed_exactly_while_that_is_cheap():
    program = lower(large(discrete_chain(60)), Pattern(()))
    assert set(program.enumerated) == {f"z{place}" for place in range(1, 60)}


def test_a_long_chain_is_relaxed_and_says_why():
    program = lower(large(discrete_chain(300)), Pattern(()))
    assert program.enumerated == ()
    reason = program.choices["z7"].reason
    assert reason.startswith("exact sums take") and reason.endswith(f"more than {STEP_CAP}")


def test_a_chain_that_the_spec_wants_summed_is_summed():
    text = (
        discrete_chain(180) + "objective: {estimators: {" + ", ".join(f"z{i}: enumerate" for i in range(1, 180)) + "}}"
    )
    assert len(lower(large(text), Pattern(())).enumerated) == 179


def test_a_thousand_binary_parents_are_relaxed_down_to_the_cap():
    names = [f"a{place}" for place in range(1000)]
    text = (
        "graphspec: 1\nvariables:\n  x: {role: observed, size: 2}\n"
        + "".join(f"  {name}: {{role: latent, domain: binary}}\n" for name in names)
        + "generative:\n"
        + "".join(f"  {name}: {{}}\n" for name in names)
        + f"  x: {{parents: [{', '.join(names)}]}}\nrecognition:\n"
        + "".join(f"  {name}: {{parents: [x], allow: [GS105]}}\n" for name in names)
    )
    program = lower(large(text), Pattern(()))
    assert len(program.enumerated) == 4
    assert "needs 10^301 joint values" in next(c.reason for c in program.choices.values() if c.estimator == "relax")


def naive_order(factors, keep, sizes):
    """The definition: all tables looked through again before every step."""

    def entries(axes):
        total = 1
        for axis in axes:
            total *= sizes.get(axis, 1)
        return total

    tables = [set(axes) for axes in factors]
    left, order = set(joined.from_iterable(tables)) - set(keep), []
    largest = max((entries(axes) for axes in tables), default=1)
    while left:
        products = {axis: set().union(*(axes for axes in tables if axis in axes)) for axis in left}
        axis = min(left, key=lambda name: (entries(products[name]), name))
        largest = max(largest, entries(products[axis]))
        tables = [axes for axes in tables if axis not in axes] + [products[axis] - {axis}]
        left.remove(axis)
        order.append(axis)
    return order, max(largest, entries(set().union(*tables) if tables else set()))


@pytest.mark.parametrize("seed", range(200))
def test_the_elimination_order_is_the_one_defined(seed):
    random = Random(seed)
    names = [f"v{place}" for place in range(random.randint(1, 9))]
    factors = [tuple(random.sample(names, random.randint(0, min(4, len(names))))) for _ in range(random.randint(0, 9))]
    keep = tuple(random.sample(names, random.randint(0, min(3, len(names)))))
    sizes = {name: random.randint(2, 5) for name in names}
    assert elimination_order(factors, keep, sizes) == naive_order(factors, keep, sizes)


@pytest.mark.parametrize("seed", range(50))
def test_steps_are_counted_as_they_are_taken(seed):
    random = Random(seed)
    names = [f"v{place}" for place in range(random.randint(1, 9))]
    densities = {n: (n, *random.sample(names[:i], random.randint(0, min(3, i)))) for i, n in enumerate(names)}
    terms = [tuple(random.sample(names, random.randint(0, min(3, len(names))))) for _ in range(5)]
    expected = sum(len(set(closure(axes, densities)) - set(axes)) for axes in terms)
    assert elimination_steps(terms, densities) == expected


# --- the benchmark ----------------------------------------------------------------------------------------------------


def test_growth_is_the_slope_of_the_logarithms():
    rows = [
        {"variables": size, "seconds": {stage: 1e-6 * size**2 if stage == "rules" else 1e-4 * size for stage in STAGES}}
        for size in (10, 100, 1000, 2000)
    ]
    found = growth(rows)
    assert found["rules"] == 2.0 and found["parse"] == 1.0
    assert growth(rows[:2])["parse"] is None


def test_the_benchmark_writes_what_it_measured(tmp_path):
    from benchmarks.scale import main

    target = tmp_path / "scale.json"
    assert main(["--json", str(target), "--sizes", "5,8", "--graphs", "chain", "--repeats", "1"]) == 0
    text = target.read_text()
    assert '"graph": "chain"' in text and '"versions"' in text and '"command"' in text


def test_known_data_sets_are_listed_without_torch():
    code = (
        "import sys; from runtime.cli.app import app; app(['data'], standalone_mode=False);"
        "print(sorted({'torch', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
