"""Any network of the compiled model as code: what each of its outputs is, in terms of the class's own layers."""

from compiler.emission.dense_code import Outputs, linear, mlp
from compiler.emission.image_code import cnn, deconv, resnet_down, resnet_up
from compiler.emission.input_noise import disturbed_inputs, inputs_of
from compiler.emission.text import added, number, tuple_text
from compiler.emission.writing import ClassText, Entry
from compiler.networks.cnn import CnnNetwork
from compiler.networks.deconv import DeconvNetwork
from compiler.networks.elementwise import ElementwiseNetwork
from compiler.networks.interface import Network
from compiler.networks.linear import LinearNetwork
from compiler.networks.mlp import MlpNetwork
from compiler.networks.resnet import ResnetDown, ResnetUp
from compiler.networks.user_module import UserNetwork
from compiler.networks.weightless import AffineNetwork, ElementaryNetwork
from graphspec.graphs.shapes import direct_shape
from graphspec.language import NetworkSpec
from graphspec.language.networks import PythonNetwork


def network(text: ClassText, module: Network, spec: NetworkSpec, gain: float, prefix: str = "") -> Outputs:
    """Statements of a network; returns the code of each output. prefix: of its attributes, where there are several.

    Raises SpecError (GS090) for a kind that has no code yet.
    """
    local = text.scope.fresh("hidden")
    with disturbed_inputs(text, inputs_of(module), prefix):
        return _network(text, module, spec, gain, local, prefix)


def _network(text: ClassText, module: Network, spec: NetworkSpec, gain: float, local: str, prefix: str) -> Outputs:
    match module:
        case LinearNetwork():
            return linear(text, module, gain, prefix)
        case MlpNetwork():
            return mlp(text, module, gain, local, prefix)
        case CnnNetwork():
            return cnn(text, module, gain, local, prefix)
        case DeconvNetwork():
            return deconv(text, module, gain, local, prefix)
        case ResnetDown():
            return resnet_down(text, module, gain, local, prefix)
        case ResnetUp():
            return resnet_up(text, module, gain, local, prefix)
        case ElementwiseNetwork():
            return elementwise(text, module, gain, prefix)
        case ElementaryNetwork():
            return {module.output: elementary(text, module, spec)}
        case AffineNetwork():
            return {module.output: affine(text, module)}
        case UserNetwork():
            assert isinstance(spec, PythonNetwork)
            return user(text, module, spec, prefix)
        case _:
            raise text.refuse(f"a network of kind {spec.kind}")


def elementwise(text: ClassText, module: ElementwiseNetwork, gain: float, prefix: str) -> Outputs:
    """bias_i + sum over parents of weight_i * parent_i; a category's element picks one of K weights."""
    fan_in = sum(parent.width // parent.elements for parent in module.inputs.values())
    started = f"{fan_in}" + (f", {gain}" if gain != 1.0 else "")
    outputs = {}
    for name in module.shapes:
        bias = module.biases[f"to_{name}"]
        home = text.paths[module]
        attribute = text.own(f"{prefix}bias_{name}", f"uniform_parameter({tuple_text(bias.shape)}, {started})")
        text.weight(attribute, "", f"{home}.biases.to_{name}")
        terms = [attribute]
        for parent in module.inputs.values():
            entry = text.entries[parent.name]
            weight = module.weights[f"from_{parent.name}_to_{name}"]
            code = f"uniform_parameter({tuple_text(weight.shape)}, {started})"
            attribute = text.own(f"{prefix}{entry.argument}_to_{name}", code)
            text.weight(attribute, "", f"{home}.weights.from_{parent.name}_to_{name}")
            terms.append(_weighted(entry, attribute, bias.dim() - len(parent.shape)))
        outputs[name] = added(terms)
    return outputs


def _weighted(entry: Entry, weight: str, extra: int) -> str:
    """One parent's share; extra: trailing dimensions of the output beyond the parent's elements."""
    tail = ".unsqueeze(-1)" * extra
    if entry.parent.encoding == "table":
        return f"({entry.argument}{tail} * {weight}.movedim(0, -{1 + extra})).sum(-{1 + extra})"
    return f"{entry.numbers()}{tail} * {weight}[0]"


def elementary(text: ClassText, module: ElementaryNetwork, spec: NetworkSpec) -> str:
    """identity, product, sum, dot: one operation over the parents, in their own units."""
    entries = [text.entries[parent.name] for parent in module.inputs.values()]
    if any(entry.hot for entry in entries):
        raise text.refuse(f"{module.operation} of a relaxed count")
    rank = max(len(entry.parent.shape) for entry in entries)
    shapes = {entry.parent.name: entry.parent.shape for entry in entries}
    if module.operation == "dot":
        parts = [_spread(entry, len(entry.parent.shape), rank) for entry in entries]
        code = f"({' * '.join(parts)}).sum(-{rank}, keepdim=True)"
    else:
        parts = [_spread(entry, len(entry.parent.shape) + 1, rank) for entry in entries]
        code = (" + " if module.operation == "sum" else " * ").join(parts)
    code = _clamped(module, code)
    result = direct_shape(spec, shapes, module.shape)
    if module.shape is None or result == module.shape:
        return code
    value = text.assign(text.scope.fresh("value"), code)
    value += f".unsqueeze(-{len(result) + 1})" * (len(module.shape) - len(result))
    kept = f"*{value}.shape[:-{len(module.shape)}], " if module.shape else ""
    return f"{value}.expand({kept}{', '.join(map(str, module.shape))})"


def _spread(entry: Entry, place: int, rank: int) -> str:
    """With size-1 dimensions at -`place`, so that its event has `rank` of them."""
    return entry.argument + f".unsqueeze(-{place})" * (rank - len(entry.parent.shape))


def _clamped(module: ElementaryNetwork, code: str) -> str:
    limits = {"min": module.minimum, "max": module.maximum}
    listed = ", ".join(f"{name}={number(value)}" for name, value in limits.items() if value is not None)
    return f"({code}).clamp({listed})" if listed and " + " in code else f"{code}.clamp({listed})" if listed else code


def affine(text: ClassText, module: AffineNetwork) -> str:
    """affine_read and affine_write."""
    image, pose = text.entries[module.image].argument, text.entries[module.pose].argument
    return f"affine_window({image}, {pose}, {tuple_text(module.shape)}, inverse={module.inverse})"


def user(text: ClassText, module: UserNetwork, spec: PythonNetwork, prefix: str) -> Outputs:
    """The user's own class, imported by the emitted file; leading dimensions are flattened for it."""
    inputs = {parent.name: text.entries[parent.name].event for parent in module.inputs.values()}
    kind = spec.target.split(":")[1]
    shapes = [repr(found).replace("'", '"') for found in (inputs, module.shapes)]
    given = "".join(f", {name}={value!r}" for name, value in spec.args.items())
    made = f"{kind}(inputs={shapes[0]}, outputs={shapes[1]}{given})"
    layer = text.layer(f"{prefix}network", made, module.module)
    lead = text.scope.fresh("leading")
    if any(text.entries[name].hot and text.entries[name].parent.encoding != "table" for name in inputs):
        raise text.refuse("a relaxed count in a network of your own")
    sizes = [
        text.entries[name].argument + (f".shape[:-{len(shape)}]" if shape else ".shape")
        for name, shape in inputs.items()
    ]
    text.assign(lead, f"torch.broadcast_shapes({', '.join(sizes)})")
    flat = []
    for name, shape in inputs.items():
        event = "".join(f", {size}" for size in shape)
        flat.append(f"{name}={text.entries[name].argument}.expand(*{lead}{event}).reshape(-1{event})")
    result = text.assign(text.scope.fresh("found"), f"{layer}({', '.join(flat)})")
    if len(module.shapes) == 1:
        name = next(iter(module.shapes))
        text.assign(result, f'{result} if isinstance({result}, Tensor) else {result}["{name}"]')
        return {name: f"{result}.reshape(*{lead}{''.join(f', {size}' for size in module.shapes[name])})"}
    return {
        name: f'{result}["{name}"].reshape(*{lead}{"".join(f", {size}" for size in shape)})'
        for name, shape in module.shapes.items()
    }


def imports_of(spec: NetworkSpec) -> str:
    """The line that imports a user's class; empty for every other kind."""
    if not isinstance(spec, PythonNetwork):
        return ""
    module, kind = spec.target.split(":")
    return f"from {module} import {kind}"
