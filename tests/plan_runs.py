"""Every value of one run of a pattern's plan, for tests that look inside."""

from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor

from compiler.model.model import Model
from compiler.plan.plan import Plan
from compiler.plan.run import Runner
from compiler.symbolic.schedules import ObjectiveWeights
from compiler.tensors.noise import Noise
from compiler.tensors.presence import rooms


def values_of(model: Model, rows: Mapping[str, Tensor], noise: Noise, plan: Plan | None = None) -> dict[str, Tensor]:
    """{name in the plan: [*axes, B, *event]} for rows of one pattern; of the objective's plan if none is given."""
    prepared = model.prepare(rows)
    ((pattern, _),) = model.group(prepared)
    plan = model.compiled.plan(pattern) if plan is None else plan
    everything = replace(plan, results={**plan.results, **{value.name: value for value in plan.values()}})
    weights = ObjectiveWeights.at(model.graphs, model.rates, float("inf"))
    context = model.compiled.context(
        noise, weights, next(iter(prepared.values())).device, rooms(model.graphs, prepared)
    )
    return Runner(everything, model.compiled.modules).run(context, model.compiled.given(prepared, context).of(plan))
