"""gru: a gated recurrent unit over a sum of one map per parent; one step, or all steps of a walk in one call."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from compiler.kernels import add_up, linear
from compiler.networks.blueprint import Blueprint, network_kind
from compiler.networks.interface import VALUE, Network, Setup, total_width
from compiler.networks.linear import ParentSum
from compiler.tensors.call_layout import Lead
from graphspec.language.networks import Gru


class GruNetwork(Network):
    """The next state from the state and the inputs (Cho et al. 2014, as torch's GRU has it: the reset gate acts behind
    the state's map). Initial weights are uniform within 1 / sqrt(hidden), as torch's."""

    def __init__(self, setup: Setup, hidden: int) -> None:
        super().__init__(setup)
        (self.state,) = (name for name, parent in self.inputs.items() if parent.state)
        others = {name: parent for name, parent in self.inputs.items() if name != self.state}
        self.hidden, self.width = hidden, total_width(others.values())
        self.first = ParentSum(others, 3 * hidden, setup.start.at("input"), fan_in=hidden)
        self.weight: nn.Parameter = setup.start.uniform("state/weight", (3 * hidden, hidden), hidden)
        self.bias: nn.Parameter = setup.start.uniform("state/bias", (3 * hidden,), hidden)

    def enter(self, name: str, value: Tensor, layout: Lead) -> Tensor:
        """One input's share of the gates, [*lead, 3 hidden]; the state as it is."""
        return value if name == self.state else self.first.enter(name, value, layout)

    def enter_all(self, values: Mapping[str, Tensor], layout: Lead) -> dict[str, Tensor]:
        inputs = {name: value for name, value in values.items() if name != self.state}
        entered: dict[str, Tensor] = self.first.enter_all(inputs, layout)
        return entered | {name: value for name, value in values.items() if name == self.state}

    def finish(self, entered: Mapping[str, Tensor], layout: Lead) -> dict[str, Tensor]:
        state = entered[self.state].to(self.weight.dtype)
        reset, update, new = add_up(self.first.parts(entered)).chunk(3, dim=-1)
        reset_, update_, new_ = linear(state, self.weight, self.bias).chunk(3, dim=-1)
        update = torch.sigmoid(update + update_)
        candidate = torch.tanh(new + torch.sigmoid(reset + reset_) * new_)
        return {VALUE: candidate + update * (state - candidate)}

    def along(
        self, values: Mapping[str, Tensor], layout: Lead, place: int, steps: int, there: Tensor | None, *, back: bool
    ) -> Tensor:
        """Every state [*lead, hidden] of a walk along the leading dimension `place`, from zero, by torch's fused
        kernel; `steps` elements, from the last where `back`. values: of the inputs, whole or 1 along each dimension.
        there: [*lead] bool, of a walk back which elements are: it begins at the last of these."""
        names = [name for name in self.inputs if name != self.state]
        flat = [self.inputs[name].flat(values[name], layout, self.weight.dtype) for name in names]
        lead = list(torch.broadcast_shapes(*(value.shape[:-1] for value in flat)))
        lead[place] = steps
        inputs = torch.cat([value.expand(*lead, value.shape[-1]) for value in flat], dim=-1).movedim(place, 0)
        others = inputs.shape[1:-1]
        inputs = inputs.reshape(steps, -1, self.width)
        counts = None if there is None else there.expand(lead).movedim(place, 0).reshape(steps, -1).sum(0)
        inputs = turned(inputs, counts) if back else inputs
        weight = torch.cat([self.first.maps[f"from_{name}"].weight for name in names], dim=1)
        weights = [weight, self.weight, self.first.bias, self.bias]
        start = inputs.new_zeros(1, inputs.shape[1], self.hidden)
        found, _ = torch.gru(inputs, start, weights, True, 1, 0.0, self.training, False, False)
        found = turned(found, counts) if back else found
        return found.reshape(steps, *others, self.hidden).movedim(0, place)

    def shareable(self, name: str) -> bool:
        return name != self.state


def turned(value: Tensor, counts: Tensor | None) -> Tensor:
    """[T, N, width] from the last element to the first; where only the first `counts` [N] are there, these by
    themselves, and those behind them by themselves. Twice it is nothing."""
    if counts is None:
        return value.flip(0)
    places = torch.arange(len(value), device=value.device).unsqueeze(-1)
    order = (counts - 1 - places) % len(value)
    return value.gather(0, order.unsqueeze(-1).expand_as(value))


@network_kind("gru")
def _gru(spec: Gru, setup: Setup) -> Blueprint:
    return Blueprint(GruNetwork, {"hidden": spec.hidden})
