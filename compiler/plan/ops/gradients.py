"""Gradients without a path, and mixtures of answers.

For draws v_1..v_S without a pathwise gradient and any estimate F(v_1..v_S) of a row's objective,

    grad E[F] = E[grad F] + sum_s E[(F - F_without_s) grad log q(v_s)]

F_without_s is the same estimate from the other samples: it does not depend on v_s, so it changes no expectation
(Williams 1992; Mnih and Rezende 2016).
"""

import torch
from torch import Tensor

from compiler.plan.modules import Modules
from compiler.plan.operation import Operation, Operations, Writing, nothing, union
from compiler.plan.plan import Line
from compiler.plan.running import Context, Run, laid_out
from compiler.symbolic.axis_names import SAMPLES


def weigh_draws(line: Line, modules: Modules) -> Run:
    """The bound as it is; the normalised weights of its draws are kept for their gradients."""

    def run(context: Context, total: Tensor, log_weights: Tensor) -> Tensor:
        context.importance = torch.softmax(log_weights.detach(), dim=0)
        return total

    return run


def score(line: Line, modules: Modules) -> Run:
    """The bound, with bound * grad log q added to its gradient: one draw, no baseline."""
    return lambda context, bound, log_q: bound + bound.detach() * (log_q - log_q.detach())


def scores(line: Line, modules: Modules) -> Run:
    """The bound, with sum_s (bound - bound without s) * grad log q(v_s) added to its gradient."""
    runner = line.options["estimate"]
    given = list(runner.plan.given)
    places = [value.axes.index(SAMPLES) if SAMPLES in value.axes else None for value in given]

    def run(context: Context, bound: Tensor, log_q: Tensor, *values: Tensor) -> Tensor:
        total = bound
        for sample in range(len(log_q)):
            others = torch.tensor([s for s in range(len(log_q)) if s != sample], device=log_q.device)
            with torch.no_grad():
                left = [v if at is None else v.index_select(at, others) for v, at in zip(values, places, strict=True)]
                baseline = runner.results(context, dict(zip([v.name for v in given], left, strict=True)))["total"]
            own = log_q[sample]
            total = total + (bound.detach() - baseline) * (own - own.detach())
        return total

    return run


def share_score(line: Line, modules: Modules) -> Run:
    """Normalised log weights, each with the gradient of its own draws' log densities."""
    places = tuple(range(len(line.outputs[0].axes)))

    def run(context: Context, weights: Tensor, *densities: Tensor) -> Tensor:
        total = weights
        for density in densities:
            total = total + (density - density.detach())
        return total - torch.logsumexp(total, dim=places, keepdim=True)

    return laid_out(line.inputs, line.outputs[0].axes, run)


def mixture(line: Line, modules: Modules) -> Run:
    """log of the weighted mean of probabilities [*axes, B, *event]: [B, *event]."""
    value = line.inputs[1]
    places, event = tuple(range(len(value.axes))), (1,) * value.rank

    def run(context: Context, weights: Tensor, value: Tensor) -> Tensor:
        return torch.logsumexp(value + weights.reshape(*weights.shape, *event), dim=places)

    return laid_out(line.inputs, value.axes, run)


# as code


def weigh_draws_text(line: Line, writing: Writing) -> str:
    total, log_weights = line.inputs
    code = writing.code(total)
    writing.remark("each draw's gradient is scaled by its weight (doubly reparameterised, Tucker et al. 2019)")
    weight = writing.fresh("weight")
    writing.write(f"{weight} = torch.softmax({writing.code(log_weights)}.detach(), dim=0)")
    for name, rank in line.options["draws"]:
        drawn = writing.identifier(name)
        writing.write(f"if {drawn}.requires_grad:")
        scaled = weight + (f"[{', '.join(['...', *['None'] * rank])}]" if rank else "")
        writing.write(f"{drawn}.register_hook(lambda gradient: gradient * {scaled})", deeper=True)
    return code


def score_text(line: Line, writing: Writing) -> str:
    return f"with_score({writing.code(line.inputs[0])}, {writing.code(line.inputs[1])})"


def scores_text(line: Line, writing: Writing) -> str:
    """All log densities first, then their estimate as a function of the draws: each draw is left out once."""
    bound, log_q = (writing.code(value) for value in line.inputs[:2])
    name, sampled = writing.function(line.options["estimate"], "estimate")
    return f"with_scores({', '.join([bound, name, log_q, *sampled])})"


GRADIENTS: Operations = {
    "weigh_draws": Operation(nothing, weigh_draws, weigh_draws_text),
    "score": Operation(nothing, score, score_text),
    "scores": Operation(nothing, scores, scores_text),
    "share_score": Operation(union, share_score),
    "mixture": Operation(nothing, mixture),
}
