"""Blanks of observed variables, filled by p at draws of what is hidden; and joint draws of all that rows lack.

From: rows in the model's units. To: answers as `row_answers` gives them. What a row tells is never changed.
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from graphspec.graphs.graph import Variable
from runtime.data.stream.patterns import given_elements
from runtime.measures.evaluation import placement
from runtime.predicting.hidden_draws import can_be_weighed, weighed_draws
from runtime.predicting.row_answers import Answer, Array, AskedFor, as_rows, flat_elements, in_data_units, which_given
from runtime.predicting.row_noise import RowNoise, keys_of_contents, keys_of_places
from runtime.predicting.used_run import UsedRun

Draws = Mapping[str, Tensor]
"""{name: [S, B, *shape]} of every variable that was drawn or told."""


def imputed(used: UsedRun) -> tuple[str, ...]:
    """Observed variables that may be blank, and that p can tell."""
    graphs = used.graphs
    return tuple(name for name in graphs.observed if graphs.variables[name].missing and name in graphs.generative)


def impute_rows(used: UsedRun, rows: Mapping[str, Tensor], asked: AskedFor) -> list[Answer]:
    """Of each observed variable that may be blank the mean or likeliest class where a row lacks it, and how sure that
    is, over `samples` joint draws."""
    held = as_rows(used, rows)
    names, blank = imputed(used), _with_blanks(used, held)
    drawn: Draws = {}
    means: Draws = {}
    if bool(blank.any()):
        some = {name: values[blank] for name, values in held.items()}
        noise = RowNoise(asked.seed, int(blank.sum()), lambda: keys_of_contents(some), placement(used.model)[0])
        drawn, means = _draws(used, some, asked.samples, noise, means=True)
    return [_imputed(used, name, held[name], blank, drawn, means, asked) for name in names]


def _with_blanks(used: UsedRun, held: Mapping[str, Tensor]) -> Tensor:
    """[B]: rows that lack something that may be imputed."""
    count = len(next(iter(held.values())))
    blank = torch.zeros(count, dtype=torch.bool, device=placement(used.model)[0])
    for name in imputed(used):
        there = given_elements(held[name], used.graphs.variables[name].discrete)
        blank |= ~there.reshape(count, -1).all(dim=1)
    return blank


def draw_whole_rows(used: UsedRun, rows: Mapping[str, Tensor], draws: int, seed: int, first: int) -> list[list[Answer]]:
    """Joint draws of everything that rows lack: for each of `draws` the answers about labels, latents and blanks."""
    held = as_rows(used, rows)
    count = len(next(iter(held.values())))
    noise = RowNoise(seed, count, lambda: keys_of_places(first, count), placement(used.model)[0], first)
    drawn, _ = _draws(used, held, draws, noise, means=False)
    graphs = used.graphs
    names = (*graphs.supervised, *graphs.latent, *imputed(used))
    return [[_drawn_answer(used, name, drawn[name][each], held.get(name)) for name in names] for each in range(draws)]


def _draws(
    used: UsedRun, held: Mapping[str, Tensor], samples: int, noise: RowNoise, *, means: bool
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Joint draws of what rows lack, and (means) what p expects of blanks at each draw of the hidden variables."""
    model, graphs, names = used.model, used.graphs, imputed(used)
    with torch.no_grad():
        hidden = _hidden(used, held, samples, noise)
        count = noise.batch
        given = {name: value.reshape(samples * count, *value.shape[2:]) for name, value in hidden.items()}
        told = {name: held[name].repeat(samples, *(1,) * (held[name].dim() - 1)) for name in graphs.observed}
        given |= {name: value for name, value in told.items() if name not in names}
        given = {n: v for n, v in given.items() if graphs.variables[n].role != "deterministic"}
        copies = noise.repeated(samples)
        order = torch.arange(count * samples).reshape(count, samples).T.reshape(-1)  # draws first, as `infer` has them
        found = model.generate(given, samples * count, noise=copies.select(order), means=False) if names else {}
        expected = model.generate(given, samples * count, noise=copies.select(order)) if names and means else {}
    made = {name: found[name].reshape(samples, count, *found[name].shape[1:]) for name in names}
    mean = {name: expected[name].reshape(samples, count, *expected[name].shape[1:]) for name in names if expected}
    return {**hidden, **made}, mean


def _hidden(used: UsedRun, held: Mapping[str, Tensor], samples: int, noise: RowNoise) -> dict[str, Tensor]:
    """{name: [S, B, *shape]}: draws of q; of rows with blanks those that p finds likely."""
    if not can_be_weighed(used.graphs):
        return used.model.infer(held, samples=samples, noise=noise)
    blank = _with_blanks(used, held)
    if bool(blank.all()):
        return weighed_draws(used, held, samples, noise)
    plain = {name: values[~blank] for name, values in held.items()}
    found = used.model.infer(plain, samples=samples, noise=noise.select((~blank).nonzero()[:, 0]))
    if not bool(blank.any()):
        return found
    some = {name: values[blank] for name, values in held.items()}
    weighed = weighed_draws(used, some, samples, noise.select(blank.nonzero()[:, 0]))
    return {name: _put_back(blank, values, weighed[name]) for name, values in found.items()}


def _put_back(blank: Tensor, plain: Tensor, weighed: Tensor) -> Tensor:
    """[S, B, *shape] of draws for the rows that are not blank, and for those that are."""
    whole = plain.new_empty(len(plain), len(blank), *plain.shape[2:])
    whole[:, ~blank], whole[:, blank] = plain, weighed.to(plain)
    return whole


def reconstructed(used: UsedRun, rows: Mapping[str, Tensor], samples: int, noise: RowNoise) -> dict[str, Tensor]:
    """{name: [S, B, *shape]} of every observed variable of p: draws at what q makes of the row itself. rows: as
    `as_rows` has them, in evaluation and without gradients."""
    hidden, graphs = used.model.infer(rows, samples=samples, noise=noise), used.graphs
    given = {n: v.reshape(samples * noise.batch, *v.shape[2:]) for n, v in hidden.items()}
    given = {n: v for n, v in given.items() if graphs.variables[n].role != "deterministic"}
    told = [name for name in graphs.observed if name not in graphs.generative]
    given |= {name: rows[name].repeat(samples, *(1,) * (rows[name].dim() - 1)) for name in told}
    order = torch.arange(noise.batch * samples).reshape(noise.batch, samples).T.reshape(-1)
    copies = noise.repeated(samples).select(order)
    found = used.model.generate(given, samples * noise.batch, noise=copies, means=False)
    names = [name for name in graphs.observed if name in graphs.generative]
    return {name: found[name].reshape(samples, noise.batch, *found[name].shape[1:]) for name in names}


def _imputed(
    used: UsedRun, name: str, values: Tensor, blank: Tensor, drawn: Draws, means: Draws, asked: AskedFor
) -> Answer:
    variable, units = used.graphs.variables[name], used.units.get(name)
    given, rows = which_given(variable, values), blank.cpu().numpy()
    if variable.support is not None:
        elements = given.shape[1]
        classes = np.full((len(given), elements, variable.support), np.nan)
        if rows.any():
            found = drawn[name].cpu().numpy().reshape(asked.samples, -1, elements) - variable.minimum
            classes[rows] = (found[..., None] == np.arange(variable.support)).mean(0)
        best = np.where(given, flat_elements(values) - variable.minimum, np.nan_to_num(classes).argmax(-1))
        return Answer(variable, best, given, np.where(given[..., None], np.nan, classes))
    own = in_data_units(values, units)
    mean, low, high = (np.full(own.shape, np.nan, own.dtype) for _ in range(3))
    if rows.any():
        each = [in_data_units(draw, units) for draw in drawn[name]]
        expected = [in_data_units(draw, units) for draw in means[name]]
        mean[rows] = np.mean(expected, axis=0)
        low[rows], high[rows] = np.quantile(each, asked.levels, axis=0)
    ends = [np.where(given, np.nan, end) for end in (low, high)]
    return Answer(variable, np.where(given, own, mean), given, None, *ends)


def _drawn_answer(used: UsedRun, name: str, drawn: Tensor, told: Tensor | None) -> Answer:
    variable = used.graphs.variables[name]
    best = in_data_numbers(used, variable, drawn)
    if told is None:
        return Answer(variable, best, np.zeros(best.shape, dtype=np.bool_))
    given = which_given(variable, told)
    return Answer(variable, np.where(given, in_data_numbers(used, variable, told), best), given)


def in_data_numbers(used: UsedRun, variable: Variable, values: Tensor) -> Array:
    """[B, n] of values [B, *shape]: of classes their place, of numbers the data's."""
    if variable.support is not None:
        return flat_elements(values).astype(np.float64) - variable.minimum
    return in_data_units(values, used.units.get(variable.name))
