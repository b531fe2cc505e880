"""Values of facts and noise that a query can be given: made up, legal, in data's units."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from compiler.emission.query_class import QueryText
from compiler.emission.query_noise import Draw
from graphspec.graphs.graph import Variable

WHOLE_NUMBERS = torch.int64


def made_up(variables: Mapping[str, Variable], text: QueryText, rows: int, seed: int = 0) -> dict[str, Tensor]:
    """{argument: [rows, ...]} for every argument of a query, floats in single precision."""
    generator = torch.Generator().manual_seed(seed)
    found = {}
    for name, own in text.inputs.items():
        value = _legal(variables[name], rows, generator)
        scale = text.scales.get(name)
        if scale is not None and scale.logarithm:
            value = (scale.mean + scale.std * value.double().log()).exp().float()
        elif scale is not None:
            value = (value.double() * scale.std + scale.mean).float()
        found[own] = value
    return found | drawn(text.draws, rows, generator)


def drawn(draws: Mapping[str, Draw], rows: int, generator: torch.Generator) -> dict[str, Tensor]:
    """Noise [rows, *lead, *event]."""
    makers = {"normal": torch.randn, "uniform": torch.rand}
    return {n: makers[d.kind]((rows, *d.lead, *d.event), generator=generator) for n, d in draws.items()}


def _legal(variable: Variable, rows: int, generator: torch.Generator) -> Tensor:
    shape: Sequence[int] = (rows, *variable.row_shape)
    match variable.domain:
        case "category":
            return torch.randint(variable.support or 1, shape, generator=generator)
        case "binary":
            return torch.randint(2, shape, generator=generator).float()
        case "count":
            high = variable.support or 5
            return (torch.randint(high, shape, generator=generator) + variable.minimum).float()
        case "unit":
            return torch.rand(shape, generator=generator).clamp(0.01, 0.99)
        case "positive":
            return torch.randn(shape, generator=generator).mul(0.5).exp()
        case "simplex":
            return torch.rand(shape, generator=generator).add(0.1).log().softmax(len(variable.plates) + 1)
        case "direction":
            value = torch.randn(shape, generator=generator)
            return torch.nn.functional.normalize(value, dim=len(variable.plates) + 1)
        case _:
            return torch.randn(shape, generator=generator)
