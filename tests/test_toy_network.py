"""A new kind of network is one file in graphspec/ and one in compiler/: a copy of the house with a toy kind of its own."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

ENTRY = '''
"""polynomial: powers of each element, mapped linearly."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from graphspec.language.base import Size
from graphspec.language.networks.network_kind import Asked, NetworkKind, Reading, Work, first_layer


class Polynomial(NetworkKind):
    """A polynomial in the elements of each parent, without products of two of them."""

    kind: Literal["polynomial"]
    degree: Size = Field(default=2, description="The highest power.")

    def work(self, parents: Mapping[str, Reading], asked: Asked) -> Work:
        return first_layer(parents, self.degree * asked.numbers) + Work(0, asked.joint * asked.numbers)
'''

NETWORK = '''
"""polynomial: powers of each element, mapped linearly."""

from collections.abc import Mapping
from math import prod

from torch import Tensor

from compiler.kernels import add_up
from compiler.networks.blueprint import Blueprint, network_kind
from compiler.networks.interface import Setup, Network, by_name
from compiler.networks.linear import ParentSum, divided
from compiler.tensors.call_layout import Lead
from graphspec.language.networks.polynomial import Polynomial


class PolynomialNetwork(Network):
    """The sum over powers of a linear map of the parents' elements to that power."""

    def __init__(self, setup: Setup, degree: int) -> None:
        super().__init__(setup)
        width, gain = sum(prod(shape) for shape in self.shapes.values()), setup.head_gain
        powers = [f"{n + 1}" for n in range(degree)]
        self.powers = by_name({n: ParentSum(self.inputs, width, setup.start.at(n), gain=gain) for n in powers})

    def finish(self, entered: Mapping[str, Tensor], layout: Lead) -> dict[str, Tensor]:
        parts = []
        for power, linear_map in self.powers.items():
            shares = {name: linear_map.enter(name, value ** int(power), layout) for name, value in entered.items()}
            parts += linear_map.parts(shares)
        return divided(add_up(parts), self.shapes)


@network_kind("polynomial")
def _polynomial(spec: Polynomial, setup: Setup) -> Blueprint:
    return Blueprint(PolynomialNetwork, {"degree": spec.degree})
'''

SPEC = """
graphspec: 1
variables:
  x: {role: observed, domain: real, size: 4}
  z: {role: latent, domain: real, size: 2}
generative: {z: {}, x: {parents: [z], network: {kind: polynomial, degree: 3}}}
recognition: {z: {parents: [x], network: {kind: polynomial}}}
objective: {samples: 2}
"""

CHILD = """
import sys
import torch
from compiler import compile_spec
from compiler.emission import emit
from compiler.symbolic.cost import program_cost
from compiler.tensors.noise import Noise
from graphspec.describe.json_schema import json_schema
from graphspec.loading import load

torch.set_default_dtype(torch.float64)
graphs = load("toy.yaml")
model = compile_spec(graphs, dtype=torch.float64)
assert "Polynomial" in json_schema()["$defs"]
rows = {"x": torch.randn(64, 4, generator=torch.Generator().manual_seed(0))}


def loss():
    return -model.bound(rows, noise=Noise(torch.Generator().manual_seed(1), 64)).mean()


optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
before = loss()
for _ in range(20):
    optimizer.zero_grad()
    loss().backward()
    optimizer.step()
assert loss() < before
text = emit(graphs)
assert text.count("class PolynomialNetwork(Network):") == 1
space = {"__name__": "emitted"}
exec(compile(text, "emitted.py", "exec"), space)
twin = space["Model"]()
twin.load_state_dict(space["from_graphspec"](model.state_dict()))
theirs = space["loss"](twin, rows, torch.Generator().manual_seed(1))
torch.testing.assert_close(theirs, loss(), rtol=1e-12, atol=1e-12)
"""

WRONG = SPEC.replace("kind: polynomial, degree: 3", "kind: polynomial, degres: 3").replace(
    "{kind: polynomial}", "{kind: polynom}"
)


def test_a_new_kind_of_network_needs_no_third_file(tmp_path: Path) -> None:
    for house in ("graphspec", "compiler", "runtime"):
        shutil.copytree(ROOT / house, tmp_path / house)  # with what Python compiled: it looks at sizes and dates
    (tmp_path / "graphspec/language/networks/polynomial.py").write_text(ENTRY.lstrip(), encoding="utf-8")
    (tmp_path / "compiler/networks/polynomial.py").write_text(NETWORK.lstrip(), encoding="utf-8")
    (tmp_path / "toy.yaml").write_text(SPEC, encoding="utf-8")
    (tmp_path / "wrong.yaml").write_text(WRONG, encoding="utf-8")

    def child(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, *arguments], cwd=tmp_path, capture_output=True, text=True)

    ran = child("-c", CHILD)
    assert ran.returncode == 0, ran.stderr
    explained = child("-m", "runtime.cli", "explain", "toy.yaml")
    assert explained.returncode == 0 and "polynomial" in explained.stdout, explained.stderr
    refused = child("-m", "runtime.cli", "check", "wrong.yaml")
    assert refused.returncode == 1
    assert "degree" in refused.stdout + refused.stderr and "python, polynomial" in refused.stdout + refused.stderr
