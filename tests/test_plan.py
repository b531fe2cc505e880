"""The plan: its law, what it prints, what it leaves out, and that several plans run as one."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from graph_specs import graphs_of
from typer.testing import CliRunner

from compiler import compile_spec
from compiler.plan.ops import OPERATIONS
from compiler.plan.plan import Line, Plan, Value
from compiler.plan.planner import plans_of
from compiler.plan.verify import verify
from compiler.symbolic.program import Pattern
from compiler.tensors.noise import Noise
from graphspec.diagnostics import InternalError
from graphspec.loading import load
from runtime.cli.app import app

ROOT = Path(__file__).parents[1]
SPECS = sorted((ROOT / "specs").glob("*.yaml"))


@pytest.mark.parametrize("name", ["digits", "mnist-label-below"])
def test_golden_plans(name: str, golden) -> None:
    text = "\n\n".join(str(plan) for plan in plans_of(load(ROOT / f"specs/{name}.yaml"))) + "\n"
    golden(ROOT / f"tests/golden/plan/{name}.txt", text)


def test_the_command_prints_what_runs() -> None:
    found = CliRunner().invoke(app, ["compile", str(ROOT / "specs/digits.yaml"), "--stage", "plan"])
    model = compile_spec(ROOT / "specs/digits.yaml")
    assert found.exit_code == 0
    assert str(model.compiled.plan(Pattern(("y",)))) in found.output


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_every_line_is_an_operation_and_is_needed(path: Path) -> None:
    for plan in plans_of(load(path)):
        read = {value.name for line in plan.lines for value in line.inputs}
        read |= {value.name for value in (*plan.results.values(), *plan.terms.values())}
        for line in plan.lines:
            assert line.op in OPERATIONS
            assert any(value.name in read for value in line.outputs), f"{line} is for nothing"


def digits() -> Plan:
    return next(plans_of(load(ROOT / "specs/digits.yaml")))


def broken(plan: Plan) -> Iterator[tuple[str, Plan]]:
    """The same plan against its law, one way at a time."""
    place = next(i for i, line in enumerate(plan.lines) if line.op == "log_prob")
    line = plan.lines[place]

    def with_line(*lines: Line) -> Plan:
        return replace(plan, lines=(*plan.lines[:place], *lines, *plan.lines[place + 1 :]))

    (value,) = line.outputs
    yield "should vary over", with_line(replace(line, outputs=(replace(value, axes=()),)))
    yield "which is not there", with_line(replace(line, inputs=(Value("nobody"), *line.inputs[1:])))
    yield "a second time", with_line(line, line)
    yield "is no operation", with_line(replace(line, op="guess"))
    yield "still varies over", replace(plan, results={"total": value})
    yield "which is not there", replace(plan, results={"total": Value("nobody")})


@pytest.mark.parametrize(
    ("message", "plan"), list(broken(digits())), ids=lambda given: given if isinstance(given, str) else ""
)
def test_a_plan_against_its_law_is_refused(message: str, plan: Plan) -> None:
    with pytest.raises(InternalError, match=message):
        verify(plan)


def test_one_sample_has_no_axis_and_several_have_one() -> None:
    text = """
graphspec: 1
variables:
  x: {role: observed, size: 2}
  z: {role: latent, size: 2}
generative: {z: {}, x: {parents: [z]}}
recognition: {z: {parents: [x]}}
objective: {samples: COUNT}
"""
    for count, axes in ((1, set()), (3, {" samples"})):
        (plan,) = plans_of(graphs_of(text.replace("COUNT", str(count))))
        assert {axis for value in plan.values() for axis in value.axes} == axes


def test_what_cancels_is_not_computed() -> None:
    """One draw has weight one: -log w and log q^ cancel, so the importance weights are nothing."""
    graphs = load(ROOT / "specs/mnist-label-below.yaml", ["objective.samples=1"])
    plan = next(plan for plan in plans_of(graphs) if "y" in plan.title)
    assert plan.terms["importance weights"].name == "nothing"


def test_a_copied_model_runs_its_own_modules() -> None:
    import copy

    model = compile_spec(ROOT / "specs/digits.yaml")
    rows = {"x": torch.rand(2, 1, 8, 8), "y": torch.tensor([-1, 3])}
    before = model.bound(rows, noise=Noise(0, 2))
    twin = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.zero_()
    torch.testing.assert_close(model.bound(rows, noise=Noise(0, 2)), before)
    assert (twin.bound(rows, noise=Noise(0, 2)) - before).abs().max() > 0.1
