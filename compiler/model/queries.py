"""What a trained model answers: posteriors of hidden variables, draws from either graph.

Expectations over hidden variables go through the same programs as the objective, so labels that are given are clamped
and weighted as there; draws are real draws (a category is an index), never relaxed.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from compiler.families import Distribution
from compiler.model.evaluation import Evaluator
from compiler.model.execution import Execution, sum_where
from compiler.model.row_independence import parts_of_batch
from compiler.symbolic.objective import Measure
from compiler.symbolic.schedules import ObjectiveWeights
from compiler.tensors.axes import AxisTensor
from compiler.tensors.blanks import as_positions, as_value, filled, given, observed_values, placed
from compiler.tensors.noise import Noise
from graphspec.graphs.graph import Factor

if TYPE_CHECKING:
    from compiler.model.model import Model


def predict(model: "Model", name: str, rows: Mapping[str, Tensor], samples: int, noise: Noise) -> Tensor:
    """Posterior of one hidden variable given the observed variables and the labels in `rows`.

    Discrete with a finite support: probabilities [B, *shape, K]; else the mean [B, *shape]. Marginal over everything
    else that is hidden: exactly where that is enumerated, over `samples` draws otherwise.
    """
    prepared = model.prepare({n: v for n, v in rows.items() if n != name})
    weights = ObjectiveWeights.at(model.graphs, model.rates, float("inf"))
    groups = model.group(prepared)
    prefixes = parts_of_batch(model.observed_features(prepared, noise), [where for _, where in groups])
    result: Tensor | None = None
    for (pattern, positions), prefix in zip(groups, prefixes, strict=True):
        program, _ = model.program(pattern, samples)
        part = prepared if positions is None else {n: v[positions] for n, v in prepared.items()}
        inner = noise if positions is None else noise.select(as_positions(positions))
        execution = Execution(model, program, part, weights, inner, prefix)
        found = _posterior(execution, Evaluator(execution, weights), name)
        found = found.expand(inner.batch, *found.shape[1:])
        if positions is None:
            return found
        result = found.new_zeros(noise.batch, *found.shape[1:]) if result is None else result
        result = placed(result, positions, found)
    assert result is not None, "a batch has at least one row"
    return result


def _posterior(execution: Execution, evaluator: Evaluator, name: str) -> Tensor:
    """E over the measure of q(name | parents), or of its value where a label below it makes weights depend on it."""
    program = execution.program
    step = next(s for s in program.recognition if s.factor.variable == name)
    measure = Measure(program.weighing_labels())
    distribution = execution.distribution(step.factor, step.parent_axes)
    variable = program.graphs.variables[name]
    if name in program.upstream:
        value = execution.values[name]
        if not distribution.finite:
            return evaluator.average(measure, value)
        return evaluator.average(
            measure, AxisTensor(value.axes, _class_weights(distribution, variable.minimum, value.data))
        )
    summary = distribution.probabilities if distribution.finite else distribution.mean
    return evaluator.average(measure, AxisTensor(step.parent_axes, summary))


def _class_weights(distribution: Distribution, minimum: int, value: Tensor) -> Tensor:
    """[..., K]: one-hot of an index value, or the class weights that a relaxed draw already is."""
    classes = distribution.probabilities.shape[-1]
    if value.is_floating_point() and value.shape[-1] == classes and value.dim() == distribution.probabilities.dim():
        return value
    if value.is_floating_point() and classes == 2:
        return torch.stack([1 - value, value], dim=-1)
    index = (value - minimum).long()
    return torch.nn.functional.one_hot(index, classes).to(distribution.like.dtype)


def infer(model: "Model", rows: Mapping[str, Tensor], samples: int, noise: Noise) -> dict[str, Tensor]:
    """Joint draws of every hidden variable from q given the row's labels: {name: [S, B, *shape]}, classes as indices.

    Labels below a drawn variable are accounted for by resampling the S draws by their weights.
    """
    prepared = model.prepare(rows)
    repeated = {n: v.repeat_interleave(samples, dim=0) for n, v in prepared.items()}
    inner = Noise(noise.fork("infer"), noise.batch * samples)
    drawn, log_weight = _walk_recognition(model, repeated, inner)
    chosen = _resample(log_weight.reshape(noise.batch, samples), noise)
    return {n: _pick(v.reshape(noise.batch, samples, *v.shape[1:]), chosen) for n, v in drawn.items()}


def _walk_recognition(model: "Model", rows: Mapping[str, Tensor], noise: Noise) -> tuple[dict[str, Tensor], Tensor]:
    """One draw per row in recognition order, given elements clamped, and log of their densities."""
    values = observed_values(model.graphs, rows, model.dtype)
    result: dict[str, Tensor] = {}
    log_weight = next(iter(rows.values())).new_zeros(noise.batch, dtype=model.dtype)
    for factor in model.graphs.order("recognition"):
        name = factor.variable
        if factor.deterministic:
            values[name] = model.function(factor).forward(values, noise)
            continue
        distribution = model.conditional(factor).forward(values, noise).distribution
        result[name] = _drawn(model, factor, distribution, noise)
        if name in rows:
            variable = model.graphs.variables[name]
            mask = given(variable, rows[name])
            label = filled(variable, rows[name], mask)
            log_weight = log_weight + sum_where(distribution.log_prob_each(label), mask, 0)
            result[name] = torch.where(mask, label, result[name])
        values[name] = AxisTensor((), result[name])
    return result, log_weight


def _drawn(model: "Model", factor: Factor, distribution: Distribution, noise: Noise) -> Tensor:
    value = distribution.sample(noise, factor.variable)
    value = value.expand(noise.batch, *value.shape[1:])
    return value.long() if model.graphs.variables[factor.variable].domain == "category" else value


def _resample(log_weights: Tensor, noise: Noise) -> Tensor:
    """[B, S] indices of draws, with probability proportional to their weights; in order where all are equal."""
    count = log_weights.shape[1]
    if bool((log_weights == log_weights[:, :1]).all()):
        return torch.arange(count, device=log_weights.device).expand(len(log_weights), count)
    probabilities = torch.softmax(log_weights, dim=1)
    return torch.multinomial(probabilities, count, replacement=True, generator=noise.fork("resample"))


def _pick(values: Tensor, chosen: Tensor) -> Tensor:
    """[S, B, *shape] of values [B, S, *shape] at indices [B, S]."""
    picked = values[torch.arange(len(values), device=values.device).unsqueeze(1), chosen]
    return picked.transpose(0, 1)


def posterior_means(model: "Model", rows: Mapping[str, Tensor], noise: Noise) -> dict[str, Tensor]:
    """q's mean (discrete: likeliest class) of every hidden variable, parents at theirs, labels clamped: [B, *shape]."""
    prepared = model.prepare(rows)
    batch, result = noise.batch, {}
    values = observed_values(model.graphs, prepared, model.dtype)
    for factor in model.graphs.order("recognition"):
        name = factor.variable
        if factor.deterministic:
            values[name] = model.function(factor).forward(values, noise)
            continue
        variable = model.graphs.variables[name]
        distribution = model.conditional(factor).forward(values, noise).distribution
        found = distribution.mode if variable.discrete else distribution.mean
        found = found.expand(batch, *found.shape[1:])
        found = found.long() if variable.domain == "category" else found
        if name in prepared:
            mask = given(variable, prepared[name])
            found = torch.where(mask, filled(variable, prepared[name], mask), found)
        result[name] = found
        values[name] = AxisTensor((), found)
    return result


def generate(
    model: "Model", fixed: Mapping[str, Tensor], rows: int, noise: Noise, *, means: bool = True
) -> dict[str, Tensor]:
    """Ancestral draws from p with `fixed` variables held: {name: [rows, *shape]}, deterministic ones included.

    means: observed variables are their distribution's mean instead of a draw. Observed variables that p does not model
    must be given. Raises ValueError naming one that is not.
    """
    prepared = {
        name: AxisTensor((), as_value(model.graphs.variables[name], value, model.dtype))
        for name, value in fixed.items()
    }
    for factor in model.graphs.order("generative"):
        for parent in factor.parents:
            if parent not in prepared:
                raise ValueError(f"generating {factor.variable!r} needs a value for {parent!r}: p does not model it")
        if factor.variable in prepared:
            continue
        if factor.deterministic:
            prepared[factor.variable] = model.function(factor).forward(prepared, noise)
            continue
        distribution = model.conditional(factor).forward(prepared, noise).distribution
        if means and model.graphs.variables[factor.variable].role == "observed":
            value = distribution.mean
            value = value.expand(rows, *value.shape[1:])
        else:
            value = _drawn(model, factor, distribution, noise)
        prepared[factor.variable] = AxisTensor((), value)
    return {name: value.data.expand(rows, *value.data.shape[1:]) for name, value in prepared.items()}
