"""Flows: zuko's transforms, started close to the identity."""

from typing import Any

import torch

from compiler.families.flow_maps import FlowMap, last_layers


def near_identity(
    flow: Any, gain: float, *, from_noise: bool, symmetric: bool = False, integral: bool = False
) -> FlowMap:
    """The map of a flow of zuko's; the last layer of each transform starts `gain` times as large as others do."""
    small = {id(parameter) for layer in last_layers(flow.transform) for parameter in layer.parameters()}
    with torch.no_grad():
        for owner in flow.transform.modules():
            for parameter in owner.parameters(recurse=False):
                if id(parameter) in small or getattr(owner, "weight", None) is None:
                    parameter.mul_(gain)
    return FlowMap(flow.transform, from_noise=from_noise, symmetric=symmetric, integral=integral)
