"""What to set and what to read, from the roles of a spec; and the report that `evaluate --interventions` adds."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from compiler.model.model import Model
from graphspec.graphs.graph import Graphs, Variable
from runtime.answering.interventions import noise_for, take
from runtime.answering.panels import Target, elements, reaches
from runtime.data import Rows
from runtime.data.preparation.earlier_rows import NONE, EarlierRows
from runtime.data.read.unpacked_copies import Tell
from runtime.probing.instrument import CHUNK, Instrument, instrument_for, labelled_rows, target_values, with_all_labels
from runtime.probing.intervention_accuracy import ROWS, intervention_accuracy

MOST_VALUES = 200
"""Variables with more values are not measured: no instrument of this kind tells so many apart."""
FOLDS, ITERATIONS = 5, 2000
Floats = NDArray[np.float64]


def measure_interventions(
    model: Model,
    rows: Rows,
    *,
    data_dir: Path | None = None,
    spec_path: Path | None = None,
    folder: Path | None = None,
    count: int = ROWS,
    seed: int = 0,
    tell: Tell | None = None,
    earlier: EarlierRows = NONE,
) -> dict[str, Any]:
    """{interventions: {name: figures}, leakage: {name: {latent: figures}}} on the rows of one split.

    Names are those of supervised elements (`y`, `attributes[3]`). `figures` of an intervention are those of
    `intervention_accuracy` with latents drawn from the prior, with `instrument_error`, `read_from` (the observed
    variables it reads), and the same with inferred latents under `inferred`. folder: where instruments are kept.
    """
    was_training = model.training
    model.eval()
    try:
        return {
            "interventions": _interventions(model, rows, data_dir, spec_path, folder, count, seed, tell, earlier),
            "leakage": measure_leakage(model, rows, seed=seed),
        }
    finally:
        model.train(was_training)


def settable(graphs: Graphs) -> list[tuple[Target, tuple[Variable, ...]]]:
    """Discrete supervised elements with the observed variables below them in p, those without any left out."""
    found = []
    for target in readable(graphs):
        below = tuple(
            graphs.variables[name]
            for name in graphs.observed
            if name in graphs.generative and reaches(graphs, target.variable.name, name)
        )
        found += [(target, below)] if below else []
    return found


def readable(graphs: Graphs) -> list[Target]:
    """Every element of every supervised variable of finitely many values."""
    variables = [graphs.variables[name] for name in graphs.supervised]
    return [
        target
        for variable in variables
        if variable.support is not None and 2 <= variable.support <= MOST_VALUES
        for target in elements(variable)
    ]


def _interventions(
    model: Model,
    rows: Rows,
    data_dir: Path | None,
    spec_path: Path | None,
    folder: Path | None,
    count: int,
    seed: int,
    tell: Tell | None,
    earlier: EarlierRows,
) -> dict[str, Any]:
    wanted = settable(model.graphs)
    if not wanted:
        return {}
    data = with_all_labels(model.graphs, data_dir, spec_path, tell, earlier)
    report = {}
    for target, below in wanted:
        instrument = instrument_for(target, below, data, folder=folder, tell=tell)
        report[str(target)] = figures_of(model, rows, instrument, count=count, seed=seed)
    return report


def figures_of(model: Model, rows: Rows, instrument: Instrument, *, count: int = ROWS, seed: int = 0) -> dict[str, Any]:
    """Both kinds of start, and what is known of the instrument."""
    prior, inferred = (
        intervention_accuracy(model, rows, instrument, start=start, count=count, seed=seed)
        for start in ("prior", "inferred")
    )
    return {
        **prior,
        "instrument_error": instrument.error,
        "read_from": [variable.name for variable in instrument.reader.variables],
        "inferred": inferred,
    }


def measure_leakage(model: Model, rows: Rows, *, seed: int = 0) -> dict[str, Any]:
    """{name: {latent: figures or None}} of `leakage`, on the rows of a split that have a label.

    Codes are the model's posterior means from the observed variables alone: q's mean of each latent with every other
    hidden variable, the label included, at its own mean or likeliest value. `draws` in the figures is the same of one
    draw from q: standardized means give away a label also by differences far smaller than q's own spread.
    """
    graphs = model.graphs
    targets = [target for target in readable(graphs) if target.variable.name in rows.values]
    if not targets or not graphs.latent or not len(rows):
        return {}
    means, draws = _codes(model, rows, seed)
    report: dict[str, Any] = {}
    for target in targets:
        positions = labelled_rows(target, rows)
        if len(positions):
            labels = target_values(target, rows, positions).numpy()
            report[str(target)] = {
                name: _both(means[name][positions], draws[name][positions], labels, seed) for name in graphs.latent
            }
    return report


def _both(means: Tensor, draws: Tensor, labels: NDArray[np.int64], seed: int) -> dict[str, Any] | None:
    figures, drawn = (leakage(codes.numpy(), labels, seed) for codes in (means, draws))
    if figures is None or drawn is None:
        return None
    return {**figures, "draws": {"accuracy": drawn["accuracy"], "std": drawn["std"]}}


def _codes(model: Model, rows: Rows, seed: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Posterior means and draws, {latent: [N, numbers]}; classes as one-hot numbers."""
    graphs = model.graphs
    means: dict[str, list[Tensor]] = {name: [] for name in graphs.latent}
    draws: dict[str, list[Tensor]] = {name: [] for name in graphs.latent}
    with torch.no_grad():
        for part, positions in enumerate(torch.arange(len(rows)).split(CHUNK)):
            data = take(model, rows, positions)
            seen = model.unlabelled(data)
            centre = model.posterior_means(seen, noise=noise_for(model, len(positions), seed + part))
            drawn = model.infer(seen, noise=noise_for(model, len(positions), seed + part))
            for name in graphs.latent:
                means[name].append(_numbers(graphs.variables[name], centre[name]))
                draws[name].append(_numbers(graphs.variables[name], drawn[name][0]))
    joined = [{name: torch.cat(parts) for name, parts in codes.items()} for codes in (means, draws)]
    return joined[0], joined[1]


def _numbers(variable: Variable, value: Tensor) -> Tensor:
    value = value.cpu()
    if variable.domain == "category" and variable.support is not None:
        return F.one_hot(value.long(), variable.support).flatten(1).double()
    return value.reshape(len(value), -1).double()


def leakage(codes: Floats, labels: NDArray[np.int64], seed: int = 0) -> dict[str, Any] | None:
    """How well a label can be read, by a straight line, from what a latent keeps of a row.

    {accuracy, std, chance, folds} of logistic regression that predicts `labels` [n] from `codes` [n, d].

    accuracy, std: mean and standard deviation over folds of the share of held-out rows read right; chance: the share
    of the most common label. Codes are standardized on each fold's training rows; folds are stratified. Labels with
    fewer rows than folds are left out; None where fewer than two remain.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    values, counts = np.unique(labels, return_counts=True)
    common = np.isin(labels, values[counts >= FOLDS])
    codes, labels = codes[common], labels[common]
    if len(np.unique(labels)) < 2:
        return None
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    line = make_pipeline(StandardScaler(), LogisticRegression(max_iter=ITERATIONS))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a line that nearly converged reads as well
        scores = cross_val_score(line, codes, labels, cv=folds)
    return {
        "accuracy": float(scores.mean()),
        "std": float(scores.std()),
        "chance": float(np.bincount(np.unique(labels, return_inverse=True)[1]).max() / len(labels)),
        "folds": FOLDS,
    }
