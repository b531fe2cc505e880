"""Log densities and divergences: one number a row, for each place on the axes."""

import math

import torch
from torch import Tensor

from compiler.families.divergences import divergence, divergence_each
from compiler.families.family_code import FamilyCode, called
from compiler.plan.aggregation import aggregate as aggregate_pairs
from compiler.plan.modules import Modules
from compiler.plan.operation import Operation, Operations, Writing, dimensions, union, with_variable
from compiler.plan.plan import Line
from compiler.plan.running import Context, Run, laid_out
from compiler.symbolic.code_text import added, event_sum, event_text, grouped, number
from compiler.tensors import blanks
from graphspec.graphs.graph import Variable


def log_prob(line: Line, modules: Modules) -> Run:
    """Log density of a value, of all its elements or of those in (or outside) a mask; detached: the parameters get no
    gradient. relaxed: the value holds class weights."""
    options, axes = line.options, line.outputs[0].axes
    entry, extras = modules.family(options["factor"])
    relaxed, part, detached = options["relaxed"], options["part"], options["detached"]
    entry = entry.detached() if detached else entry

    def run(context: Context, value: Tensor, *parameters: Tensor) -> Tensor:
        given = tuple(p.detach() for p in parameters) if detached else parameters
        return entry.summed(value, given, extras, relaxed=relaxed)

    def of_part(context: Context, value: Tensor, mask: Tensor, *parameters: Tensor) -> Tensor:
        each = entry.each(value, parameters, extras, relaxed=relaxed)
        return sum_where(each, mask if part == "given" else ~mask, len(axes))

    if part == "all":
        return laid_out(line.inputs, axes, run)
    return laid_out(line.inputs, axes, of_part, every=True, but=1)


def table(line: Line, modules: Modules) -> Run:
    """Log probabilities of every class of a scalar, on the variable's axis."""
    key = line.options["factor"]
    entry, extras = modules.family(key)
    place = line.outputs[0].axes.index(modules.factor(key).variable)
    return lambda context, *parameters: entry.classes(parameters, extras).movedim(-1, place)


def even_log_prob(line: Line, modules: Modules) -> Run:
    """Log probability under the uniform distribution over a finite support, of all elements or of those in (or outside)
    a mask."""
    each, elements, part = -math.log(line.options["support"]), line.options["elements"], line.options["part"]

    def run(context: Context, mask: Tensor | None = None) -> Tensor:
        if mask is None:
            return torch.full((1,), elements * each, dtype=context.dtype, device=context.device)
        kept = mask if part == "given" else ~mask
        return (kept.flatten(1).sum(1) if kept.dim() > 1 else kept).to(context.dtype) * each

    return run


def even_log_prob_text(line: Line, writing: Writing) -> str:
    options, elements = line.options, line.options["elements"]
    if not line.inputs:
        return f"-{elements} * math.log({options['support']})" if elements > 1 else f"-math.log({options['support']})"
    (mask,) = line.inputs
    kept = f"({_kept(line, writing.code(mask))}).to({writing.like()})"
    return f"{event_sum(kept, mask.rank)} * -math.log({options['support']})"


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
    axes, count = line.outputs[0].axes, line.options["count"]
    (q, extras), (p, _) = modules.family(line.options["q"]), modules.family(line.options["p"])

    def run(context: Context, *parameters: Tensor) -> Tensor:
        return divergence(q, p, parameters[:count], parameters[count:], extras)

    def of_hidden(context: Context, mask: Tensor, *parameters: Tensor) -> Tensor:
        each = divergence_each(q, p, parameters[:count], parameters[count:], extras)
        return sum_where(each, ~mask, len(axes))

    if line.options["part"] == "all":
        return laid_out(line.inputs, axes, run)
    return laid_out(line.inputs, axes, of_hidden, every=True, but=0)


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
        return blanks.one_hot(variable, value, context.dtype)

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
    ahead, joint = len(line.inputs[0].axes) + 1, line.options["joint"]
    lead = (1,) * ahead

    def run(context: Context, value: Tensor, *inputs: Tensor) -> Tensor:
        weights, parameters = (inputs[0], inputs[1:]) if over else (None, inputs)
        spread = [t.reshape(*t.shape[: len(over)], *lead, *t.shape[len(over) :]) for t in parameters]
        each = entry.each(value.unsqueeze(ahead), spread, extras).flatten(-len(extras.shape))
        each = each.sum(-1, keepdim=True) if joint else each
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


# as code


def log_prob_text(line: Line, writing: Writing) -> str:
    options, axes = line.options, line.outputs[0].axes
    key, masked = options["factor"], options["part"] != "all"
    value, *inputs = line.inputs
    mask, parameters = (writing.code(inputs[0]), inputs[1:]) if masked else ("", inputs)
    placed = [writing.on(each, axes) for each in parameters]
    placed = [f"{code}.detach()" for code in placed] if options["detached"] else placed
    family, variable = writing.family(key), writing.variable(writing.factor(key).variable)
    if family is None:
        constant = ", constant=True" if options["detached"] else ""
        shape, code = event_text(variable.shape), writing.on(value, axes)
        each = f"flow_log_prob({writing.flow(key)}, {placed[0]}, {code}, {shape}{constant})"
        if not masked:
            return each
        return f"torch.where({_kept(line, mask + ('.flatten(1)[:, 0]' if variable.shape else ''))}, {each}, 0.0)"
    return _summed(line, writing, variable, _each(line, writing, family, writing.on(value, axes), placed), mask)


def _each(line: Line, writing: Writing, family: FamilyCode, value: str, parameters: list[str]) -> str:
    """Log density of each element."""
    key = line.options["factor"]
    variable = writing.variable(writing.factor(key).variable)
    if writing.prior(key) is not None and family.entry.standard_log_prob is not None:
        return called(family.entry.standard_log_prob, [value], family.extras)
    if family.entry.by_class and not writing.hot(variable.name):
        shift = f" - {variable.minimum}" if variable.minimum else ""
        value = f"one_hot({value}{shift}, {variable.support}, {parameters[0]})"
    return family.log_prob(value, parameters)


def _kept(line: Line, mask: str) -> str:
    return mask if line.options["part"] == "given" else f"~{mask}"


def _summed(line: Line, writing: Writing, variable: Variable, each: str, mask: str) -> str:
    """Over the event, or over the elements that a mask keeps."""
    rank = len(variable.shape)
    if not mask:
        return event_sum(each, rank)
    mask = f"{mask}[:, :1]" if variable.domain in ("direction", "simplex") else mask
    return event_sum(f"torch.where({_kept(line, mask)}, {each}, 0.0)", rank)


def table_text(line: Line, writing: Writing) -> str:
    key = line.options["factor"]
    family, variable = writing.family(key), writing.variable(writing.factor(key).variable)
    assert family is not None, "an enumerated variable is no flow"
    classes = family.classes([writing.code(value) for value in line.inputs])
    if not writing.factor(key).parents:
        return f"{classes}.unsqueeze(-1)"
    return f"{classes}.movedim(-1, {line.outputs[0].axes.index(variable.name)})"


def share_repeats_text(line: Line, writing: Writing) -> str:
    hidden, mask = (writing.code(value) for value in line.inputs)
    count = f"{mask}.to({writing.like()})" + (".flatten(1).sum(1)" if line.inputs[1].rank else "")
    return f"{hidden} - {count} * math.log({line.options['support']})"


def kl_text(line: Line, writing: Writing) -> str:
    options, axes = line.options, line.outputs[0].axes
    masked = options["part"] != "all"
    mask, parameters = (writing.code(line.inputs[0]), line.inputs[1:]) if masked else ("", line.inputs)
    family, prior = writing.family(options["q"]), writing.family(options["p"])
    if family is None or prior is None:
        raise writing.refuse(options["q"], "this divergence")
    ours = [writing.on(value, axes) for value in parameters[: options["count"]]]
    each = None if writing.prior(options["p"]) is None else family.standard_divergence(prior, ours)
    if each is None:
        each = family.divergence(prior, ours, _prior_parameters(line, writing, prior, ours))
    if each is None:
        raise writing.refuse(options["q"], f"KL({family.entry.name} || {prior.entry.name})")
    return _summed(line, writing, writing.variable(writing.factor(options["q"]).variable), each, mask)


def _prior_parameters(line: Line, writing: Writing, prior: FamilyCode, like: list[str]) -> list[str]:
    """Parameters of p's factor; those of a standard prior in place."""
    if writing.prior(line.options["p"]) is None:
        theirs = line.inputs[-len(prior.entry.names) :]
        return [writing.on(value, line.outputs[0].axes) for value in theirs]
    made = {0.0: f"torch.zeros_like({like[0]})", 1.0: f"torch.ones_like({like[0]})"}
    standard = [info.standard for info in prior.entry.family.parameters]
    return [made.get(value, f"torch.full_like({like[0]}, {number(value)})") for value in standard]


def pairs_text(line: Line, writing: Writing) -> str:
    key, over = line.options["factor"], line.options["over"]
    value, *inputs = line.inputs
    parameters = [writing.code(each) for each in (inputs[1:] if over else inputs)]
    lead, family = len(value.axes) + 1, writing.family(key)
    variable = writing.variable(writing.factor(key).variable)
    if family is None or family.entry.family.multivariate:
        raise writing.refuse(key, "the total correlation")
    writing.remark(f"each draw of {variable.name} under each row of the batch, by element: [..., B, B, elements]")
    index = ", ".join([":"] * len(over) + ["None"] * lead)
    parameters = [f"{code}[{index}]" for code in parameters] if over else parameters
    each = family.log_prob(f"{writing.code(value)}.unsqueeze({lead})", parameters)
    rank = len(variable.shape)
    each = each if rank == 1 else f"{each}.flatten(-{rank})" if rank else f"{each}.unsqueeze(-1)"
    if not over:
        return each
    each = f"{each}.sum(-1, keepdim=True)" if line.options["joint"] else each
    weights = writing.code(inputs[0])
    if inputs[0].rows:  # samples alone weigh alike
        weights = f"{grouped(weights)}[{index}, :, None]"
    return f"torch.logsumexp({added([each, weights])}, dim={dimensions(over)})"


def aggregate_text(line: Line, writing: Writing) -> str:
    rows, options = writing.data_rows(labelled=line.options["labelled"]), line.options
    return f'aggregate({writing.code(line.inputs[0])}, "{options["form"]}", "{options["estimator"]}", {rows})'


DENSITIES: Operations = {
    "log_prob": Operation(union, log_prob, log_prob_text),
    "even_log_prob": Operation(union, even_log_prob, even_log_prob_text),
    "table": Operation(with_variable, table, table_text),
    "share_repeats": Operation(union, share_repeats, share_repeats_text),
    "kl": Operation(union, kl, kl_text),
    "classes": Operation(union, classes),
    "probabilities": Operation(union, probabilities),
    "class_weights": Operation(union, class_weights),
    "mean_value": Operation(union, mean_value),
    "centre": Operation(union, centre),
    "pairs": Operation(lambda line: line.inputs[0].axes, pairs, pairs_text),
    "aggregate": Operation(union, aggregate, aggregate_text),
}
