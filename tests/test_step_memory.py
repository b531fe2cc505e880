"""What a step is predicted to need: which factor, for which rows, and that what is said to lower it does."""

import subprocess
import sys
from pathlib import Path

import pytest

from compiler.symbolic.cost import BYTES, program_cost
from compiler.symbolic.explanation import explain
from compiler.symbolic.explanation_text import as_json, as_text
from compiler.symbolic.lowering import lower
from compiler.symbolic.program import Pattern
from compiler.symbolic.step_memory import PEAK, memory_lines, savings, step_memory
from graphspec.loading import load

SPEC = """\
graphspec: 1
variables:
  x: {role: observed, domain: unit, shape: [3, 96, 96]}
  y: {role: supervised, domain: category, classes: 10}
  z: {role: latent, domain: real, size: 8}
generative: {y: {}, z: {}, x: {parents: [y, z], distribution: normal, network: decoder, parameters: {scale: 0.2}}}
recognition: {y: {parents: [x], network: reader}, z: {parents: [x, y], network: reader}}
networks:
  decoder: {kind: deconv, channels: [32, 16], kernel: 4, stride: 2, hidden: [64]}
  reader: {kind: cnn, channels: [16, 32], kernel: 4, stride: 2, hidden: [64]}
objective: {samples: 2}
training: {batch_size: 50}
"""


def test_a_step_is_its_rows_with_and_without_labels() -> None:
    graphs = load("s.yaml", text=SPEC)
    memory = step_memory(graphs)
    per_row = [PEAK * BYTES * program_cost(lower(graphs, Pattern(p))).activations for p in ((), ("y",))]
    assert memory.total == pytest.approx(50 * sum(per_row))
    assert (memory.unlabelled, memory.labelled) == (50, 50)
    assert memory.heaviest == "p(x | y, z)" and memory.times == 20 and memory.share > 0.6
    few = step_memory(load("s.yaml", ["training.labelled_batch_size=5"], text=SPEC))
    assert few.total == pytest.approx(50 * per_row[0] + 5 * per_row[1])


def test_what_is_said_to_lower_it_is_a_legal_override_and_does() -> None:
    graphs = load("s.yaml", text=SPEC)
    before = step_memory(graphs)
    advice = savings(graphs, before)
    assert [line.partition(":")[0] for line in advice] == [
        "objective",
        "objective",
        "training",
        "smaller layers in p(x | y, z)",
    ]
    for override in (
        "objective.samples=1",
        "objective.estimators={y: {kind: enumerate, budget: 1}}",
        "training.batch_size=12",
    ):
        value = override.partition("=")[2]
        assert value.strip("{}") in " ".join(advice)
        assert step_memory(load("s.yaml", [override], text=SPEC)).total < 0.7 * before.total


@pytest.mark.parametrize("name", ["regimes", "factorial-hmm", "letters", "annotators"])
def test_no_budget_is_advised_where_all_values_are_summed_or_none(name: str) -> None:
    """Exact variables and those of plates: the spec would be refused."""
    graphs = load(Path(__file__).parent / "specs" / "plate_examples" / f"{name}.yaml", ["data=null"])
    for line in savings(graphs, step_memory(graphs)):
        if line.startswith("objective: {estimators"):
            estimators = line.removeprefix("objective: {estimators: ").removesuffix("}")
            load(graphs.source.name, ["data=null", f"objective.estimators={estimators}"])


def test_explain_says_it_in_words_and_numbers() -> None:
    graphs = load("s.yaml", text=SPEC)
    text = as_text(explain(graphs))
    assert "% of it in p(x | y, z), which runs 20 times a row: for each draw and each value of y" in text
    assert "less with objective: {samples: 1}" in text
    assert as_json(explain(graphs))["step_memory"]["bytes"] == round(step_memory(graphs).total)
    (only,) = memory_lines(small := load("specs/attributes.yaml"), step_memory(small))
    assert "h = f(measures)" in only and "runs" not in only


MEASURED = """
import sys
from pathlib import Path
import torch
from compiler import compile_spec
from compiler.symbolic.schedules import ObjectiveWeights
from compiler.tensors.noise import Noise
from graphspec.loading import load
torch.set_num_threads(1)
model = compile_spec(load("s.yaml", text=sys.stdin.read()))
def peak():  # not getrusage: its peak is inherited from the process that started this one
    status = Path('/proc/self/status').read_text()
    return 1024 * int(status.split('VmHWM:')[1].split()[0])
def step(rows):
    x, y = torch.rand(2 * rows, 3, 96, 96), torch.tensor([-1, 3] * rows)
    weights = ObjectiveWeights.at(model.graphs, None, 1.0)
    (-model.evaluate({"x": x, "y": y}, weights=weights, noise=Noise(0, 2 * rows)).bound.mean()).backward()
step(1)
Path('/proc/self/clear_refs').write_text('5')  # the peak of importing and compiling is forgotten
before = peak()
step(6)
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of a process is in other units elsewhere")
def test_the_prediction_is_of_the_right_size() -> None:
    text = SPEC.replace("batch_size: 50", "batch_size: 6").replace("samples: 2", "samples: 1")
    found = subprocess.run(
        [sys.executable, "-c", MEASURED], input=text, capture_output=True, text=True, check=True, cwd=Path.cwd()
    )
    predicted = step_memory(load("s.yaml", text=text)).total
    assert 0.5 < float(found.stdout) / predicted < 2
