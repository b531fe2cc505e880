"""Networks without weights: their result is the parameter itself (or a deterministic variable's value).

Parents enter as they are, in their own units; only a category or relaxed value comes as class weights. Events of
different ranks meet from the right, as in numpy.
"""

from collections.abc import Mapping, Sequence

from torch import Tensor

from compiler.networks.blueprint import Blueprint, network_kind
from compiler.networks.interface import VALUE, Network, Setup
from compiler.tensors.call_layout import Lead
from graphspec.language.networks import Dot, Identity, Product, SumOf

Shape = tuple[int, ...]


class ElementaryNetwork(Network):
    """identity, product, sum, dot: one arithmetic operation over the parents, perhaps kept between two numbers. minus:
    parents that are subtracted."""

    def __init__(
        self, setup: Setup, operation: str, minimum: float | None = None, maximum: float | None = None,
        minus: Sequence[str] = (),
    ) -> None:  # fmt: skip
        super().__init__(setup)
        self.minus, self.dtype = minus, setup.start.dtype
        self.output = next(iter(self.shapes), VALUE)
        self.shape = self.shapes.get(self.output)
        self.operation, self.minimum, self.maximum = operation, minimum, maximum

    def enter(self, name: str, value: Tensor, layout: Lead) -> Tensor:
        if self.inputs[name].encoding == "table":
            value = value.to(self.dtype)  # a class counts by its index
        return -value if name in self.minus else value

    def finish(self, entered: Mapping[str, Tensor], layout: Lead) -> dict[str, Tensor]:
        values = [entered[name] for name in self.inputs]
        rank = max(value.dim() for value in values) - layout.dims
        result = self._dot(values, rank, layout) if self.operation == "dot" else self._elementwise(values, rank, layout)
        if (self.minimum, self.maximum) != (None, None):
            result = result.clamp(self.minimum, self.maximum)
        if self.shape is None or result.shape[layout.dims :] == self.shape:
            return {self.output: result}
        spread = padded(result, layout.dims, len(self.shape), layout)
        return {self.output: spread.expand(*spread.shape[: layout.dims], *self.shape)}

    def _elementwise(self, values: list[Tensor], rank: int, layout: Lead) -> Tensor:
        result, *others = (padded(value, layout.dims, rank, layout) for value in values)
        for other in others:
            result = result + other if self.operation == "sum" else result * other
        return result

    def _dot(self, values: list[Tensor], rank: int, layout: Lead) -> Tensor:
        """Sum along the first axis of both events; their other axes meet from the right."""
        first, second = (padded(value, layout.dims + 1, rank, layout) for value in values)
        return (first * second).sum(-rank, keepdim=True)


def padded(value: Tensor, place: int, rank: int, layout: Lead) -> Tensor:
    """[*lead, *event] with dimensions of size 1 from `place` on, so that its event has `rank` of them."""
    missing = layout.dims + rank - value.dim()
    return value.reshape(*value.shape[:place], *(1,) * missing, *value.shape[place:]) if missing else value


def _elementary(spec: Identity | Product | SumOf | Dot, setup: Setup) -> Blueprint:
    limits = {side: getattr(spec, side, None) for side in ("minimum", "maximum")}
    given: dict[str, object] = {side: limit for side, limit in limits.items() if limit is not None}
    if minus := tuple(getattr(spec, "minus", ())):
        given["minus"] = minus
    return Blueprint(ElementaryNetwork, {"operation": spec.kind, **given})


for _kind in ("identity", "product", "sum", "dot"):
    network_kind(_kind)(_elementary)
