"""elementwise: output element i reads only element i of each parent."""

from collections.abc import Mapping

import torch
from torch import nn

from compiler.networks.initialization import Initializer
from compiler.networks.interface import Network, ParentInput, add_up, ordered
from compiler.tensors.axes import AxisTensor
from compiler.tensors.noise import Noise


class ElementwiseNetwork(Network):
    """bias_i + sum over parents of weight_i * parent_i, per output; a category's element picks one of K weights."""

    def __init__(
        self,
        inputs: Mapping[str, ParentInput],
        outputs: Mapping[str, tuple[int, ...]],
        start: Initializer,
        head_gain: float = 1.0,
    ) -> None:
        super().__init__()
        self.inputs = ordered(inputs)
        self.shapes = dict(outputs)
        fan_in = sum(parent.width // parent.elements for parent in self.inputs)
        self.weights, self.biases = nn.ParameterDict(), nn.ParameterDict()
        for name, shape in outputs.items():
            here = start.at(f"head/{name}")
            self.biases[f"to_{name}"] = here.uniform("bias", shape, fan_in, head_gain)
            for parent in self.inputs:
                features = parent.width // parent.elements
                self.weights[f"from_{parent.name}_to_{name}"] = here.uniform(
                    parent.name, (features, *shape), fan_in, head_gain
                )

    def forward(self, values: Mapping[str, AxisTensor], noise: Noise) -> dict[str, AxisTensor]:
        return {name: self._output(name, values) for name in self.shapes}

    def _output(self, name: str, values: Mapping[str, AxisTensor]) -> AxisTensor:
        bias = self.biases[f"to_{name}"]
        parts = [AxisTensor((), bias.unsqueeze(0))]
        for parent in self.inputs:
            weight, value = self.weights[f"from_{parent.name}_to_{name}"], values[parent.name]
            table = parent.encoding == "table"
            data = parent.class_weights(value, bias.dtype) if table else parent.numbers(value, bias.dtype)[..., None]
            features = data.movedim(-1, len(value.axes) + 1)
            per_class = (1,) * (bias.dim() - len(parent.shape))
            features = features.reshape(*features.shape, *per_class)
            parts.append(AxisTensor(value.axes, torch.sum(features * weight, dim=len(value.axes) + 1)))
        return add_up(parts)
