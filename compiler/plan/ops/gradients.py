"""Gradients without a path (`plan.score_function`), and mixtures of answers."""

import torch
from torch import Tensor

from compiler.plan.modules import Modules
from compiler.plan.operation import Operation, Operations, elements, nothing, union
from compiler.plan.ops.arithmetic import averaged
from compiler.plan.plan import Line
from compiler.plan.running import Context, Run, laid_out
from compiler.plan.score_function import with_score, with_scores
from compiler.symbolic.axis_names import SAMPLES
from compiler.tensors.expression import applied


def weigh_draws(line: Line, modules: Modules) -> Run:
    """The bound as it is; the normalised weights of its draws are kept for their gradients."""

    def run(context: Context, total: Tensor, log_weights: Tensor) -> Tensor:
        context.importance = torch.softmax(log_weights.detach(), dim=0)
        return total

    return run


def score(line: Line, modules: Modules) -> Run:
    """One draw, no baseline."""
    return lambda context, bound, log_q: applied(with_score, bound, log_q)


def scores(line: Line, modules: Modules) -> Run:
    """Each draw's baseline is the same objective from the other draws."""
    runner = line.options["estimate"]
    names = [value.name for value in runner.plan.given]
    drawn = {value.name for value in runner.plan.given if SAMPLES in value.axes}

    def run(context: Context, bound: Tensor, log_q: Tensor, *values: Tensor) -> Tensor:
        given = dict(zip(names, values, strict=True))

        def estimate(*left: Tensor) -> Tensor:
            found = runner.results(context, {**given, **dict(zip(sampled, left, strict=True))})
            return found["total"]  # type: ignore[no-any-return]

        sampled = {name: value for name, value in given.items() if name in drawn}
        return with_scores(bound, estimate, log_q, *sampled.values())

    return run


def share_score(line: Line, modules: Modules) -> Run:
    """Normalised log weights, each with the gradient of its own draws' log densities."""
    places = averaged(line.outputs[0].axes)

    def run(context: Context, weights: Tensor, *densities: Tensor) -> Tensor:
        total = weights
        for density in densities:
            total = total + (density - density.detach())
        return total - torch.logsumexp(total, dim=places, keepdim=True)

    return laid_out(line.inputs, line.outputs[0].axes, run)


def mixture(line: Line, modules: Modules) -> Run:
    """log of the weighted mean of probabilities [*axes, B, *event]: [B, *event]."""
    axes, event = union(line), (1,) * line.inputs[1].rank
    places = averaged(axes)

    def run(context: Context, weights: Tensor, value: Tensor) -> Tensor:
        return torch.logsumexp(value + weights.reshape(*weights.shape, *event), dim=places)

    return laid_out(line.inputs, axes, run)


GRADIENTS: Operations = {
    "weigh_draws": Operation(nothing, weigh_draws),
    "score": Operation(nothing, score),
    "scores": Operation(nothing, scores),
    "share_score": Operation(union, share_score),
    "mixture": Operation(elements, mixture),
}
