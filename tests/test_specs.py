"""Every file in specs/ checks, explains, compiles, and trains two steps on made-up rows of its own shapes."""

import runpy
from pathlib import Path

import numpy as np
import pytest
import torch

from compiler import compile_spec
from compiler.symbolic.explanation import explain
from compiler.symbolic.explanation_text import as_latex, as_text
from compiler.symbolic.schedules import ObjectiveWeights, Rates
from compiler.tensors.noise import Noise
from graphspec.graphs.graph import Variable
from graphspec.loading import load

SPECS = sorted((Path(__file__).parents[1] / "specs").glob("*.yaml"))
ROWS = 12
MADE = ("*.csv", "*.npz")
"""Files of data in specs/, all of them made up."""


def made_up(variable: Variable, generator: torch.Generator) -> torch.Tensor:
    """Legal values [ROWS, *shape] of any variable a row can have."""
    shape = (ROWS, *variable.row_shape)
    if variable.support is not None:
        return torch.randint(0, variable.support, shape, generator=generator) + variable.minimum
    if variable.domain == "count":
        return torch.randint(0, 9, shape, generator=generator).float()
    uniform = torch.rand(shape, generator=generator)
    if variable.domain == "unit":
        return uniform
    if variable.domain == "positive":
        return uniform + 0.1
    if variable.domain == "simplex":
        return uniform / uniform.sum(1, keepdim=True)
    normal = torch.randn(shape, generator=generator)
    return normal / normal.norm(dim=1, keepdim=True) if variable.domain == "direction" else normal


def made_up_rows(graphs) -> dict[str, torch.Tensor]:
    """Rows of which the second half has no label. Vectors of labels have blanks inside, and so has whatever may."""
    generator = torch.Generator().manual_seed(0)
    rows = {name: made_up(graphs.variables[name], generator) for name in (*graphs.observed, *graphs.supervised)}
    for name, value in rows.items():
        variable = graphs.variables[name]
        blank = torch.nan if value.is_floating_point() else -1
        if variable.role == "supervised":
            value[ROWS // 2 :] = blank
        if variable.missing or (variable.role == "supervised" and variable.row_shape and variable.support):
            value[torch.rand(value.shape, generator=generator) < 0.3] = blank
    return rows


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_trains_two_steps(path: Path) -> None:
    graphs = load(path)
    assert not [found for found in graphs.warnings if found.code != "GS089"], "but for data that are not there"
    model = compile_spec(graphs)
    rows = made_up_rows(graphs)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    weights = ObjectiveWeights.at(graphs, Rates(ROWS // 2, ROWS // 2), 0.0)
    losses = []
    for _ in range(3):
        loss = -model.evaluate(rows, weights=weights, noise=Noise(0, ROWS)).bound.mean()
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None, f"{name} gets no gradient"
            assert torch.isfinite(parameter.grad).all(), name
        optimizer.step()
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_explains_in_words_and_latex(path: Path, golden) -> None:
    explanation = explain(load(path))
    golden(Path(__file__).parent / "golden" / "explain" / f"{path.stem}.txt", as_text(explanation) + "\n")
    latex = as_latex(explanation)
    assert latex.count("\\begin{") == latex.count("\\end{")


def test_made_up_tables_can_be_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the scripts of specs/ write is what is committed, and nothing else is."""
    folder = Path(__file__).parents[1] / "specs"
    monkeypatch.syspath_prepend(folder)  # as where a script is run: they import each other
    for script in ("tables.py", "sequences.py", "pictures.py"):
        runpy.run_path(str(folder / script))["write"](tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {path.name for kind in MADE for path in folder.glob(kind)}
    for file in tmp_path.glob("*.csv"):
        assert file.read_bytes() == (folder / file.name).read_bytes(), file.name
    for file in tmp_path.glob("*.npz"):
        with np.load(file) as made, np.load(folder / file.name) as kept:
            assert made.files == kept.files
            for name in made.files:
                np.testing.assert_array_equal(made[name], kept[name], err_msg=f"{name} of {file.name}")
