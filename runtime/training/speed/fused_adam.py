"""Adam and AdamW on torch's own fused kernel, without the rest of torch's optimizers.

`torch.optim.Adam(fused=True)` takes the same step, bit for bit (tests/test_fused_adam.py), but brings in the front end
of torch.compile when it is built (a second and 66 MiB before the first step of every training) and looks at every
parameter in Python at every step.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

BETAS, EPSILON = (0.9, 0.999), 1e-8
"""torch's own defaults."""

_NAMES = ("exp_avg", "exp_avg_sq", "step")


class FusedAdam:
    """The part of a torch optimizer that training uses: `param_groups`, `step`, `zero_grad` and the state.

    groups: as torch's optimizers take them, {"params": [...]} and settings of their own; or the parameters of a single
    one. All are of one device and floating type. decoupled: AdamW's weight decay. A parameter without gradient is left
    alone, its memory too.
    """

    def __init__(
        self,
        groups: Sequence[nn.Parameter] | Sequence[dict[str, Any]],
        *,
        lr: float,
        weight_decay: float,
        decoupled: bool,
    ) -> None:
        settings = {"lr": lr, "weight_decay": weight_decay}
        given = [group for group in groups if isinstance(group, dict)] or [{"params": list(groups)}]
        self.param_groups: list[dict[str, Any]] = [settings | group for group in given]
        self.parameters: list[nn.Parameter] = [p for group in self.param_groups for p in group["params"]]
        self.decoupled = decoupled
        self._state: dict[int, dict[str, Tensor]] = {}
        self._with_gradient: tuple[int, ...] = ()
        self._lists: list[tuple[dict[str, Any], tuple[list[Tensor], ...]]] = []

    @torch.no_grad()
    def step(self) -> None:
        """One update of every parameter that has a gradient."""
        with_gradient = tuple(index for index, each in enumerate(self.parameters) if each.grad is not None)
        self._arrange(with_gradient)
        update = torch._fused_adamw_ if self.decoupled else torch._fused_adam_
        for group, (parameters, averages, squares, steps) in self._lists:
            torch._foreach_add_(steps, 1)
            update(
                parameters,
                [parameter.grad for parameter in parameters if parameter.grad is not None],
                averages,
                squares,
                [],
                steps,
                lr=group["lr"],
                beta1=BETAS[0],
                beta2=BETAS[1],
                weight_decay=group["weight_decay"],
                eps=EPSILON,
                amsgrad=False,
                maximize=False,
            )

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    def state_dict(self) -> dict[str, Any]:
        """As torch's: by the parameters' places."""
        groups = [{**group, "params": list(places)} for group, places in self._places()]
        return {"state": {i: dict(memory) for i, memory in self._state.items()}, "param_groups": groups}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """What `state_dict` gave, or torch's optimizer of the same kind; settings stay."""
        self._state = {
            int(index): {name: self._like(int(index), name, memory[name]) for name in _NAMES}
            for index, memory in saved["state"].items()
        }
        self._with_gradient = ()

    def _like(self, index: int, name: str, value: Tensor | float) -> Tensor:
        parameter = self.parameters[index]
        dtype = torch.float32 if name == "step" else parameter.dtype
        return torch.as_tensor(value).to(parameter.device, dtype, copy=True)

    def _arrange(self, with_gradient: tuple[int, ...]) -> None:
        """The kernel's lists, made anew only where other parameters have a gradient than before."""
        if with_gradient == self._with_gradient:
            return
        for index in with_gradient:
            if index not in self._state:
                parameter = self.parameters[index]
                self._state[index] = {
                    "exp_avg": torch.zeros_like(parameter, memory_format=torch.preserve_format),
                    "exp_avg_sq": torch.zeros_like(parameter, memory_format=torch.preserve_format),
                    "step": torch.zeros((), dtype=torch.float32, device=parameter.device),
                }
        self._lists = []
        for group, places in self._places():
            at_work = [index for index in with_gradient if index in places]
            memories = [[self._state[index][name] for index in at_work] for name in _NAMES]
            if at_work:
                self._lists.append((group, ([self.parameters[index] for index in at_work], *memories)))
        self._with_gradient = with_gradient

    def _places(self) -> Iterator[tuple[dict[str, Any], range]]:
        """Each group, and where its parameters stand among all."""
        first = 0
        for group in self.param_groups:
            yield group, range(first, first := first + len(group["params"]))
