"""Where each parameter of a factor comes from, in words: which head, which network of its own, which learned value.

From: a resolved `Factor`. To: {parameter: one line}. Built just so by `compiler/factors/parameter_sources.py`.
"""

from collections.abc import Mapping
from typing import Any

from graphspec.graphs.graph import Factor, Graphs
from graphspec.graphs.network_choice import shapes_read
from graphspec.language import WEIGHTLESS, LearnedParameter, NetworkParameter, NetworkSpec, ParameterSpec
from graphspec.language.families import Family, ParameterInfo
from graphspec.language.networks import Elementwise
from graphspec.language.plates import shown
from graphspec.language.shapes import size_of

_SHARED = {
    "element": "learned per element",
    "channel": "learned per channel",
    "variable": "learned, one for all elements",
}
_LINKS = {"normalize": "scaled to length 1", "ordered": "made to rise"}
_SHOWN = 8


def parameter_origins(graphs: Graphs, factor: Factor) -> dict[str, str]:
    """{parameter: origin}, in the family's order and under its own names.

    `loc: head of mlp [500]`, `scale: learned per channel, at least 0.004`, `mean: product(expression, library)`. A flow
    has `context` (if it has parents) and `map`; a deterministic variable has `value`.
    """
    if factor.family is None:
        return {"value": _value(graphs, factor)}
    if factor.family.flow:
        return _flow(graphs, factor, factor.family)
    return {info.name: _parameter(graphs, factor, factor.family, info) for info in factor.family.parameters}


def _parameter(graphs: Graphs, factor: Factor, family: Family, info: ParameterInfo) -> str:
    """A root of p has the standard prior's values for what its entry in the spec does not list."""
    for name, spec in factor.parameters.items():
        if family.parameter(name) is info:
            entry = graphs.spec.generative.get(factor.variable) if factor.side == "generative" else None
            return _origin(info, name, spec, "given" if entry and name in entry.parameters else "the standard prior")
    return _rest(factor, family, info)


def _value(graphs: Graphs, factor: Factor) -> str:
    """A deterministic variable: a hidden layer, a head through the domain's link, or arithmetic."""
    variable, network = graphs.variables[factor.variable], factor.network
    assert network is not None, f"{factor.key} has no network"
    if isinstance(network, WEIGHTLESS):
        return _arithmetic(network, factor.parents)
    if variable.domain is None:
        return f"last hidden layer of {network_text(network)}"
    link = variable.info.link
    return f"head of {network_text(network)}" + ("" if link == "identity" else f", {_LINKS.get(link, link)}")


def _flow(graphs: Graphs, factor: Factor, family: Family) -> dict[str, str]:
    options = {name: default for name, (default, _) in family.options.items()} | dict(factor.options)
    count = options.get("transforms", 1)
    widths = list(options["hidden"])
    what = {"map": f"learned, {count} transform{'s' if count > 1 else ''} of {widths} from standard normal noise"}
    if factor.network is None or not factor.parents:
        return what
    shapes = shapes_read(factor.network, {name: graphs.variables[name] for name in factor.parents})
    kind = network_text(factor.network)
    shape, hidden = factor.network.context_shape(shapes, graphs.variables[factor.variable].shape, widths[0])
    part = "head" if not hidden else "output" if isinstance(factor.network, Elementwise) else "last hidden layer"
    return {"context": f"{part} of {kind}, {size_of(shape)} numbers"} | what


def _rest(factor: Factor, family: Family, info: ParameterInfo) -> str:
    """A parameter that `parameters` does not list: the network's, else learned."""
    network = factor.network
    if network is None or not factor.parents:
        return _learned(LearnedParameter(learned="element"), info, info.name)
    if not isinstance(network, WEIGHTLESS):
        return f"head of {network_text(network)}{_link(info)}"
    if info is family.parameter(family.direct):
        return _arithmetic(network, factor.parents) + _named(info, family.direct)
    return _learned(LearnedParameter(learned="element"), info, info.name)


def _origin(info: ParameterInfo, name: str, spec: ParameterSpec, source: str) -> str:
    """A parameter that `parameters` lists; source: whose choice a constant is."""
    if isinstance(spec, LearnedParameter):
        return _learned(spec, info, name)
    if isinstance(spec, NetworkParameter):
        network = spec.network
        assert network is not None and not isinstance(network, str), "names are resolved while factors are connected"
        if isinstance(network, WEIGHTLESS):
            return _arithmetic(network, spec.parents) + _named(info, name)
        return f"{network_text(network)} of its own from {', '.join(spec.parents)}{_link(info)}"
    return f"{_number(spec)}{_named(info, name)}, {source}"


def _learned(spec: LearnedParameter, info: ParameterInfo, name: str) -> str:
    low = info.floor if info.minimum is not None and not _named(info, name) else None
    low = spec.minimum if low is None else max(low, spec.minimum if spec.minimum is not None else low)
    parts = [_SHARED[spec.learned] + _named(info, name)]
    parts += [_LINKS[info.link]] if info.link in _LINKS else []
    parts += [f"at least {low:g}"] if low is not None else []
    parts += [f"at most {spec.maximum:g}"] if spec.maximum is not None else []
    parts += [f"starts at {spec.initial:g}"] if spec.initial is not None else []
    return ", ".join(parts)


def _link(info: ParameterInfo) -> str:
    """What the head's number passes; nothing where it is the parameter itself."""
    if info.link == "softplus":
        return f", softplus above {info.floor:g}"
    return "" if info.link == "identity" else f", {_LINKS.get(info.link, info.link)}"


def _named(info: ParameterInfo, name: str) -> str:
    """` as probs`, where the spec uses another name of the parameter."""
    return "" if name == info.name else f" as {name}"


def _number(value: Any) -> str:
    """At most eight numbers of each list."""
    if not isinstance(value, (list, tuple)):
        return f"{value:g}"
    shown = [_number(item) for item in value[:_SHOWN]] + (["..."] if len(value) > _SHOWN else [])
    return f"[{', '.join(shown)}]"


def _arithmetic(network: NetworkSpec, parents: tuple[str, ...]) -> str:
    """`product(expression, library)`, with its bounds if it has any."""
    bounds = {word: getattr(network, word, None) for word in ("minimum", "maximum")}
    minus: tuple[str, ...] = getattr(network, "minus", ())
    read = [f"{'−' if parent in minus else ''}{shown(parent)}" for parent in parents]
    return f"{network.kind}({', '.join(read)})" + _bounds(bounds)


def _bounds(bounds: Mapping[str, float | None]) -> str:
    words = {"minimum": "at least", "maximum": "at most"}
    return "".join(f", {words[name]} {value:g}" for name, value in bounds.items() if value is not None)


def network_text(network: NetworkSpec, name: str = "") -> str:
    """`decoder: deconv [64, 32]`: a network's name in the spec, its kind and its widths."""
    widths = getattr(network, "channels", None) or getattr(network, "hidden", None)
    sizes = [widths] if isinstance(widths, int) else list(widths or ())
    kind = f"{network.kind} {sizes}" if sizes else network.kind
    return f"{name}: {kind}" if name else kind
