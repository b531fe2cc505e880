"""Log densities and divergences: one number a row, for each place on the axes."""

import math
from typing import Any

import torch
from torch import Tensor

from compiler.families import closed_kl, closed_kl_each
from compiler.plan.aggregation import aggregate as aggregate_pairs
from compiler.plan.modules import Modules
from compiler.plan.plan import Line
from compiler.plan.running import Context, Operations, Run, laid_out
from compiler.tensors import blanks


def log_prob(line: Line, modules: Modules) -> Run:
    """Log density of a value, of all its elements or of those in (or outside) a mask; detached: the parameters get no
    gradient. relaxed: the value holds class weights."""
    options, axes = line.options, line.outputs[0].axes
    distribution, relaxed, part = modules.distribution(options["factor"]), options["relaxed"], options["part"]
    detached = options["detached"]

    def run(context: Context, value: Tensor, *inputs: Tensor) -> Tensor:
        parameters = inputs if part == "all" else inputs[1:]
        found = distribution(*parameters)
        found = found.detached() if detached else found
        if part == "all":
            return found.log_prob(value, relaxed=relaxed)
        each = found.log_prob_each(value, relaxed=relaxed)
        return sum_where(each, inputs[0] if part == "given" else ~inputs[0], len(axes))

    masked = part != "all"
    return laid_out(line.inputs, axes, run, every=masked, but=1 if masked else None)


def table(line: Line, modules: Modules) -> Run:
    """Log probabilities of every class of a scalar, on the variable's axis."""
    key = line.options["factor"]
    distribution = modules.distribution(key)
    place = line.outputs[0].axes.index(modules.factor(key).variable)

    def run(context: Context, *parameters: Tensor) -> Tensor:
        return distribution(*parameters).log_probs().movedim(-1, place)

    return run


def share_repeats(line: Line, modules: Modules) -> Run:
    """log probability of each place of a masked variable's axis, which repeats a value once for every way to fill its
    given elements: each repetition gets an equal share."""
    each = math.log(line.options["support"])

    def run(context: Context, hidden: Tensor, mask: Tensor) -> Tensor:
        repeats = mask.flatten(1).sum(1) if mask.dim() > 1 else mask.long()
        return hidden - repeats.to(hidden.dtype) * each

    return run


def kl(line: Line, modules: Modules) -> Run:
    """KL(q || p) in closed form, of all elements or of those outside a mask."""
    axes, count, part = line.outputs[0].axes, line.options["count"], line.options["part"]
    q, p = modules.distribution(line.options["q"]), modules.distribution(line.options["p"])

    def run(context: Context, *inputs: Tensor) -> Tensor:
        masks, parameters = (inputs[:1], inputs[1:]) if part != "all" else ((), inputs)
        ours, theirs = q(*parameters[:count]), p(*parameters[count:])
        if not masks:
            return closed_kl(ours, theirs)
        return sum_where(closed_kl_each(ours, theirs), ~masks[0], len(axes))

    masked = part != "all"
    return laid_out(line.inputs, axes, run, every=masked, but=0 if masked else None)


def classes(line: Line, modules: Modules) -> Run:
    """Log probability of each class of each element, [*axes, B, *shape, K]."""
    distribution = modules.distribution(line.options["factor"])

    def run(context: Context, *parameters: Tensor) -> Tensor:
        found = distribution(*parameters).log_probs()
        return found

    return run


def probabilities(line: Line, modules: Modules) -> Run:
    """Probability of each class of each element, [*axes, B, *shape, K]."""
    distribution = modules.distribution(line.options["factor"])
    return lambda context, *parameters: distribution(*parameters).probabilities


def class_weights(line: Line, modules: Modules) -> Run:
    """[..., K]: one-hot of an index value, or the class weights that a relaxed draw already is."""
    variable = modules.graphs.variables[line.options["variable"]]
    relaxed = line.inputs[0].rank > len(variable.shape)

    def run(context: Context, value: Tensor) -> Tensor:
        if relaxed:
            return value
        if variable.domain == "binary":
            return torch.stack([1 - value, value], dim=-1)
        return blanks.one_hot(variable, value, context.dtype)

    return run


def mean_value(line: Line, modules: Modules) -> Run:
    """A distribution's mean; of a category, which has none, the likeliest class."""
    distribution = modules.distribution(line.options["factor"])
    return lambda context, *parameters: distribution(*parameters).mean


def centre(line: Line, modules: Modules) -> Run:
    """A distribution's mean; of a discrete variable the likeliest value, of a category as its index."""
    key = line.options["factor"]
    distribution, variable = modules.distribution(key), modules.variable(key)

    def run(context: Context, *parameters: Tensor) -> Tensor:
        found = distribution(*parameters)
        value = found.mode if variable.discrete else found.mean
        return value.long() if variable.domain == "category" else value

    return run


def pairs(line: Line, modules: Modules) -> Run:
    """log q(element of each draw | each row): [*value axes, B, B, D], rows' components mixed by their log weights."""
    key, over = line.options["factor"], line.options["over"]
    distribution, shape = modules.distribution(key), modules.variable(key).shape
    ahead = len(line.inputs[0].axes) + 1
    lead = (1,) * ahead

    def run(context: Context, value: Tensor, *inputs: Tensor) -> Tensor:
        weights, parameters = (inputs[0], inputs[1:]) if over else (None, inputs)
        spread = [t.reshape(*t.shape[: len(over)], *lead, *t.shape[len(over) :]) for t in parameters]
        each = distribution(*spread).log_prob_each(value.unsqueeze(ahead)).flatten(-len(shape))
        if weights is None:
            return each
        mixed = weights.reshape(*weights.shape[:-1], *lead, weights.shape[-1], 1)
        return torch.logsumexp(each + mixed, dim=tuple(range(len(over))))

    return run


def aggregate(line: Line, modules: Modules) -> Run:
    """log q(v) averaged over the rows of the data, estimated from the batch (Chen et al. 2018, appendix C)."""
    form, estimator = line.options["form"], line.options["estimator"]
    return lambda context, pairs: aggregate_pairs(pairs, form, estimator, context.rows_of_data)


def sum_where(each: Tensor, mask: Tensor, lead: int) -> Tensor:
    """Sum of each element's term [*axes, B, *shape] over the elements in `mask` [B, *shape]: [*axes, B].

    Multivariate families have one term for a whole first axis, flows for all; their masks agree along those.
    """
    rank = mask.dim() - 1
    for axis in range(1, rank + 1):
        if each.shape[lead + axis] == 1:
            mask = mask.narrow(axis, 0, 1)
    kept = torch.where(mask, each, torch.zeros((), dtype=each.dtype, device=each.device))
    return kept.flatten(-rank).sum(-1) if rank else kept


DENSITIES: Operations = {
    "log_prob": log_prob,
    "table": table,
    "share_repeats": share_repeats,
    "kl": kl,
    "classes": classes,
    "probabilities": probabilities,
    "class_weights": class_weights,
    "mean_value": mean_value,
    "centre": centre,
    "pairs": pairs,
    "aggregate": aggregate,
}
