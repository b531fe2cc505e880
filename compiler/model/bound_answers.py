"""A label answered by the bound: p's own posterior, as far as the bound tells it.

    p(y = k | row) is taken as softmax over k of L(row with y = k), alpha 0, beta 1, no free bits

L is a lower bound of log p(row, y = k) (design, Objective), so the answer is p's posterior where the bound is equally
tight for every k; other hidden variables are summed or drawn as the objective has them, with the same noise for
every k.
"""

from collections.abc import Callable, Mapping
from math import prod

import torch
from torch import Tensor

from compiler.model import grouping
from compiler.model.compiled import Compiled
from compiler.model.evaluation import Evaluator
from compiler.symbolic.answer_text import LEAST_DRAWS
from compiler.symbolic.schedules import ObjectiveWeights, Rates
from compiler.tensors import presence
from compiler.tensors.noise import Noise


def answered_by_bound(
    compiled: Compiled, rates: Rates | None, name: str, rows: Mapping[str, Tensor], samples: int, noise: Noise
) -> Tensor:
    """Probabilities [B, *row shape, K] of a label, hidden in the prepared rows; of several elements each by itself,
    the others hidden. samples: joint draws of what is not summed, never fewer than `LEAST_DRAWS`.
    """
    graphs, variable = compiled.graphs, compiled.graphs.variables[name]
    assert variable.support is not None, "only values that can be listed are compared"
    weights = ObjectiveWeights.at(graphs, rates, float("inf")).plain()
    evaluator = Evaluator(compiled, rates, weights, max(samples, LEAST_DRAWS), ())
    masks, again = presence.presence(graphs, rows), _repeated(noise)
    if not noise.in_order:
        evaluator.keep_features(rows, noise)

    def bound(element: int, value: int) -> Tensor:
        held = rows[name].reshape(noise.batch, -1).clone()
        held[:, element] = value
        there = presence.blank_where_absent(graphs, masks, name, held.reshape(rows[name].shape))
        seen = {**rows, name: there}
        return evaluator.evaluate(seen, grouping.group(graphs, seen), again()).bound

    elements = range(prod(rows[name].shape[1:]))
    values = range(variable.minimum, variable.minimum + variable.support)
    bounds = [torch.stack([bound(element, value) for value in values], dim=-1) for element in elements]
    return torch.stack(bounds, dim=1).softmax(-1).reshape(*rows[name].shape, variable.support)


def _repeated(noise: Noise) -> Callable[[], Noise]:
    """The same draws every time it is called; the generator stays where it is, so that to ask changes nothing else."""
    if not noise.in_order:
        return lambda: noise
    state, device = noise.generator.get_state(), noise.generator.device

    def again() -> Noise:
        generator = torch.Generator(device)
        generator.set_state(state)
        return Noise(generator, noise.batch)

    return again
