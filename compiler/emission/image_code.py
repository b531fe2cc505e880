"""cnn, deconv and resnet as code."""

from typing import cast

from torch import nn

from compiler.emission.dense_code import Outputs, between, dense, heads, hidden_layers, initialized, parent_sum
from compiler.emission.text import INDENT, Names, camel, docstring, statement, tuple_text
from compiler.emission.writing import ClassText, in_order
from compiler.networks.cnn import CnnNetwork, FirstConv, Readout
from compiler.networks.conv_layers import Conv, TransposedConv
from compiler.networks.deconv import DeconvNetwork, Seed
from compiler.networks.resnet import BRANCH_GAIN, Block, ResnetDown, ResnetUp, Stage

Map = tuple[int, ...]


def convolution(text: ClassText, wanted: str, module: Conv, maps: str, *, fan_in: int | None = None,
                gain: float = 1.0, bias: bool | None = None) -> str:  # fmt: skip
    """A convolution of `maps` (code), as code; bias: that of another module goes with it (True)."""
    channels, source, kernel, _ = module.weight.shape
    top, left = module.padding
    even = module.around is None
    options = [str(source), str(channels), str(kernel)] + ([f"stride={module.stride}"] if module.stride != 1 else [])
    if even and (top or left):
        options.append(f"padding={top}" if top == left else f"padding={tuple_text((top, left))}")
    with_bias = module.bias is not None if bias is None else bias
    options += [] if with_bias else ["bias=False"]
    own = source * kernel**2
    code = initialized(f"nn.Conv2d({', '.join(options)})", own if fan_in is None else fan_in, own, gain)
    layer = text.layer(wanted, code, module) if bias is None else text.own(wanted, code)
    return text.map_layer(layer, maps if even else f"F.pad({maps}, {tuple_text(module.around or ())})")


def transposed(text: ClassText, wanted: str, module: TransposedConv, maps: str, sides: Map, gain: float = 1.0) -> str:
    """A transposed convolution of `maps` (code, [..., C, h, w] of these sides), cropped, as code."""
    source, channels, kernel, _ = module.weight.shape
    options = [str(source), str(channels), str(kernel), f"stride={module.stride}"]
    options += [f"padding={module.padding}"] if module.padding else []
    options += [f"output_padding={module.extra}"] if module.extra else []
    fan_in = source * (-(-kernel // module.stride)) ** 2
    code = initialized(f"nn.ConvTranspose2d({', '.join(options)})", fan_in, channels * kernel**2, gain)
    grown = text.map_layer(text.layer(wanted, code, module), maps)
    found = tuple((side - 1) * module.stride - 2 * module.padding + kernel + module.extra for side in sides)
    return cropped(grown, found, module.sides)


def cropped(code: str, sides: Map, target: Map) -> str:
    """Cut to `target` where it is larger."""
    return code if tuple(sides) == tuple(target) else f"crop({code}, {target[0]}, {target[1]})"


def first_conv(text: ClassText, module: FirstConv, prefix: str) -> str:
    """One convolution per image parent, each other parent a bias per channel; added up."""
    images = in_order(text.entries, list(module.images))
    kernel = next(iter(module.convolutions.values())).weight.shape[-1]
    others = [entry for name, entry in text.entries.items() if f"from_{name}" in module.others.maps]
    fan_in = sum(e.parent.shape[0] for e in images) * kernel**2 + sum(e.parent.width for e in others)
    parts: list[str] = []
    for entry in images:
        conv = module.convolutions[f"from_{entry.parent.name}"]
        holds_bias = not others and not parts
        wanted = f"{prefix}from_{entry.argument}"
        parts.append(convolution(text, wanted, conv, entry.numbers(), fan_in=fan_in, bias=holds_bias))
        attribute = text.init[-1].split(" = ")[0]
        text.weight(attribute, "weight", f"{text.paths[conv]}.weight")
        if holds_bias:
            text.weight(attribute, "bias", f"{text.paths[module.others]}.bias")
    if others:
        per_channel = parent_sum(text, f"{prefix}from_{{}}", module.others, fan_in=fan_in)
        parts.append(f"({per_channel})[..., None, None]")
    return " + ".join(parts)


def readout(text: ClassText, module: Readout, maps: str, local: str, gain: float, prefix: str) -> Outputs:
    """Flattened, through the hidden layers, then heads; without heads the last layer, as `value`."""
    flat = f"{maps}.flatten(-3)"
    if module.first is not None and module.hidden is not None:
        first = f"{dense(text, f'{prefix}hidden1', module.first)}({flat})"
        maps = flat = hidden_layers(text, module.hidden, first, local, prefix)
    return {"value": maps} if module.heads is None else heads(text, module.heads, flat, gain, prefix)


def cnn(text: ClassText, module: CnnNetwork, gain: float, local: str, prefix: str = "") -> Outputs:
    """Convolutions over image parents, hidden layers, heads."""
    stages = list(module.between)
    text.assign(local, between(text, stages[0], first_conv(text, module.first, prefix), f"_{prefix}map1", 3))
    for index, (conv, after) in enumerate(zip(module.convolutions, stages[1:], strict=True), start=2):
        code = convolution(text, f"{prefix}conv{index}", conv, local)
        text.assign(local, between(text, after, code, f"_{prefix}map{index}", 3))
    return readout(text, module.readout, local, local, gain, prefix)


def seed(text: ClassText, module: Seed, local: str, prefix: str) -> str:
    """From all parents to the first map, as code."""
    code = parent_sum(text, f"{prefix}from_{{}}", module.first)
    if module.hidden is not None and module.last is not None:
        hidden = hidden_layers(text, module.hidden, code, local, prefix)
        code = f"{dense(text, f'{prefix}to_map', module.last)}({hidden})"
    return f"{f'({code})' if ' + ' in code else code}.unflatten(-1, {tuple_text(module.shape)})"


def deconv(text: ClassText, module: DeconvNetwork, gain: float, local: str, prefix: str = "") -> Outputs:
    """A seed map, transposed convolutions, the last of them one per output."""
    stages = list(module.between)
    text.assign(local, between(text, stages[0], seed(text, module.seed, local, prefix), f"_{prefix}map1", 3))
    sides = tuple(module.seed.shape[1:])
    for index, (layer, after) in enumerate(zip(module.convolutions, stages[1:], strict=True), start=2):
        conv = layer
        code = transposed(text, f"{prefix}conv{index}", conv, local, sides)
        text.assign(local, between(text, after, code, f"_{prefix}map{index}", 3))
        sides = conv.sides
    outputs = {}
    for name, shape in module.shapes.items():
        head = module.heads[f"to_{name}"]
        code = transposed(text, f"{prefix}to_{name}", head, local, sides, gain)
        outputs[name] = as_image(code, head.sides, shape)
    return outputs


def as_image(code: str, sides: Map, shape: Map) -> str:
    """A head's map cropped to [..., C, H, W]; classes move to the end."""
    code = cropped(code, sides, shape[1:3])
    return f"{code}.unflatten(-3, {tuple_text((shape[0], shape[3]))}).movedim(-3, -1)" if len(shape) == 4 else code


def _for_any(line: str, channels: int, kernel: int) -> str:
    """The line that makes a layer, for any number of channels."""
    sizes = {
        f"({channels}, {channels}, ": "(channels, channels, ", f"({channels})": "(channels)",
        f"({channels}, 3)": "(channels, 3)", f"(1, {channels})": "(1, channels)",
        f"fan_in={channels * kernel**2}": f"fan_in={kernel**2} * channels",
    }  # fmt: skip
    for fixed, general in sizes.items():
        line = line.replace(fixed, general)
    return line


def block_class(text: ClassText, name: str, module: Block) -> None:
    """A class for residual blocks of any number of channels."""
    names = Names()
    inner = ClassText(
        name, text.graphs, text.path, {}, dict.fromkeys(module.modules(), ""), names, text.single, text.whole
    )
    channels = module.convolutions[0].weight.shape[0]
    for index, (layer, before) in enumerate(zip(module.convolutions, module.before, strict=True), start=1):
        value = between(inner, before, "maps" if index == 1 else "branch", str(index), 3)
        gain = BRANCH_GAIN if index == 2 else 1.0
        inner.assign("branch", convolution(inner, f"conv{index}", layer, value, gain=gain))
    kernel = module.convolutions[0].weight.shape[-1]
    init = [_for_any(line, channels, kernel) for line in inner.init]
    noise = ", lead: Sequence[int], generator: torch.Generator" if inner.noisy else ""
    text.helpers.append([
        f"class {name}(nn.Module):",
        *docstring("maps + branch(maps), the branch two convolutions, each after its activation (He et al. 2016)."),
        "",
        f"{INDENT}def __init__(self, channels: int) -> None:",
        *statement("super().__init__()", 2),
        *(piece for line in init for piece in statement(line, 2)),
        "",
        f"{INDENT}def forward(self, maps: Tensor{noise}) -> Tensor:",
        *docstring("maps [..., channels, H, W] to the same.", 2),
        *(piece for line in inner.forward for piece in statement(line, 2)),
        *statement("return maps + branch", 2),
    ])  # fmt: skip


def _names_in_block(module: Block) -> dict[str, nn.Module]:
    """Attribute of the block's class -> module."""
    found: dict[str, nn.Module] = {}
    for index, (layer, before) in enumerate(zip(module.convolutions, module.before, strict=True), start=1):
        normalization = before.normalization
        if normalization is not None:
            found[f"norm{index}"] = normalization
        found[f"conv{index}"] = layer
    return found


def stage(text: ClassText, module: Stage, index: int, local: str, prefix: str) -> None:
    """Blocks, then the activation that ends them."""
    for number, layer in enumerate(module.blocks, start=1):
        block = cast(Block, layer)
        name = f"{text.name}{camel(prefix)}Block"
        if not any(lines[0].startswith(f"class {name}(") for lines in text.helpers):
            block_class(text, name, block)
        channels = block.convolutions[0].weight.shape[0]
        attribute = text.own(f"{prefix}stage{index}_block{number}", f"{name}({channels})")
        for inner, theirs in _names_in_block(block).items():
            text.weight(attribute, inner, text.paths[theirs])
        noisy = any(before.rate for before in block.before)
        text.noisy = text.noisy or noisy
        text.assign(local, f"{attribute}({local}{', lead, generator' if noisy else ''})")
    code = between(text, module.after, local, f"_{prefix}stage{index}", 3)
    if code != local:
        text.assign(local, code)


def resnet_down(text: ClassText, module: ResnetDown, gain: float, local: str, prefix: str = "") -> Outputs:
    """Each stage: a convolution that halves the sides, then blocks."""
    text.assign(local, first_conv(text, module.first, prefix))
    for index, layer in enumerate(module.stages, start=1):
        if index > 1:
            halving = cast(Conv, module.halvings[index - 2])
            text.assign(local, convolution(text, f"{prefix}halving{index}", halving, local))
        stage(text, cast(Stage, layer), index, local, prefix)
    return readout(text, module.readout, local, local, gain, prefix)


def resnet_up(text: ClassText, module: ResnetUp, gain: float, local: str, prefix: str = "") -> Outputs:
    """A seed map; each stage: blocks, then sides doubled by repetition and a convolution, the last one per output."""
    text.assign(local, seed(text, module.seed, local, prefix))
    sides = tuple(module.seed.shape[1:])
    for index, layer in enumerate(module.stages, start=1):
        if index > 1:
            conv = cast(Conv, module.convolutions[index - 2])
            text.assign(local, convolution(text, f"{prefix}doubling{index}", conv, f"doubled({local})"))
            sides = tuple(2 * side for side in sides)
        stage(text, cast(Stage, layer), index, local, prefix)
    grown = tuple(2 * side for side in sides)
    text.assign(local, cropped(f"doubled({local})", grown, module.sides))
    outputs = {}
    for name, shape in module.shapes.items():
        head = module.heads[f"to_{name}"]
        code = convolution(text, f"{prefix}to_{name}", head, local, gain=gain)
        outputs[name] = as_image(code, module.sides, shape)
    return outputs
