"""What a trained model answers: posteriors of hidden variables, draws from either graph; each a plan."""

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor

from compiler.model.compiled import Compiled
from compiler.model.evaluation import Group
from compiler.model.given import GivenTensors
from compiler.plan.questions import plan_densities, plan_draws, plan_generation, plan_means, plan_posterior
from compiler.plan.running import Context
from compiler.symbolic.schedules import ObjectiveWeights
from compiler.tensors.blanks import placed
from compiler.tensors.noise import Noise
from graphspec.graphs.graph import Side


class Queries:
    """Questions to one model. numbers: the objective's weights at the end of training. Rows are prepared."""

    def __init__(self, compiled: Compiled, numbers: ObjectiveWeights) -> None:
        self.compiled, self.numbers, self.graphs = compiled, numbers, compiled.graphs

    def predict(self, name: str, rows: Mapping[str, Tensor], groups: list[Group], samples: int, noise: Noise) -> Tensor:
        """Posterior of one hidden variable given the observed variables and the labels in `rows`.

        Discrete with a finite support: probabilities [B, *shape, K]; else the mean [B, *shape]. Marginal over
        everything else that is hidden: exactly where that is enumerated, over `samples` draws otherwise.
        """
        given = self.compiled.given(rows, self._context(rows, noise))
        result: Tensor | None = None
        for pattern, positions in groups:
            program, _ = self.compiled.program(pattern, samples)
            planned = partial(plan_posterior, program, name, self.compiled.features)
            runner = self.compiled.runner(("posterior", name, pattern, samples), planned)
            inner = noise if positions is None else noise.select(positions)
            found = runner.results(self._context(rows, inner), given.of(runner.plan, positions))["posterior"]
            found = found.expand(inner.batch, *found.shape[1:])
            if positions is None:
                return found
            result = found.new_zeros(noise.batch, *found.shape[1:]) if result is None else result
            result = placed(result, positions, found)
        assert result is not None, "a batch has at least one row"
        return result

    def infer(self, rows: Mapping[str, Tensor], samples: int, noise: Noise) -> dict[str, Tensor]:
        """Joint draws of every variable of q given the row's labels: {name: [S, B, *shape]}, classes as indices.

        Labels below a drawn variable are accounted for by resampling the S draws by their weights.
        """
        repeated = {n: v.repeat_interleave(samples, dim=0) for n, v in rows.items()}
        inner = Noise(_forked(noise), noise.batch * samples)
        labels = tuple(name for name in self.graphs.supervised if name in rows)
        runner = self.compiled.runner(("draws", labels), lambda: plan_draws(self.graphs, labels))
        found = runner.results(self._context(rows, inner), self._given(repeated).of(runner.plan))
        log_weight = found.pop("log weight").expand(inner.batch)
        chosen = _resample(log_weight.reshape(noise.batch, samples), noise)
        drawn = {n: v.expand(inner.batch, *v.shape[1:]) for n, v in found.items()}
        return {n: _pick(v.reshape(noise.batch, samples, *v.shape[1:]), chosen) for n, v in drawn.items()}

    def posterior_means(self, rows: Mapping[str, Tensor], noise: Noise) -> dict[str, Tensor]:
        """q's mean (discrete: likeliest class) of every hidden variable, parents at theirs, labels clamped."""
        labels = tuple(name for name in self.graphs.supervised if name in rows)
        runner = self.compiled.runner(("means", labels), lambda: plan_means(self.graphs, labels))
        found = runner.results(self._context(rows, noise), self._given(rows).of(runner.plan))
        return {name: value.expand(noise.batch, *value.shape[1:]) for name, value in found.items()}

    def generate(self, fixed: Mapping[str, Tensor], rows: int, noise: Noise, *, means: bool) -> dict[str, Tensor]:
        """Ancestral draws from p with `fixed` variables held: {name: [rows, *shape]}, deterministic ones included.

        means: observed variables are their distribution's mean instead of a draw. Observed variables that p does not
        model must be given. Raises ValueError naming one that is not.
        """
        names = tuple(fixed)
        runner = self.compiled.runner(
            ("generation", names, means), lambda: plan_generation(self.graphs, names, means=means)
        )
        given = self._given(fixed)
        given.computed = dict(fixed)  # held values are read as they are, deterministic ones too
        found = {**fixed, **runner.results(self._context(fixed, noise), given.of(runner.plan))}
        return {name: value.expand(rows, *value.shape[1:]) for name, value in found.items()}

    def log_prob(self, side: Side, rows: Mapping[str, Tensor], noise: Noise) -> dict[str, Tensor]:
        """Log density of every factor of one graph at the given values: {variable: [B]} nats."""
        runner = self.compiled.runner(("densities", side), lambda: plan_densities(self.graphs, side))
        found = runner.results(self._context(rows, noise), self._given(rows).of(runner.plan))
        return {name: value.expand(noise.batch) for name, value in found.items()}

    def _given(self, rows: Mapping[str, Tensor]) -> GivenTensors:
        return GivenTensors(self.graphs, rows, self.compiled.modules.dtype)

    def _context(self, rows: Mapping[str, Tensor], noise: Noise) -> Context:
        device = next((value.device for value in rows.values()), noise.generator.device)
        return self.compiled.context(noise, self.numbers, device)


def _forked(noise: Noise) -> torch.Generator:
    """A generator of its own."""
    seed = int(torch.randint(2**62, (1,), generator=noise.generator, device=noise.generator.device).item())
    return torch.Generator(device=noise.generator.device).manual_seed(seed)


def _resample(log_weights: Tensor, noise: Noise) -> Tensor:
    """[B, S] indices of draws, with probability proportional to their weights; in order where all are equal."""
    count = log_weights.shape[1]
    if bool((log_weights == log_weights[:, :1]).all()):
        return torch.arange(count, device=log_weights.device).expand(len(log_weights), count)
    probabilities = torch.softmax(log_weights, dim=1)
    return torch.multinomial(probabilities, count, replacement=True, generator=_forked(noise))


def _pick(values: Tensor, chosen: Tensor) -> Tensor:
    """[S, B, *shape] of values [B, S, *shape] at indices [B, S]."""
    picked = values[torch.arange(len(values), device=values.device).unsqueeze(1), chosen]
    return picked.transpose(0, 1)
