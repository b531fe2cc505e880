"""What a model says of a batch of rows: of each hidden variable its likeliest value or mean, and how sure that is.

Values are in the data's units; elements of a variable stand side by side, [B, n]. A label that a row has is its answer,
and is used for all others.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from math import prod
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from compiler.model.row_summaries import summarize_rows
from graphspec.graphs.graph import Variable
from graphspec.language.objective import AnswerBy
from runtime.data import Units
from runtime.data.stream.patterns import given_elements
from runtime.measures.evaluation import placement
from runtime.measures.temperature import Temperature
from runtime.predicting.row_noise import RowNoise, keys_of_contents, keys_of_places
from runtime.predicting.used_run import UsedRun

Array = NDArray[Any]
Latents = Literal["mean", "draws", "none"]
Thresholds = Mapping[str, Mapping[int, float]]
"""By variable, class index -> the probability from which that class is said."""


@dataclass(frozen=True)
class AskedFor:
    """What is to be answered. interval: the share that low and high enclose. keep: answers to given labels too, as if
    they were not given. samples: draws of what can be neither summed nor read off a distribution.
    impute: blanks of observed variables too. draws: so many joint draws of all that rows lack, and nothing else.
    raw: probabilities of labels as the model has them, not at the run's temperature.
    by: what answers labels, instead of what the spec says; where the bound cannot, q does."""

    latents: Latents = "mean"
    interval: float = 0.9
    keep: bool = False
    thresholds: Thresholds = field(default_factory=dict)
    samples: int = 100
    seed: int = 0
    impute: bool = False
    draws: int = 0
    raw: bool = False
    by: AnswerBy | None = None

    @property
    def levels(self) -> tuple[float, float]:
        """Shares below the ends of an interval."""
        return (1 - self.interval) / 2, (1 + self.interval) / 2


@dataclass(frozen=True)
class Answer:
    """One variable in B rows. best: class indices (from 0) or numbers [B, n], NaN where there is none. given: what the
    row told [B, n]. probabilities: [B, n, K]. low, high, deviation: [B, n] of numbers."""

    variable: Variable
    best: Array
    given: Array
    probabilities: Array | None = None
    low: Array | None = None
    high: Array | None = None
    deviation: Array | None = None


def answer_rows(used: UsedRun, rows: Mapping[str, Tensor], asked: AskedFor, first: int) -> list[Answer]:
    """Answers about supervised variables, then about latents. rows: {name: [B, *shape]} in the model's units; first:
    the number of the first one in its input, by which draws go."""
    model, graphs = used.model, used.graphs
    held = as_rows(used, rows)
    counts = {plate.count for plate in model.graphs.plates.values()}
    latents = [name for name in graphs.latent if asked.latents == "mean" or name in counts]
    names = [*graphs.supervised, *latents]
    noise = _noise(used, held, asked.seed)
    with torch.no_grad():
        settings: dict[str, Any] = {"samples": asked.samples, "levels": asked.levels, "deviations": graphs.latent}
        settings["by"] = asked.by
        found = summarize_rows(model, held, names, noise=noise, **settings)
        answers = [_answer(used, name, found, held, asked) for name in names]
        if asked.keep:
            answers = [_unheld(used, answer, held, asked, settings) for answer in answers]
        if asked.latents == "draws":
            told = {answer.variable.name for answer in answers}
            answers += [each for each in _drawn(used, held, asked.seed, first) if each.variable.name not in told]
    return answers


def as_rows(used: UsedRun, rows: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """As the model takes them: on its device and of its type, blanks as NaN, pixels drawn where training draws them."""
    device, dtype = placement(used.model)
    found = {}
    for name, values in rows.items():
        found[name] = values.to(dtype).to(device)
        if used.may_be_blank(name):  # all others were refused where they are blank
            known = given_elements(values, used.graphs.variables[name].discrete)
            found[name] = found[name].masked_fill(~known.to(device), float("nan"))
    for name, spec in used.columns.items():
        if spec.binarize == "dynamic":
            keys = partial(keys_of_contents, {"grey": found[name]})
            noise = RowNoise(0, len(found[name]), keys, device)
            shares = noise.uniform(f"pixels of {name}", (), found[name].shape[1:], dtype)
            found[name] = torch.where(found[name].isnan(), found[name], (shares < found[name]).to(dtype))
    return found


def _noise(used: UsedRun, held: Mapping[str, Tensor], seed: int) -> RowNoise:
    """By what rows hold, so that their order is of no account."""
    count = len(next(iter(held.values())))
    return RowNoise(seed, count, lambda: keys_of_contents(held), placement(used.model)[0])


def _answer(
    used: UsedRun, name: str, found: Mapping[str, Tensor], held: Mapping[str, Tensor], asked: AskedFor
) -> Answer:
    """With what the rows told in the place of what was inferred."""
    variable, units = used.graphs.variables[name], used.units.get(name)
    told = held.get(name)
    count = len(next(iter(held.values())))
    value = torch.full((count, *variable.shape), torch.nan) if told is None else told
    given = which_given(variable, value)
    if variable.support is not None:
        by_spec = used.model.graphs.spec.objective.answers.get(name, "recognition")
        same = asked.by in (None, by_spec)  # the temperature is of answers as the spec has them
        fitted = used.temperatures.get(name) if same and not asked.raw else None
        return _of_classes(
            variable, found.get(f"posterior {name}"), value, given, asked.thresholds.get(name, {}), fitted
        )

    def numbers(kind: str) -> Array | None:
        tensor = found.get(f"{kind} {name}")
        return None if tensor is None else in_data_units(tensor, units)

    mean, own = numbers("posterior"), in_data_units(value, units)
    best = own if mean is None else np.where(given, own, mean)
    ends = [None if each is None else np.where(given, own, each) for each in (numbers("low"), numbers("high"))]
    if mean is None and name in used.graphs.supervised and variable.domain != "direction":
        ends = [own, own]
    return Answer(variable, best, given, None, ends[0], ends[1], numbers("deviation"))


def _of_classes(
    variable: Variable,
    posterior: Tensor | None,
    told: Tensor,
    given: Array,
    thresholds: Mapping[int, float],
    fitted: Temperature | None,
) -> Answer:
    classes, elements = variable.support or 0, given.shape[1]
    index = flat_elements(told) - variable.minimum
    certain = (np.where(given, index, -1)[..., None] == np.arange(classes)).astype(np.float64)
    if posterior is None:
        return Answer(variable, np.where(given, index, np.nan), given, certain)
    inferred = posterior.cpu().numpy().reshape(len(given), elements, classes)
    inferred = inferred if fitted is None else fitted.applied(inferred)
    probabilities = np.where(given[..., None], certain.astype(inferred.dtype), inferred)
    best = np.where(given, index, _chosen(inferred, thresholds))
    return Answer(variable, best, given, probabilities)


def _chosen(probabilities: Array, thresholds: Mapping[int, float]) -> Array:
    """The likeliest class; a class with a threshold where it reaches that, and nowhere else."""
    if not thresholds:
        return np.asarray(probabilities.argmax(-1))
    over = np.full(probabilities.shape, -np.inf)
    for index, threshold in thresholds.items():
        share = probabilities[..., index] / threshold
        over[..., index] = np.where(share >= 1, share, -np.inf)
    others = probabilities.copy()
    others[..., list(thresholds)] = -1
    reached = np.isfinite(over).any(-1)
    if len(thresholds) == probabilities.shape[-1]:
        others = probabilities
    found: Array = np.where(reached, over.argmax(-1), others.argmax(-1))
    return found


def _unheld(
    used: UsedRun, answer: Answer, held: Mapping[str, Tensor], asked: AskedFor, settings: Mapping[str, Any]
) -> Answer:
    """The answer to a variable as if no row had its label; other labels are used."""
    name = answer.variable.name
    if not answer.given.any():
        return answer
    without = {**held, name: torch.full_like(held[name], torch.nan)}
    found = summarize_rows(used.model, without, [name], noise=_noise(used, without, asked.seed), **settings)
    return replace(_answer(used, name, found, without, asked), given=answer.given)


def _drawn(used: UsedRun, held: Mapping[str, Tensor], seed: int, first: int) -> list[Answer]:
    """One joint draw of every latent in each row."""
    count = len(next(iter(held.values())))
    noise = RowNoise(seed, count, lambda: keys_of_places(first, count), placement(used.model)[0], first)
    drawn = used.model.infer(held, noise=noise)
    answers = []
    for name in used.graphs.latent:
        variable = used.graphs.variables[name]
        values = flat_elements(drawn[name][0])
        values = values.astype(np.float64) - variable.minimum if variable.support is not None else values
        answers.append(Answer(variable, values, np.zeros(values.shape, dtype=np.bool_)))
    return answers


def which_given(variable: Variable, values: Tensor) -> Array:
    """[B, n] bool: the elements that are no blanks."""
    return flat_elements(given_elements(values, variable.discrete)).astype(np.bool_)


def in_data_units(values: Tensor, units: Units | None) -> Array:
    """[B, n] of values [B, *shape] in the model's units."""
    return flat_elements(values if units is None else units.to_data(values))


def flat_elements(values: Tensor) -> Array:
    """[B, n] of values [B, *shape]."""
    return np.asarray(values.cpu().numpy().reshape(len(values), prod(values.shape[1:])))
