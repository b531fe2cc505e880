"""Which axes each operation gives its outputs, from those of its inputs: the axes that are its law."""

from collections.abc import Callable, Mapping

from compiler.plan.plan import Line
from compiler.symbolic.axis_names import SAMPLES, canonical
from compiler.symbolic.program import Axes

Law = Callable[[Line], Axes]


def union(line: Line) -> Axes:
    """Everything that an input varies over."""
    return canonical(axis for value in line.inputs for axis in value.axes)


def nothing(line: Line) -> Axes:
    """No axis: the inputs' are summed out."""
    return ()


def without_axis(line: Line) -> Axes:
    """The axis named in the options is gone."""
    return tuple(axis for axis in union(line) if axis != line.options["axis"])


def with_variable(line: Line) -> Axes:
    """One axis more: the values of the factor's variable."""
    return canonical((*union(line), line.options["factor"].split(".", 1)[1]))


LAWS: Mapping[str, Law] = {
    # values and distributions
    "function": union,
    "parameters": union,
    "support": lambda line: (line.options["variable"],),
    "noise": lambda line: (SAMPLES,) if line.options["samples"] else (),
    "reparameterize": union,
    "flow_draw": union,
    "relax": union,
    "draw": union,
    "likeliest": with_variable,
    "label_or": union,
    "reweighted": union,
    # densities
    "log_prob": union,
    "table": with_variable,
    "share_repeats": union,
    "kl": union,
    "classes": union,
    "probabilities": union,
    "class_weights": union,
    "mean_value": union,
    "centre": union,
    "pairs": lambda line: line.inputs[0].axes,
    "aggregate": union,
    # arithmetic
    "add": union,
    "neg": union,
    "zero": nothing,
    "exp": union,
    "logsumexp": without_axis,
    "mean": nothing,
    "weighted_sum": nothing,
    "at_first": without_axis,
    "centred": union,
    "times": union,
    "at_most_minus": union,
    "share_of_sample": lambda line: (SAMPLES,),
    # gradients and answers
    "weigh_draws": nothing,
    "score": nothing,
    "scores": nothing,
    "share_score": union,
    "mixture": nothing,
    "effective": nothing,
    # several patterns together
    "rows_of": union,
    "together": union,
    "apart": union,
    "enter": union,
}
