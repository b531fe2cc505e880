"""Factors over tensors with named axes: the axes are put in one order for a call, and named again after it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from compiler.factors.factor_modules import Conditional, Deterministic, Entered, FactorModule
from compiler.families import Distribution, build
from compiler.families.flows import Flow
from compiler.tensors.axes import SAMPLES, AxisTensor, PartOfBatch, some_rows, union
from compiler.tensors.call_layout import Layout
from compiler.tensors.noise import Noise


@dataclass(frozen=True)
class Located:
    """A distribution together with the leading axes that its parameters carry."""

    axes: tuple[str, ...]
    distribution: Distribution

    def on(self, axes: Sequence[str]) -> Distribution:
        """Broadcastable over `axes` (canonical, a superset of its own)."""
        return self.distribution.on(self.axes, axes)


class ConditionalModule(Conditional):
    """p(variable | parents) or q(variable | parents)."""

    def forward(self, values: Mapping[str, AxisTensor], noise: Noise) -> Located:  # type: ignore[override]
        """The distribution at the parents' values, on the union of the axes of what its networks read."""
        axes, entered, layout = _entered(self, values, noise)
        found = self.finish(entered, layout)
        if self.flow is not None:
            return Located(axes, Flow(self.variable.shape, self.flow, found[0]))
        parameters = dict(zip(self.names, found, strict=True))
        return Located(axes, build(self.family, self.factor.options, parameters, self.variable))


class DeterministicModule(Deterministic):
    """A deterministic variable."""

    def forward(self, values: Mapping[str, AxisTensor], noise: Noise) -> AxisTensor:  # type: ignore[override]
        """[*axes, B, *shape] on the union of its parents' axes."""
        axes, entered, layout = _entered(self, values, noise)
        return AxisTensor(axes, self.finish(entered, layout))


def _entered(
    module: FactorModule, values: Mapping[str, AxisTensor], noise: Noise
) -> tuple[tuple[str, ...], dict[str, Entered], Layout]:
    """The union of the parents' axes, what each parent has become on it, and how a call is laid out."""
    given = {name: values[name] for name in module.reads}
    axes = union(given.values()) if given else ()
    layout = Layout(len(axes) + 1, noise, bool(axes) and axes[0] == SAMPLES)
    return axes, {name: _entering(module, name, value, axes, layout) for name, value in given.items()}, layout


def _entering(module: FactorModule, name: str, value: AxisTensor, axes: tuple[str, ...], layout: Layout) -> Entered:
    """What a parent has become; of a part of a batch, its rows of what the whole batch has become, made once."""
    if not isinstance(value, PartOfBatch) or not module.shareable(name):
        return module.enter(name, value.on(axes), layout)
    key = (module, name)
    if key not in value.shared:
        value.shared[key] = module.enter(name, value.whole, Layout(1, layout.noise))
    return tuple(_placed(some_rows(whole, value.rows), layout) for whole in value.shared[key])


def _placed(rows: Tensor, layout: Layout) -> Tensor:
    return rows if layout.dims == 1 else rows.reshape(*(1,) * (layout.dims - 1), *rows.shape)
