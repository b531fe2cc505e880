"""linear and mlp as code, and the layers that every architecture shares."""

from typing import cast

from torch import nn

from compiler.emission.text import tuple_text
from compiler.emission.writing import ClassText, in_order
from compiler.networks.layers import BatchNorm, Between
from compiler.networks.linear import LinearNetwork, ParentSum
from compiler.networks.mlp import Dense, Heads, Hidden, MlpNetwork

Outputs = dict[str, str]
"""Code of each output's unconstrained value, by the parameter's name."""

CALLS = {
    "relu": "F.relu", "softplus": "F.softplus", "tanh": "torch.tanh", "sigmoid": "torch.sigmoid", "gelu": "F.gelu",
    "silu": "F.silu", "elu": "F.elu", "leaky_relu": "F.leaky_relu", "identity": "",
}  # fmt: skip


def initialized(code: str, fan_in: int, own_fan_in: int, gain: float) -> str:
    """The layer, started as the compiled model starts it where torch would start it otherwise."""
    if fan_in == own_fan_in and gain == 1.0:
        return code
    return f"initialized({code}, fan_in={fan_in}" + (f", gain={gain})" if gain != 1.0 else ")")


def dense(text: ClassText, wanted: str, module: Dense, gain: float = 1.0) -> str:
    """A linear layer from units to units."""
    width, inputs = module.weight.shape
    return text.layer(wanted, initialized(f"nn.Linear({inputs}, {width})", inputs, inputs, gain), module)


def parent_sum(text: ClassText, pattern: str, module: ParentSum, gain: float = 1.0, fan_in: int | None = None) -> str:
    """One linear map per parent, added up; `pattern` names them. The first has the bias."""
    maps = {m.parent.name: m for m in (child for child in module.maps.values())}
    total = sum(m.parent.width for m in maps.values()) if fan_in is None else fan_in
    parts: list[str] = []
    for entry in in_order(text.entries, list(maps)):
        width, inputs = maps[entry.parent.name].weight.shape
        bias = "" if not parts else ", bias=False"
        code = initialized(f"nn.Linear({inputs}, {width}{bias})", total, inputs, gain)
        layer = text.own(pattern.format(entry.argument), code)
        text.weight(layer, "weight", f"{text.paths[maps[entry.parent.name]]}.weight")
        if not parts:
            text.weight(layer, "bias", f"{text.paths[module]}.bias")
        parts.append(f"{layer}({entry.flat()})")
    return " + ".join(parts)


def between(text: ClassText, module: Between, value: str, number: str, dims: int = 1) -> str:
    """Normalization, activation, dropout of `value` (code), as code. number: what the layers are called by."""
    code = value
    if module.normalization is not None:
        code = _normalized(text, module.normalization, code, f"norm{number}", dims)
    if CALLS[module.activation]:
        code = f"{CALLS[module.activation]}({code})"
    if module.rate:
        text.noisy = True
        dropout = text.own(f"dropout{number}", f"Dropout({module.rate})" if dims == 1 else f"Dropout({module.rate}, 3)")
        code = f"{dropout}({code}, lead, generator)"
    return code


def _normalized(text: ClassText, module: nn.Module, value: str, wanted: str, dims: int) -> str:
    channels = cast(nn.Parameter, module.weight).numel()
    if isinstance(module, BatchNorm):
        if text.whole and text.single:
            layer = text.layer(wanted, f"nn.BatchNorm{1 if dims == 1 else 2}d({channels})", module)
        else:
            layer = text.layer(wanted, f"BatchNorm({channels}{', 3' if dims == 3 else ''})", module)
        return f"{layer}({value})"
    if dims == 1:
        return f"{text.layer(wanted, f'nn.LayerNorm({channels})', module)}({value})"
    return text.map_layer(text.layer(wanted, f"nn.GroupNorm(1, {channels})", module), value)


def hidden_layers(text: ClassText, module: Hidden, first: str, local: str, prefix: str = "", start: int = 1) -> str:
    """Statements from the first layer's sums (code) to the last hidden layer; returns its name."""
    stages = list(module.between)
    text.assign(local, between(text, stages[0], first, f"{prefix}{start}"))
    for index, (layer, after) in enumerate(zip(module.dense, stages[1:], strict=True), start=start + 1):
        attribute = dense(text, f"{prefix}hidden{index}", layer)
        text.assign(local, between(text, after, f"{attribute}({local})", f"{prefix}{index}"))
    return local


def shaped(code: str, shape: tuple[int, ...]) -> str:
    """[..., n] as [..., *shape]."""
    if len(shape) == 1:
        return code
    return f"{code}.unflatten(-1, {tuple_text(shape)})" if shape else f"{code}.squeeze(-1)"


def heads(text: ClassText, module: Heads, hidden: str, gain: float, prefix: str = "") -> Outputs:
    """One linear map per output from the last hidden layer."""
    return {
        name: shaped(f"{dense(text, f'{prefix}to_{name}', module.heads[f'to_{name}'], gain)}({hidden})", shape)
        for name, shape in module.shapes.items()
    }


def linear(text: ClassText, module: LinearNetwork, gain: float, prefix: str = "") -> Outputs:
    """Straight from the parents to each output."""
    outputs = {}
    for name, shape in module.shapes.items():
        head = module.heads[f"to_{name}"]
        total = parent_sum(text, f"{prefix}{{}}_to_{name}", head, gain)
        outputs[name] = shaped(f"({total})" if " + " in total and len(shape) != 1 else total, shape)
    return outputs


def mlp(text: ClassText, module: MlpNetwork, gain: float, local: str, prefix: str = "") -> Outputs:
    """Hidden layers, then heads; without heads the last hidden layer, as `value`."""
    hidden = hidden_layers(text, module.hidden, parent_sum(text, f"{prefix}from_{{}}", module.first), local, prefix)
    if module.heads is None:
        return {"value": hidden}
    return heads(text, module.heads, hidden, gain, prefix)
