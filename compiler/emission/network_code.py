"""A network of the compiled model as code: the call that builds it, and the call that runs it.

Its class stands in the emitted file word for word, so nothing here knows one kind of network from another.
"""

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass

from compiler.emission.writing import ClassText, Outputs
from compiler.networks import VALUE, Network
from compiler.networks.blueprint import Construction
from compiler.networks.layers import draws
from compiler.networks.user_module import UserClass
from compiler.tensors.expression import Expression, text_of


def network(text: ClassText, module: Network, made: Construction, wanted: str = "network") -> Outputs:
    """Adds the network to the class; returns the code of each output."""
    text.noisy = text.noisy or draws(module)
    setup, options = made.setup, made.blueprint.options
    gain = f", head_gain={setup.head_gain}" if setup.head_gain != 1.0 else ""
    text.init.append(f"parents = {code_of(module.inputs)}")
    text.init.append(f'start = Initializer(SEED, "{setup.start.path}", torch.get_default_dtype())')
    text.init.append(f"setup = Setup(parents, {code_of(setup.outputs)}, start{gain})")
    text.imports |= {(o.module, o.name) for o in options.values() if isinstance(o, UserClass)}
    given = ", ".join(["setup", *(f"{name}={code_of(value)}" for name, value in options.items())])
    layer = text.own(wanted, f"{made.blueprint.network.__name__}({given})", text.paths[module])
    if made.weight_decay:
        text.decays[layer.removeprefix("self.")] = made.weight_decay
    if made.rate_factor != 1.0:
        text.rate_factors[layer.removeprefix("self.")] = made.rate_factor
    values = ", ".join(f"{code_of(name)}: {_value(text, made, name)}" for name in module.inputs)
    return _outputs(text, f"{layer}({{{values}}}, layout)", list(setup.outputs) or [VALUE])


def _value(text: ClassText, made: Construction, name: str) -> str:
    """What the network is given of a parent."""
    argument = text.arguments[name]
    return argument if made.own_units or name not in text.near else f"{text.near[name]}({argument})"


def _outputs(text: ClassText, call: str, names: list[str]) -> Outputs:
    if len(names) == 1:
        return {names[0]: f"{call}[{code_of(names[0])}]"}
    found = text.assign("found", call)
    return {name: f"{found}[{code_of(name)}]" for name in names}


def code_of(value: object) -> str:
    """A plain value as code; of a dataclass, what differs from its defaults."""
    if isinstance(value, UserClass):
        return value.name
    if isinstance(value, type):
        return value.__name__
    if is_dataclass(value):
        return _made(value)
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{code_of(key)}: {code_of(each)}' for key, each in value.items())}}}"
    if isinstance(value, (list, tuple)):
        return text_of(type(value)(Expression(code_of(each)) for each in value))
    return text_of(value)


def _made(value: object) -> str:
    """The call that makes a dataclass: fields without a default by position, others by name."""
    assert is_dataclass(value)
    given = {each.name: getattr(value, each.name) for each in fields(value)}
    required = [code_of(given[each.name]) for each in fields(value) if each.default is MISSING]
    others = [each for each in fields(value) if each.default is not MISSING and given[each.name] != each.default]
    parts = [*required, *(f"{each.name}={code_of(given[each.name])}" for each in others)]
    return f"{type(value).__name__}({', '.join(parts)})"
