"""What a whole spec goes through: checked, drawn, explained in words and LaTeX, compiled, evaluated, differentiated.

Small specs for constructs that no file of specs/ has. With GRAPHSPEC_EXAMPLES set to a folder, every spec in it that
needs nothing of a later version goes the same way (a python network needs its package in that folder).
"""

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from test_emission import values_of

from compiler.model.model import Model
from compiler.symbolic.explanation import explain
from compiler.symbolic.explanation_text import as_json, as_latex, as_text
from compiler.symbolic.schedules import ObjectiveWeights, Rates
from compiler.tensors.noise import Noise
from graphspec.diagnostics import SpecError
from graphspec.drawing import draw
from graphspec.graphs.graph import Graphs
from graphspec.loading import load

ROWS = 4

SPECS = {
    "a lit surface: functions of functions, weightless networks, a direction as label": """
variables:
  photo: {role: observed, domain: unit, shape: [1, 8, 6]}
  who: {role: supervised, domain: category, classes: 3}
  lamp: {role: supervised, domain: direction, size: 3}
  relief: {role: latent, domain: real, size: 4}
  paint: {role: latent, domain: real, size: 4}
  slopes: {role: deterministic, domain: direction, shape: [3, 8, 6]}
  colour: {role: deterministic, domain: unit, shape: [1, 8, 6]}
  shade: {role: deterministic, shape: [1, 8, 6]}
  lit: {role: deterministic, shape: [1, 8, 6]}
  seen: {role: deterministic}
generative:
  who: {}
  lamp: {}
  relief: {}
  paint: {}
  slopes: {parents: [who, relief], network: grow}
  colour: {parents: [who, paint], network: grow}
  shade: {parents: [lamp, slopes], network: {kind: dot, minimum: 0}}
  lit: {parents: [colour, shade], network: {kind: product}}
  photo:
    parents: [lit]
    distribution: normal
    network: {kind: identity}
    parameters: {scale: {learned: variable, minimum: 0.05}}
recognition:
  seen: {parents: [photo], network: {kind: cnn, channels: [4, 6], kernel: 4, stride: 2, hidden: [9]}}
  who: {parents: [seen], network: {kind: linear}}
  lamp: {parents: [seen, who], network: {kind: linear}}
  paint: {parents: [seen, who, lamp]}
  relief: {parents: [seen, who, lamp, paint]}
networks: {grow: {kind: deconv, channels: [5], kernel: 4, stride: 2}}
objective: {alpha: 7, rho: 0.4}
""",
    "flows on both sides": """
variables:
  page: {role: observed, domain: unit, shape: [1, 6, 6]}
  code: {role: latent, domain: real, size: 4}
  seen: {role: deterministic}
generative:
  code: {distribution: {kind: neural_spline, transforms: 2, hidden: [8, 8]}}
  page: {parents: [code], distribution: bernoulli}
recognition:
  seen: {parents: [page], network: {kind: mlp, hidden: [12, 12]}}
  code: {parents: [seen], distribution: {kind: inverse_autoregressive, transforms: 2, hidden: [8]}, network: {kind: linear}}
""",
    "counts: a parameter with a network of its own, a size factor, a batch": """
variables:
  genes: {role: observed, domain: count, size: 12}
  lane: {role: observed, domain: category, classes: 3}
  depth: {role: observed, domain: positive, size: 1}
  state: {role: latent, domain: real, size: 3}
  shares: {role: deterministic, domain: simplex, size: 12}
generative:
  state: {}
  shares: {parents: [state, lane], network: {kind: mlp, hidden: [9], dropout: 0.1}}
  genes:
    parents: [shares, depth, lane]
    distribution: negative_binomial
    parameters:
      mean: {parents: [shares, depth], network: {kind: product}}
      dispersion: {parents: [lane], network: {kind: linear}}
recognition:
  state: {parents: [genes, lane, depth], network: {kind: mlp, hidden: [9], normalization: batch}}
objective: {beta: {state: {from: 0, to: 1, epochs: 40}}}
""",
    "a derived recognition graph with a trunk of one's own, cycles, free bits": """
variables:
  page: {role: observed, domain: unit, shape: [1, 6, 6]}
  code: {role: latent, domain: real, size: 4}
  seen: {role: deterministic}
generative:
  code: {}
  page: {parents: [code], distribution: bernoulli}
recognition:
  auto: true
  seen: {parents: [page], network: {kind: mlp, hidden: [12]}}
objective: {beta: {code: {from: 0, to: 3, shape: cosine, epochs: 5, cycles: 2}}, free_bits: {code: 1}}
training: {epochs: 12, learning_rate: {from: 1e-3, to: 1e-5, shape: exponential, epochs: 12}}
""",
    "residual networks and levels of grey": """
variables:
  photo: {role: observed, domain: unit, shape: [3, 8, 8]}
  kind: {role: supervised, domain: category, classes: 4}
  style: {role: latent, domain: real, size: 4}
  seen: {role: deterministic}
generative:
  kind: {}
  style: {}
  photo:
    parents: [kind, style]
    distribution: {kind: discretized_logistic, levels: 64}
    network: {kind: resnet, direction: up, channels: [5, 4], blocks: 1}
    parameters: {scale: {learned: channel, minimum: 0.01}}
recognition:
  seen: {parents: [photo], network: {kind: resnet, channels: [4, 5], blocks: 1, hidden: [9], normalization: batch, dropout: 0.1}}
  kind: {parents: [seen], network: {kind: linear}}
  style: {parents: [seen, kind]}
objective: {alpha: 9/rho, gamma: 3}
""",
}  # fmt: skip


def rows_of(graphs: Graphs) -> dict[str, torch.Tensor]:
    """Rows of which the second half has no label."""
    rng = np.random.default_rng(0)
    rows = {n: values_of(graphs.variables[n], ROWS, rng) for n in (*graphs.observed, *graphs.supervised)}
    for name in graphs.supervised:
        rows[name][ROWS // 2 :] = -1 if graphs.variables[name].discrete else math.nan
    return rows


def goes_all_the_way(graphs: Graphs) -> None:
    """Text, formulas and pictures of it, a finite bound, and a gradient for every weight."""
    explanation = explain(graphs)
    for text in (as_text(explanation), as_latex(explanation)):
        assert graphs.spec.name.split("_")[0] in text
    assert len(as_json(explanation)["patterns"]) == len(explanation.patterns)
    for kind in ("text", "svg", "dot", "mermaid", "tikz"):
        assert draw(graphs, kind)
    model = Model(graphs, allow_python=True)
    weights = ObjectiveWeights.at(graphs, Rates(ROWS // 2, ROWS // 2) if graphs.supervised else None, 3.0)
    bound = model.evaluate(rows_of(graphs), weights=weights, noise=Noise(1, ROWS)).bound
    assert torch.isfinite(bound).all()
    bound.sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, f"nothing reaches {name}"
        assert torch.isfinite(parameter.grad).all(), name


@pytest.mark.parametrize("name", SPECS)
def test_constructs_go_all_the_way(name: str) -> None:
    graphs = load("-", text=f"graphspec: 1\nname: made_up\n{SPECS[name]}")
    assert not graphs.warnings
    goes_all_the_way(graphs)


FOLDER = os.environ.get("GRAPHSPEC_EXAMPLES")
GIVEN = sorted(Path(FOLDER).glob("*.yaml")) if FOLDER else []


@pytest.mark.skipif(not GIVEN, reason="GRAPHSPEC_EXAMPLES names no folder of specs")
@pytest.mark.parametrize("path", GIVEN, ids=lambda path: path.stem)
def test_given_examples_go_all_the_way(path: Path) -> None:
    try:
        graphs = load(path)
    except SpecError as error:
        assert {d.code for d in error.diagnostics} == {"GS090"}, error
        pytest.skip("of a later version")
    goes_all_the_way(graphs)


OWN = """
graphspec: 1
variables:
  wave: {role: observed, domain: real, size: 6}
  code: {role: latent, domain: real, size: 2}
generative:
  code: {}
  wave: {parents: [code], network: {kind: python, target: signals.nets:Echo, args: {taps: 3}}, parameters: {scale: 0.5}}
recognition:
  code: {parents: [wave]}
"""
ECHO = """
from torch import nn

class Echo(nn.Module):
    def __init__(self, inputs, outputs, taps):
        super().__init__()
        self.map = nn.Linear(inputs["code"][0], outputs["loc"][0] * taps)
        self.taps = taps

    def forward(self, code):
        return {"loc": self.map(code).unflatten(-1, (-1, self.taps)).sum(-1)}
"""


@pytest.mark.parametrize("place", ["beside the spec", "in the working folder"])
def test_a_package_of_ones_own_is_found(place: str, tmp_path: Path) -> None:
    """As the installed command starts, which unlike `python -m` does not look in the working folder by itself."""
    own, working = tmp_path / "own", tmp_path / "working"
    home = own if place == "beside the spec" else working
    for folder in (own, working, home / "signals"):
        folder.mkdir()
    (home / "signals" / "nets.py").write_text(ECHO)
    (own / "echo.yaml").write_text(OWN)
    command = Path(sys.executable).parent / "graphspec"
    if not command.exists():
        pytest.skip("the command is not installed beside this Python")
    arguments = [str(command), "compile", str(own / "echo.yaml"), "--allow-python"]
    done = subprocess.run(arguments, cwd=working, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
