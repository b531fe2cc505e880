"""One random spec through everything: explain, compile, two steps, resuming, evaluation, emission.

A thousand of them: `python -m experiments.robustness --only "random specs"`.
"""

from pathlib import Path

import torch
from language_specs import Drawing

from compiler import compile_spec
from compiler.emission import emit
from compiler.symbolic.explanation import explain
from compiler.symbolic.explanation_text import as_json, as_latex, as_text
from compiler.symbolic.schedules import ObjectiveWeights
from compiler.tensors.noise import Noise
from graphspec.diagnostics import SpecError
from graphspec.graphs.graph import Graphs
from graphspec.loading import load
from runtime.cli.compile import stage_text
from runtime.data import PreparedData, prepare
from runtime.errors import DataError, RunError
from runtime.measures.evaluation import evaluate_rows
from runtime.training.loop.fitting import fit

STAGES = ("spec", "graph", "program", "objective", "plan")


def accepted(seed: int, folder: Path) -> Path | None:
    """The spec of a seed, written beside its data; None where `check` or reading the data has an error to tell."""
    path = Drawing(seed).write(folder)
    try:
        rows_of(load(path), path)
    except (SpecError, DataError):
        return None
    return path


def rows_of(graphs: Graphs, path: Path) -> PreparedData:
    """The data that stand beside a spec."""
    return prepare(graphs, data_dir=path.parent, spec_path=path, tell=lambda text: None)


def walk(path: Path, *, compare: bool = False) -> None:
    """Every verb's work on one spec; raises what a user would see as a traceback. compare: see `train`."""
    graphs = load(path)
    told(graphs)
    try:
        train(graphs, path, compare=compare)
    except RunError as error:
        assert "there is nothing to train" in str(error), error
    written(graphs)


def told(graphs: Graphs) -> None:
    """`explain` in every form, and every stage of `compile`."""
    explanation = explain(graphs)
    assert as_text(explanation) and as_latex(explanation) and as_json(explanation)
    assert all(stage_text(graphs, stage) for stage in STAGES)


def stepped(graphs: Graphs, path: Path) -> None:
    """Two steps of gradient on all training rows, and what is asked of a trained model; nothing is written."""
    model, rows = compile_spec(graphs, seed=0), rows_of(graphs, path).training
    batch = rows.batch(torch.arange(len(rows)), torch.float32)
    for step in range(2):
        loss = -model.evaluate(batch, weights=ObjectiveWeights.at(graphs, None, 1), noise=Noise(step, len(rows))).bound
        if loss.requires_grad:
            loss.mean().backward()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter -= 1e-3 * (0.0 if parameter.grad is None else parameter.grad)
        model.zero_grad()
    assert evaluate_rows(model, rows)["rows"] == len(rows)


def written(graphs: Graphs) -> None:
    """`compile --emit`, which holds what it writes against the model."""
    try:
        assert "class Model" in emit(graphs)
    except SpecError as error:
        assert {found.code for found in error.diagnostics} == {"GS090"}, error


def train(graphs: Graphs, path: Path, *, compare: bool) -> None:
    """An epoch of two steps, one more after resuming, figures of the test rows.

    compare: both epochs at once as well, which must come to the same weights.
    """
    data, weights = rows_of(graphs, path), []
    for name, stops in (("apart", (1, 2)), *([("at-once", (2,))] if compare else [])):
        for epochs in stops:
            model = compile_spec(graphs, seed=0)
            run = path.parent / name
            fit(model, data, out=run, resume=epochs > stops[0], epochs=epochs, device="cpu", progress=False)
        weights.append(model.state_dict())
    assert all(torch.equal(weights[0][key], weights[-1][key]) for key in weights[0]), "resuming took other steps"
    report = evaluate_rows(model, data.test, units=data.units)
    assert report["rows"] == len(data.test)
