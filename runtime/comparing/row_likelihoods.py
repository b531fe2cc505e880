"""What a model says of each held-out row, in nats and in data's units: its bound, and log p(row) by importance.

    log p(row) is estimated as log (1/S) sum_s p(row, h_s) / q(h_s | row),  h_s ~ q

The mean over draws is unbiased for p(row), so that its logarithm is too low on average, the less so the larger S is
(Burda et al. 2016, section 3). Both are of the observed variables: labels are hidden.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from compiler.symbolic.schedules import ObjectiveWeights
from compiler.tensors import blanks
from compiler.tensors.noise import Noise
from runtime.comparing.held_out_rows import Compared
from runtime.measures.evaluation import placement

BATCH, MOST_AT_ONCE = 500, 20_000
"""Rows of one call of the model; of draws with rows."""


def row_bounds(one: Compared, samples: int, seed: int = 0) -> Tensor:
    """[N] nats: the bound of each row (alpha 0, beta 1), the mean over `samples` joint draws."""
    weights = ObjectiveWeights.at(one.model.graphs, None, math.inf).plain()

    def bound(seen: dict[str, Tensor], noise: Noise) -> Tensor:
        return one.model.evaluate(seen, weights=weights, noise=noise, samples=samples).bound

    return _over_rows(one, bound, seed, max(1, min(BATCH, MOST_AT_ONCE // samples)))


def row_likelihoods(one: Compared, samples: int, seed: int = 0) -> Tensor:
    """[N] nats: log p of each row, estimated from `samples` joint draws of everything hidden."""
    model = one.model

    def likelihood(seen: dict[str, Tensor], noise: Noise) -> Tensor:
        drawn = model.infer(seen, samples=samples, noise=noise)
        values = {name: value.reshape(-1, *value.shape[2:]) for name, value in drawn.items()}
        values |= {name: value.repeat(samples, *[1] * (value.dim() - 1)) for name, value in seen.items()}
        log = sum(model.log_prob("generative", values).values()) - sum(model.log_prob("recognition", values).values())
        assert isinstance(log, Tensor), "something is hidden"
        return log.double().reshape(samples, noise.batch).logsumexp(0) - math.log(samples)

    return _over_rows(one, likelihood, seed, max(1, min(BATCH, MOST_AT_ONCE // samples)))


def _over_rows(one: Compared, answer: Callable[[dict[str, Tensor], Noise], Tensor], seed: int, size: int) -> Tensor:
    device, dtype = placement(one.model)
    noise, pixels = torch.Generator(device).manual_seed(seed), torch.Generator(one.rows.device).manual_seed(seed)
    one.model.eval()
    found = []
    for positions in torch.arange(len(one.rows)).split(size):
        batch = one.data.binarize(one.rows.batch(positions, dtype), pixels)
        seen = {name: value.to(device) for name, value in one.model.unlabelled(batch).items()}
        with torch.no_grad():
            value = answer(seen, Noise(noise, len(positions)))
        found.append(value.double().cpu() + _slopes(one, seen).cpu())
    return torch.cat(found)


def _slopes(one: Compared, seen: dict[str, Tensor]) -> Tensor:
    """[B]: log |d model's units / d data's| of what p models."""
    graphs, total = one.model.graphs, torch.zeros(len(next(iter(seen.values()))), dtype=torch.float64)
    for name, units in one.data.units.items():
        if name in graphs.generative and name in seen:
            given = blanks.given(graphs, name, seen[name])
            values = blanks.filled(graphs.variables[name], seen[name], given).double()
            slopes = torch.where(given, units.log_slope(values), 0.0)
            total = total + slopes.reshape(len(slopes), -1).sum(1).cpu()
    return total
