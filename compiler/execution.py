"""One run of a program on one group of rows: values, then log densities on demand.

Recognition runs in order with labels clamped; each hidden variable takes its estimator's values. Densities are computed
when the objective first asks for them, so a closed-form divergence costs no sample's density.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from compiler import values as value_tools
from compiler.axes import SAMPLES, AxisTensor, canonical
from compiler.conditional import Located
from compiler.distributions import Distribution, closed_kl
from compiler.noise import Noise
from compiler.program import Program, Step
from compiler.weights import ObjectiveWeights
from graphspec.graph import Factor

if TYPE_CHECKING:
    from compiler.module import Model


class Execution:
    """Values and densities of one program on `rows` {name: [B, *shape]}; labels of the pattern are among them.

    prefix: values of deterministic variables that depend on observed variables only, computed for the whole batch.
    """

    def __init__(
        self,
        model: "Model",
        program: Program,
        rows: Mapping[str, Tensor],
        weights: ObjectiveWeights,
        noise: Noise,
        prefix: Mapping[str, AxisTensor] | None = None,
    ) -> None:
        self.model = model
        self.program = program
        self.weights = weights
        self.noise = noise
        self.like = torch.empty(0, dtype=model.dtype, device=next(iter(rows.values())).device)
        self.values: dict[str, AxisTensor] = {n: AxisTensor((), rows[n]) for n in program.graphs.observed}
        self.values.update(prefix or {})
        self._steps = {("q", s.factor.variable): s for s in program.recognition}
        self._steps |= {("p", s.factor.variable): s for s in program.generative}
        self._located: dict[str, Located] = {}
        self._densities: dict[tuple[str, str], AxisTensor] = {}
        self._run(rows)

    def _run(self, rows: Mapping[str, Tensor]) -> None:
        for step in (*self.program.recognition, *self.program.generative):
            name = step.factor.variable
            if step.action == "clamp":
                self.values[name] = AxisTensor((), rows[name])
            elif step.action != "score" and name not in self.values:
                self.values[name] = self._value(step)

    def _value(self, step: Step) -> AxisTensor:
        factor = step.factor
        if step.action == "compute":
            return self.model.function(factor).forward(self.values, self.noise)
        variable = self.program.graphs.variables[factor.variable]
        if step.action == "enumerate":
            support = value_tools.support(variable, self.like.dtype, self.like.device)
            return AxisTensor((factor.variable,), support)
        return self._draw(step)

    def _draw(self, step: Step) -> AxisTensor:
        """One differentiable draw per sample; the same noise serves every value of an enumerated variable."""
        name, axes = step.factor.variable, step.value_axes
        distribution = self.distribution(step.factor, axes)
        drawn = distribution.standard_noise(self.noise, name, (self.program.sizes[SAMPLES],))
        noise = AxisTensor((SAMPLES,), drawn).on(axes)
        if step.action == "reparameterize":
            return AxisTensor(axes, distribution.reparameterize(noise))
        estimator = self.program.graphs.spec.objective.estimators.get(name)
        hard = estimator is not None and estimator.straight_through
        return AxisTensor(axes, distribution.relaxed(noise, self.weights.temperature[name], straight_through=hard))

    def distribution(self, factor: Factor, axes: tuple[str, ...]) -> Distribution:
        """The factor's distribution at its parents' values, computed once, laid out on `axes`."""
        if factor.key not in self._located:
            self._located[factor.key] = self.model.conditional(factor).forward(self.values, self.noise)
        return self._located[factor.key].on(axes)

    def log_density(self, side: str, name: str) -> AxisTensor:
        """log p or log q of one variable at the program's values, [*axes, B] nats."""
        key = (side, name)
        if key not in self._densities:
            step, value = self._steps[key], self.values[name]
            relaxed = name in self.program.choices and self.program.choices[name].estimator == "relax"
            distribution = self.distribution(step.factor, step.density_axes)
            density = distribution.log_prob(value.on(step.density_axes), relaxed=relaxed)
            self._densities[key] = AxisTensor(step.density_axes, density)
        return self._densities[key]

    def divergence(self, name: str) -> AxisTensor:
        """KL(q || p) of one variable in closed form, [*axes, B] nats."""
        q, p = self._steps["q", name], self._steps["p", name]
        axes = canonical((*q.parent_axes, *p.parent_axes))
        return AxisTensor(axes, closed_kl(self.distribution(q.factor, axes), self.distribution(p.factor, axes)))


def whole_batch(values: Mapping[str, AxisTensor], rows: Tensor | None) -> dict[str, AxisTensor]:
    """Prefix values of some rows (positions [n]), or of all."""
    if rows is None:
        return dict(values)
    return {name: AxisTensor(v.axes, torch.index_select(v.data, len(v.axes), rows)) for name, v in values.items()}
