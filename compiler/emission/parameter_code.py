"""The parameters of a factor's distribution as code: constants, learned values, links from a network's output."""

from torch import Tensor

from compiler.emission.text import grouped, number, tuple_text
from compiler.emission.writing import ClassText
from compiler.factors.parameter_sources import ConstantSource, LearnedSource
from compiler.factors.parameters import PROBABILITY_MARGIN, Learned, start_value
from graphspec.language.families import SCALE_FLOOR, ParameterInfo


def constant(text: ClassText, source: ConstantSource, info: ParameterInfo) -> str:
    """A number or list from the spec: a buffer that is no part of the checkpoint."""
    name = text.attributes.fresh(info.name)
    text.init.append(f'self.register_buffer("{name}", {tensor_text(source.value[0])}, persistent=False)')
    return f"self.{name}"


def tensor_text(value: Tensor) -> str:
    """A small tensor as code."""
    flat = value.flatten()
    if value.dim() and bool((flat == flat[0]).all()):
        return f"torch.full({tuple_text(value.shape)}, {number(flat[0].item())})"
    return f"torch.tensor({value.tolist()!r})"


def learned(text: ClassText, source: LearnedSource) -> str:
    """A free parameter, transformed into its range and spread over the event."""
    module, info = source.learned, source.info
    start = number(module.raw.detach().flatten()[0].item())
    sizes = tuple_text(tuple(module.raw.shape)) if module.raw.dim() else "()"
    made = f"nn.Parameter(torch.full({sizes}, {start}))"
    attribute = text.own(f"raw_{info.name}", made, f"{text.paths[module]}.raw")
    if info.link == "normalize":
        spread = attribute if tuple(module.raw.shape) == module.shape else f"{attribute}.expand({_sizes(module)})"
        return constrained(info, spread, -len(module.shape))
    code = constrained(info, attribute, -1) if info.link == "ordered" else _in_range(module, attribute)
    if module.name != info.name and module.minimum is not None:
        code = f"{grouped(code)}.log()" if info.extent == "class" else f"torch.logit({code})"
    if tuple(module.raw.shape) == module.shape:
        return code
    return f"{grouped(code)}.expand({_sizes(module)})"


def _sizes(module: Learned) -> str:
    return ", ".join(map(str, module.shape))


def _in_range(module: Learned, raw: str) -> str:
    """The transform that keeps a free parameter between its ends."""
    low, high = module.minimum, module.maximum
    if low is not None and high is not None:
        return f"{number(low)} + {number(high - low)} * torch.sigmoid({raw})"
    if low is not None:
        return f"{number(low)} + F.softplus({raw})"
    return raw if high is None else f"{number(high)} - F.softplus({raw})"


def constrained(info: ParameterInfo, raw: str, axis: int) -> str:
    """The link from a network's output to the parameter; a direction has length 1 along `axis`."""
    match info.link:
        case "identity":
            return f"{raw} + {number(info.standard)}" if info.standard else raw
        case "softplus":
            return f"positive({raw}, {number(start_value(info))}, {number(info.floor)})"
        case "sigmoid":
            return f"torch.sigmoid({raw})"
        case "ordered":
            return f"rising({raw}, {number(SCALE_FLOOR)})"
        case "normalize":
            return f"direction({raw}, {axis})"


def given_directly(info: ParameterInfo, name: str, value: str, axis: int) -> str:
    """What a network without weights computes, as the family's own parameter and inside its range."""
    if name != info.name:
        if info.extent == "class":
            return f"({value}).clamp_min({PROBABILITY_MARGIN}).log()"
        return f"logits_of({value}, {PROBABILITY_MARGIN})"
    if info.link == "normalize":
        return f"F.normalize({value}, dim={axis})"
    if info.minimum is None and info.maximum is None:
        return value
    limits = {"minimum": info.minimum, "maximum": info.maximum}
    listed = ", ".join(f"{side}={number(limit)}" for side, limit in limits.items() if limit is not None)
    return f"inside({value}, {listed})"
