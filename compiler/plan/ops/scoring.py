"""Log densities and divergences: one number a row, for each place on the axes."""

import torch
from torch import Tensor

from compiler.families.divergences import divergence, divergence_each
from compiler.families.entry import sum_last
from compiler.plan.aggregation import aggregate as aggregate_pairs
from compiler.plan.modules import Modules
from compiler.plan.operation import Operation, Operations, union, with_variable
from compiler.plan.plan import Line
from compiler.plan.running import Context, Run, laid_out
from compiler.tensors import blanks
from compiler.tensors.expression import applied


def log_prob(line: Line, modules: Modules) -> Run:
    """Log density of a value, of all its elements or of those in (or outside) a mask; detached: the parameters get no
    gradient. relaxed: the value holds class weights."""
    options, axes = line.options, line.outputs[0].axes
    entry, extras = modules.family(options["factor"])
    relaxed, part, detached = options["relaxed"], options["part"], options["detached"]
    entry, standard = entry.detached() if detached else entry, modules.standard(options["factor"])

    def run(context: Context, value: Tensor, *parameters: Tensor) -> Tensor:
        given = () if standard else tuple(p.detach() for p in parameters) if detached else parameters
        return entry.summed(value, given, extras, relaxed=relaxed)

    def of_part(context: Context, value: Tensor, mask: Tensor, *parameters: Tensor) -> Tensor:
        each = entry.each(value, parameters, extras, relaxed=relaxed)
        kept = mask if part == "given" else ~mask
        return sum_where(each, kept, len(extras.shape), entry.joint_axes(extras))

    return laid_out(line.inputs, axes, run if part == "all" else of_part)


def table(line: Line, modules: Modules) -> Run:
    """Log probabilities of every class of a scalar, on the variable's axis."""
    key = line.options["factor"]
    entry, extras = modules.family(key)
    place = line.outputs[0].axes.index(modules.factor(key).variable)
    return lambda context, *parameters: entry.classes(parameters, extras).movedim(-1, place)


def even_log_prob(line: Line, modules: Modules) -> Run:
    """Log probability under the uniform distribution over a finite support, of all elements or of those in (or outside)
    a mask."""
    support, elements, part = line.options["support"], line.options["elements"], line.options["part"]

    def run(context: Context, mask: Tensor | None = None) -> Tensor:
        if mask is None:
            return context.full(-(elements * context.log(support) if elements > 1 else context.log(support)))
        kept, rank = mask if part == "given" else ~mask, line.inputs[0].rank
        return -context.log(support) * sum_last(kept, rank).to(context.dtype)

    return run


def share_repeats(line: Line, modules: Modules) -> Run:
    """log probability of each place of a masked variable's axis, which repeats a value once for every way to fill its
    given elements: each repetition gets an equal share."""
    support = line.options["support"]

    def run(context: Context, hidden: Tensor, mask: Tensor) -> Tensor:
        return hidden - context.log(support) * sum_last(mask, line.inputs[1].rank).to(context.dtype)

    return laid_out(line.inputs, line.outputs[0].axes, run)


def kl(line: Line, modules: Modules) -> Run:
    """KL(q || p) in closed form, of all elements or of those outside a mask."""
    axes, count = line.outputs[0].axes, line.options["count"]
    (q, extras), (p, _) = modules.family(line.options["q"]), modules.family(line.options["p"])
    theirs = slice(count, count if modules.standard(line.options["p"]) else None)

    def run(context: Context, *parameters: Tensor) -> Tensor:
        return divergence(q, p, parameters[:count], parameters[theirs], extras)

    def of_hidden(context: Context, mask: Tensor, *parameters: Tensor) -> Tensor:
        each = divergence_each(q, p, parameters[:count], parameters[theirs], extras)
        return sum_where(each, ~mask, len(extras.shape), q.joint_axes(extras))

    return laid_out(line.inputs, axes, run if line.options["part"] == "all" else of_hidden)


def classes(line: Line, modules: Modules) -> Run:
    """Log probability of each class of each element, [*axes, B, *shape, K]."""
    entry, extras = modules.family(line.options["factor"])
    return lambda context, *parameters: entry.classes(parameters, extras)


def probabilities(line: Line, modules: Modules) -> Run:
    """Probability of each class of each element, [*axes, B, *shape, K]."""
    entry, extras = modules.family(line.options["factor"])
    return lambda context, *parameters: entry.classes(parameters, extras).exp()


def class_weights(line: Line, modules: Modules) -> Run:
    """[..., K]: one-hot of an index value, or the class weights that a relaxed draw already is."""
    variable = modules.graphs.variables[line.options["variable"]]
    relaxed = line.inputs[0].rank > len(variable.shape)

    def run(context: Context, value: Tensor) -> Tensor:
        if relaxed:
            return value
        if variable.domain == "binary":
            return torch.stack([1 - value, value], dim=-1)
        assert variable.support is not None
        return applied(blanks.one_hot, value, variable.support, variable.minimum, context.floating)

    return run


def mean_value(line: Line, modules: Modules) -> Run:
    """A distribution's mean; of a category, which has none, the likeliest class."""
    entry, extras = modules.family(line.options["factor"])
    return lambda context, *parameters: entry.mean_of(parameters, extras)


def centre(line: Line, modules: Modules) -> Run:
    """A distribution's mean; of a discrete variable the likeliest value, of a category as its index."""
    key = line.options["factor"]
    (entry, extras), variable = modules.family(key), modules.variable(key)

    def run(context: Context, *parameters: Tensor) -> Tensor:
        value = (entry.mode_of if variable.discrete else entry.mean_of)(parameters, extras)
        return value.long() if variable.domain == "category" else value

    return run


def pairs(line: Line, modules: Modules) -> Run:
    """log q(element of each draw | each row): [*value axes, B, B, D], rows' components mixed by their log weights; of
    all elements together [*value axes, B, B, 1] where the mixture is of joint densities."""
    key, over = line.options["factor"], line.options["over"]
    entry, extras = modules.family(key)
    ahead, joint, rank = len(line.inputs[0].axes) + 1, line.options["joint"], len(extras.shape)
    spread = (*[slice(None)] * len(over), *[None] * ahead)

    def run(context: Context, value: Tensor, *inputs: Tensor) -> Tensor:
        weights, parameters = (inputs[0], inputs[1:]) if over else (None, inputs)
        parameters = tuple(parameter[spread] for parameter in parameters) if over else parameters
        each = entry.each(value.unsqueeze(ahead), parameters, extras)
        each = each if rank == 1 else each.flatten(-rank) if rank else each.unsqueeze(-1)
        each = each.sum(-1, keepdim=True) if joint else each
        if weights is None:
            return each
        return torch.logsumexp(each + weights[(*spread, slice(None), None)], dim=tuple(range(len(over))))

    return run


def aggregate(line: Line, modules: Modules) -> Run:
    """log q(v) averaged over the rows of the data, estimated from the batch (Chen et al. 2018, appendix C)."""
    form, estimator = line.options["form"], line.options["estimator"]
    return lambda context, pairs: applied(aggregate_pairs, pairs, form, estimator, context.rows_of_data)


def sum_where(each: Tensor, mask: Tensor, rank: int, joint: int) -> Tensor:
    """Sum of each element's term [*axes, B, *shape] over the elements in `mask` [.., B, *shape]: [*axes, B].

    rank: dimensions of `shape`. joint: of these, from the first, along which a family has one term for all elements;
    their masks agree along those.
    """
    for axis in range(joint):
        mask = mask.narrow(axis - rank, 0, 1)
    return sum_last(torch.where(mask, each, 0.0), rank)


DENSITIES: Operations = {
    "log_prob": Operation(union, log_prob),
    "even_log_prob": Operation(union, even_log_prob),
    "table": Operation(with_variable, table),
    "share_repeats": Operation(union, share_repeats),
    "kl": Operation(union, kl),
    "classes": Operation(union, classes),
    "probabilities": Operation(union, probabilities),
    "class_weights": Operation(union, class_weights),
    "mean_value": Operation(union, mean_value),
    "centre": Operation(union, centre),
    "pairs": Operation(lambda line: line.inputs[0].axes, pairs),
    "aggregate": Operation(union, aggregate),
}
