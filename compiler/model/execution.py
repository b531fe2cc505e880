"""One run of a program on one group of rows: values, then log densities on demand.

Recognition runs in order with labels clamped; each hidden variable takes its estimator's values. Densities are computed
when the objective first asks for them, so a closed-form divergence costs no sample's density.
"""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from compiler.factors.conditional import Located
from compiler.families import Distribution, closed_kl, closed_kl_each
from compiler.model.joint_calls import Gathering
from compiler.model.sparse import choose
from compiler.symbolic.objective import Part
from compiler.symbolic.program import Program, Step
from compiler.symbolic.schedules import ObjectiveWeights
from compiler.tensors import blanks
from compiler.tensors.axes import SAMPLES, AxisTensor, canonical
from compiler.tensors.noise import Noise
from graphspec.graphs.graph import Factor

if TYPE_CHECKING:
    from compiler.model.model import Model


class Execution:
    """Values and densities of one program on `rows` {name: [B, *shape]}; labels of the pattern are among them.

    Blanks of masked variables are in `rows` as NaN or -1. prefix: the observed variables as networks read them and the
    deterministic ones that depend on them only, see `Model.observed_features`; made from the rows if not given.
    gathering: takes the steps, side by side with those of the batch's other groups.
    """

    def __init__(
        self,
        model: "Model",
        program: Program,
        rows: Mapping[str, Tensor],
        weights: ObjectiveWeights,
        noise: Noise,
        prefix: Mapping[str, AxisTensor] | None = None,
        gathering: Gathering | None = None,
    ) -> None:
        self.model = model
        self.gathering = gathering
        self.rows = rows
        self.program = program
        self.weights = weights
        self.noise = noise
        self.like = torch.empty(0, dtype=model.dtype, device=next(iter(rows.values())).device)
        variables = program.graphs.variables
        self.given = {n: blanks.given(variables[n], rows[n]) for n in program.pattern.masked}
        self.given |= {n: blanks.given(variables[n], rows[n]) for n in program.pattern.blanks}
        self.labels = {n: blanks.filled(variables[n], rows[n], mask) for n, mask in self.given.items()}
        self.observed = {name: rows[name] for name in program.graphs.observed}
        self.values = dict(blanks.observed_values(program.graphs, rows, model.dtype) if prefix is None else prefix)
        self._doubly = doubly_reparameterized(program)
        self._importance: Tensor | None = None
        self._axis_weights: dict[str, AxisTensor] = {}
        self._steps = {("q", s.factor.variable): s for s in program.recognition}
        self._steps |= {("p", s.factor.variable): s for s in program.generative}
        self._located: dict[str, Located] = {}
        self._densities: dict[tuple[str, str, Part], AxisTensor] = {}
        if gathering is None:
            for step in (*program.recognition, *program.generative):
                self.take(step)

    def take(self, step: Step) -> None:
        """Give the step's variable its value; called for each step in order."""
        name = step.factor.variable
        if step.action == "clamp":
            self.values[name] = AxisTensor((), self.rows[name])
        elif step.action != "score" and name not in self.values:
            self.values[name] = self._value(step)

    def _value(self, step: Step) -> AxisTensor:
        factor = step.factor
        if step.action == "compute":
            found = None if self.gathering is None else self.gathering.made(self, factor)
            if found is None:
                return self.model.function(factor).forward(self.values, self.noise)
            assert isinstance(found, AxisTensor)
            return found
        variable = self.program.graphs.variables[factor.variable]
        if factor.variable in self.program.sparse:
            return self._likeliest(step)
        if step.action == "enumerate":
            support = blanks.support(variable, self.like.dtype, self.like.device)
            hidden = AxisTensor((factor.variable,), support)
        else:
            hidden = self._draw(step)
        return self._with_labels(step, hidden) if step.masked else hidden

    def _likeliest(self, step: Step) -> AxisTensor:
        """The likeliest values of an enumerated variable and one draw from the others (sparse enumeration)."""
        name = step.factor.variable
        budget = self.program.choices[name].budget
        assert budget is not None
        distribution = self.distribution(step.factor, step.parent_axes)
        chosen = choose(distribution, budget, distribution.standard_noise(self.noise, name))
        place = step.value_axes.index(name)
        self._axis_weights[name] = AxisTensor(step.value_axes, chosen.log_weights.movedim(-1, place))
        value = chosen.index.movedim(-1, place) + self.program.graphs.variables[name].minimum
        category = self.program.graphs.variables[name].domain == "category"
        return AxisTensor(step.value_axes, value if category else value.to(self.like.dtype))

    def _with_labels(self, step: Step, hidden: AxisTensor) -> AxisTensor:
        """A masked variable's value: its label where there is one, else what the estimator takes."""
        name = step.factor.variable
        variable = self.program.graphs.variables[name]
        label, mask = self.labels[name], self.given[name]
        if step.action == "relax" and variable.domain != "binary":
            label = blanks.one_hot(variable, label, hidden.data.dtype)
            mask = mask.unsqueeze(-1)
        return AxisTensor(hidden.axes, torch.where(mask, label, hidden.data))

    def _draw(self, step: Step) -> AxisTensor:
        """One differentiable draw per sample; the same noise serves every value of an enumerated variable."""
        name, axes = step.factor.variable, step.value_axes
        distribution = self.distribution(step.factor, axes)
        drawn = distribution.standard_noise(self.noise, name, (self.program.sizes[SAMPLES],))
        noise = AxisTensor((SAMPLES,), drawn).on(axes)
        if step.action == "score_function":
            value = distribution.draw(noise)
            category = self.program.graphs.variables[name].domain == "category"
            return AxisTensor(axes, value.long() if category else value)
        if step.action == "reparameterize":
            value = distribution.reparameterize(noise)
            return AxisTensor(axes, self._hooked(value) if self._doubly else value)
        estimator = self.program.graphs.spec.objective.estimators.get(name)
        hard = estimator is not None and estimator.straight_through
        return AxisTensor(axes, distribution.relaxed(noise, self.weights.temperature[name], straight_through=hard))

    def distribution(self, factor: Factor, axes: tuple[str, ...]) -> Distribution:
        """The factor's distribution at its parents' values, computed once, laid out on `axes`."""
        if factor.key not in self._located:
            self._located[factor.key] = self._made(factor)
        return self._located[factor.key].on(axes)

    def _made(self, factor: Factor) -> Located:
        found = None if self.gathering is None else self.gathering.made(self, factor)
        if found is None:
            return self.model.conditional(factor).forward(self.values, self.noise)
        assert isinstance(found, Located)
        return found

    def log_density(self, side: str, name: str, part: Part) -> AxisTensor:
        """log p or log q of one variable (or of part of its elements) at the program's values, [*axes, B] nats."""
        key = (side, name, part)
        if key not in self._densities:
            self._densities[key] = self._density(self._steps[side, name], part)
        return self._densities[key]

    def _density(self, step: Step, part: Part) -> AxisTensor:
        name = step.factor.variable
        axes = step.parent_axes if part == "given" else step.density_axes
        distribution = self.distribution(step.factor, axes)
        if part == "given":
            each = distribution.log_prob_each(self.labels[name].reshape(*[1] * len(axes), *self.labels[name].shape))
            return AxisTensor(axes, sum_where(each, self.given[name], len(axes)))
        # a blank observed variable enters networks as zeros and flags, but is scored as it is
        own = AxisTensor((), self.observed[name]) if name in self.observed else self.values[name]
        value = own.on(axes)
        relaxed = name in self.program.choices and self.program.choices[name].estimator == "relax"
        if self._doubly and step.action == "reparameterize":
            distribution = distribution.detached()
        if part == "all":
            return AxisTensor(axes, distribution.log_prob(value, relaxed=relaxed))
        each = distribution.log_prob_each(value, relaxed=relaxed)
        return AxisTensor(axes, sum_where(each, ~self.given[name], len(axes)))

    def log_axis(self, name: str) -> AxisTensor:
        """log probability of each value on an enumerated variable's axis, [*axes, B].

        A masked variable's axis repeats a value once for every way to fill its given elements: each repetition gets an
        equal share, so that the axis still sums to one.
        """
        if name in self._axis_weights:
            return self._axis_weights[name]
        if not self._steps["q", name].masked:
            return self.log_density("q", name, "all")
        hidden = self.log_density("q", name, "hidden")
        support = self.program.graphs.variables[name].support
        assert support is not None
        repeats = self.given[name].flatten(1).sum(1) if self.given[name].dim() > 1 else self.given[name].long()
        return AxisTensor(hidden.axes, hidden.data - repeats.to(hidden.data.dtype) * math.log(support))

    def any_hidden(self, name: str) -> Tensor:
        """[B] bool: rows that lack at least one element of a masked variable."""
        mask = self.given[name]
        return ~(mask.flatten(1).all(dim=1) if mask.dim() > 1 else mask)

    def pairwise(self, name: str, weights: AxisTensor | None) -> Tensor:
        """log q(element of each draw | each row): [*value axes, B, B, D], rows' components mixed by `weights`.

        weights: log weights of the parents' axes [*parent axes, B], where q's parameters vary over those.
        """
        step = self._steps["q", name]
        value, axes = self.values[name], step.parent_axes
        count = len(step.value_axes)
        draws = value.data.unsqueeze(count + 1)
        distribution = self.distribution(step.factor, axes)
        lead = (1,) * (count + 1)
        spread = distribution.rebuilt(lambda t: t.reshape(*t.shape[: len(axes)], *lead, *t.shape[len(axes) :]))
        each = spread.log_prob_each(draws).flatten(-len(self.program.graphs.variables[name].shape))
        if weights is None:
            return each
        mixed = weights.data.reshape(*weights.data.shape[:-1], *lead, weights.data.shape[-1], 1)
        return torch.logsumexp(each + mixed, dim=tuple(range(len(axes))))

    def weigh(self, log_weights: AxisTensor) -> None:
        """Scales the gradient of each draw by its normalised importance weight (Tucker et al. 2019, eq. 8)."""
        if self._doubly and log_weights.axes == (SAMPLES,):
            self._importance = torch.softmax(log_weights.data, dim=0)

    def _hooked(self, value: Tensor) -> Tensor:
        """A draw whose incoming gradient is multiplied by its importance weight once that is known."""
        if not value.requires_grad:
            return value
        value.register_hook(self._scaled)
        return value

    def _scaled(self, gradient: Tensor) -> Tensor:
        assert self._importance is not None, "the bound is evaluated before it is differentiated"
        weight = self._importance
        return gradient * weight.reshape(*weight.shape, *[1] * (gradient.dim() - weight.dim()))

    def divergence(self, name: str, part: Part) -> AxisTensor:
        """KL(q || p) of one variable (or of its hidden elements) in closed form, [*axes, B] nats."""
        q, p = self._steps["q", name], self._steps["p", name]
        axes = canonical((*q.parent_axes, *p.parent_axes))
        ours, theirs = self.distribution(q.factor, axes), self.distribution(p.factor, axes)
        if part == "all":
            return AxisTensor(axes, closed_kl(ours, theirs))
        return AxisTensor(axes, sum_where(closed_kl_each(ours, theirs), ~self.given[name], len(axes)))


def doubly_reparameterized(program: Program) -> bool:
    """The importance weighted bound, where every hidden variable is a draw that depends on no other and on no label's
    weight: then log g may forget its parameters and each draw's gradient is scaled by its weight."""
    steps = [s for s in program.recognition if s.action not in ("compute", "clamp")]
    return (
        program.graphs.spec.objective.bound == "importance_weighted"
        and not program.upstream
        and all(s.action == "reparameterize" and not s.parent_axes and not s.masked for s in steps)
    )


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
