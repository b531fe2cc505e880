"""elementwise: output element i reads only element i of each parent."""

from collections.abc import Mapping

from torch import Tensor, nn

from compiler.kernels import add_up
from compiler.networks.blueprint import Blueprint, network_kind
from compiler.networks.interface import VALUE, Network, ParentInput, Setup
from compiler.tensors.call_layout import Lead
from graphspec.language.networks import Elementwise


class ElementwiseNetwork(Network):
    """bias_i + sum over parents of weight_i * parent_i, per output; a category's element picks one of K weights."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.shapes = self.shapes or {VALUE: next(iter(self.inputs.values())).shape}
        features = {name: parent.width // parent.elements for name, parent in self.inputs.items()}
        fan_in = sum(features.values())
        self.weights, self.biases = nn.ParameterDict(), nn.ParameterDict()
        for name, shape in self.shapes.items():
            here = setup.start.at(f"head/{name}")
            self.biases[f"to_{name}"] = here.uniform("bias", shape, fan_in, setup.head_gain)
            for parent, count in features.items():
                self.weights[f"from_{parent}_to_{name}"] = here.uniform(
                    parent, (count, *shape), fan_in, setup.head_gain
                )

    def finish(self, entered: Mapping[str, Tensor], layout: Lead) -> dict[str, Tensor]:
        return {name: self._output(name, entered, layout) for name in self.shapes}

    def _output(self, name: str, entered: Mapping[str, Tensor], layout: Lead) -> Tensor:
        parts = [self.biases[f"to_{name}"]]
        for parent in self.inputs:
            weight = self.weights[f"from_{parent}_to_{name}"]
            parts.append(_weighted(self.inputs[parent], entered[parent], weight, layout))
        return add_up(parts)


def _weighted(parent: ParentInput, value: Tensor, weight: Tensor, layout: Lead) -> Tensor:
    """weight [K, *shape] or [K, *shape, classes of the output] times the value of each element, [*lead, ...]."""
    extra = (None,) * (weight.dim() - 1 - len(parent.shape))
    if parent.encoding != "table":
        return parent.numbers(value, layout, weight.dtype)[(..., *extra)] * weight[0]
    chosen = parent.class_weights(value, layout, weight.dtype).movedim(-1, layout.dims)
    return (chosen[(..., *extra)] * weight).sum(layout.dims)


@network_kind("elementwise")
def _elementwise(spec: Elementwise, setup: Setup) -> Blueprint:
    return Blueprint(ElementwiseNetwork)
