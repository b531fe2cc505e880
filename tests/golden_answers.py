"""What a model of the golden steps answers: densities of both graphs, posteriors, means, draws from p.

`Model.infer` is left out: what it draws follows from the order in which it draws.
"""

import torch
from golden_numbers import KeyedNoise, sketch
from torch import Tensor

from compiler import Model
from compiler.symbolic.schedules import ObjectiveWeights


def answers_of(model: Model, rows: dict[str, Tensor], ids: list[int]) -> dict[str, list[float]]:
    """Sketches of answers for rows of all patterns together; NaN, where a row has none, counts as zero."""
    model.eval()
    with torch.no_grad():
        found = {**_densities(model, rows, ids), **_posteriors(model, rows, ids), **_draws(model, rows, ids)}
    return {name: sketch(name, torch.nan_to_num(value.double())) for name, value in found.items()}


def _densities(model: Model, rows: dict[str, Tensor], ids: list[int]) -> dict[str, Tensor]:
    """log p and log q of every factor, hidden variables at their means."""
    whole = {**rows, **model.posterior_means(rows, noise=KeyedNoise(8, ids))}
    sides = ("generative", "recognition")
    return {f"log {side} {name}": value for side in sides for name, value in model.log_prob(side, whole).items()}


def _posteriors(model: Model, rows: dict[str, Tensor], ids: list[int]) -> dict[str, Tensor]:
    """Means, marginals over two draws, and what an evaluation says of labels that have classes."""
    graphs = model.graphs
    hidden = [name for name in (*graphs.supervised, *graphs.latent) if not _weighed_and_relaxed(model, name)]
    means = model.posterior_means(rows, noise=KeyedNoise(8, ids))
    found = {f"mean {name}": value for name, value in means.items()}
    found |= {f"posterior {n}": model.predict(n, rows, samples=2, noise=KeyedNoise(9, ids)) for n in hidden}
    asked = (name for name in graphs.supervised if name not in graphs.exact)  # which has no q to be asked
    classes = tuple(name for name in asked if graphs.variables[name].support is not None)
    weights = ObjectiveWeights.at(graphs, model.rates, float("inf"))
    said = model.evaluate(rows, weights=weights, noise=KeyedNoise(7, ids), answers=classes).answers
    return found | {f"log answer {name}": value for name, value in said.items()}


def _weighed_and_relaxed(model: Model, name: str) -> bool:
    """Maybe: `predict` cannot answer for a relaxed draw that a label below weighs (an error, as things are)."""
    asked = model.graphs.spec.objective.estimators.get(name)
    return asked is not None and asked.kind == "relax" and len(model.graphs.supervised) > 1


def _draws(model: Model, rows: dict[str, Tensor], ids: list[int]) -> dict[str, Tensor]:
    """From p, what it does not model held: a draw of everything, and means of what is observed."""
    fixed = {name: rows[name] for name in model.graphs.observed if name not in model.graphs.generative}
    found = {}
    for means in (False, True):
        drawn = model.generate(fixed, len(ids), noise=KeyedNoise(10, ids), means=means)
        found |= {f"{'mean' if means else 'draw'} from p of {name}": value for name, value in drawn.items()}
    return found
