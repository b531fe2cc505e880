"""Factors over tensors with named axes: the axes are put in one order for a call, and named again after it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from axis_tensors import SAMPLES, AxisTensor, union
from distributions import Distribution, Flow, build

from compiler.factors.factor_modules import Conditional, Deterministic, Entered, FactorModule
from compiler.factors.scene import Scene
from compiler.tensors.call_layout import Layout
from compiler.tensors.noise import Noise
from graphspec.graphs.graph import Factor, Graphs


@dataclass(frozen=True)
class Located:
    """A distribution together with the leading axes that its parameters carry."""

    axes: tuple[str, ...]
    distribution: Distribution

    def on(self, axes: Sequence[str]) -> Distribution:
        """Broadcastable over `axes` (canonical, a superset of its own)."""
        return self.distribution.on(self.axes, axes)


def located(module: Conditional, values: Mapping[str, AxisTensor], noise: Noise) -> Located:
    """A factor's distribution at its parents' values, on the union of the axes of what its networks read."""
    axes, entered, layout = _entered(module, values, noise)
    found = module.finish(entered, layout)
    if module.flow is not None:
        return Located(axes, Flow(module.variable.shape, module.flow, found[0]))
    parameters = dict(zip(module.names, found, strict=True))
    return Located(axes, build(module.family, module.factor.options, parameters, module.variable))


def computed(module: Deterministic, values: Mapping[str, AxisTensor], noise: Noise) -> AxisTensor:
    """A deterministic variable [*axes, B, *shape] on the union of its parents' axes."""
    axes, entered, layout = _entered(module, values, noise)
    return AxisTensor(axes, module.finish(entered, layout))


class ConditionalModule(Conditional):
    """p(variable | parents) or q(variable | parents)."""

    def __init__(self, factor: Factor, graphs: Graphs, **options: Any) -> None:
        super().__init__(Scene(factor, graphs, **options))

    def forward(self, values: Mapping[str, AxisTensor], noise: Noise) -> Located:  # type: ignore[override]
        return located(self, values, noise)


class DeterministicModule(Deterministic):
    """A deterministic variable."""

    def __init__(self, factor: Factor, graphs: Graphs, **options: Any) -> None:
        super().__init__(Scene(factor, graphs, **options))

    def forward(self, values: Mapping[str, AxisTensor], noise: Noise) -> AxisTensor:  # type: ignore[override]
        return computed(self, values, noise)


def _entered(
    module: FactorModule, values: Mapping[str, AxisTensor], noise: Noise
) -> tuple[tuple[str, ...], dict[str, Entered], Layout]:
    """The union of the parents' axes, what each parent has become on it, and how a call is laid out."""
    given = {name: values[name] for name in module.reads}
    axes = union(given.values()) if given else ()
    layout = Layout(len(axes) + 1, noise, (0,) if axes and axes[0] == SAMPLES else ())
    return axes, {name: module.enter(name, value.on(axes), layout) for name, value in given.items()}, layout
