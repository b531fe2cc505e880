"""What a row costs before anything runs: multiply-adds, activation memory, joint values. Plain arithmetic, no torch."""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod

from compiler.symbolic.enumeration import largest_enumeration
from compiler.symbolic.program import Axes, Program, Step
from graphspec.graphs.graph import Factor, Graphs
from graphspec.graphs.shapes import RESNET_STRIDE, Shape, conv_plan, deconv_plan, is_image, parameter_shape, size_of
from graphspec.language.networks import Cnn, Deconv, Elementwise, Gru, Linear, Mlp, NetworkSpec, Resnet

BACKWARD = 3
"""A training step costs about three forward passes: one forward, two products per weight matrix backward."""
BYTES = 4
"""Bytes of one stored float32 activation."""


@dataclass(frozen=True)
class Cost:
    """Per row of one pattern. multiply_adds: one forward pass; activations: numbers kept for the backward pass;
    joint_values: most joint values of enumerated variables in any one term."""

    multiply_adds: int
    activations: int
    joint_values: int

    @property
    def training_flop(self) -> int:
        """Floating-point operations of one training step: two per multiply-add, forward and backward."""
        return 2 * BACKWARD * self.multiply_adds

    @property
    def activation_bytes(self) -> int:
        """Memory of the stored activations in float32."""
        return BYTES * self.activations


@dataclass(frozen=True)
class _Work:
    multiply_adds: int = 0
    activations: int = 0

    def __add__(self, other: "_Work") -> "_Work":
        return _Work(self.multiply_adds + other.multiply_adds, self.activations + other.activations)


def program_cost(program: Program) -> Cost:
    """The cost of one row under a program: each layer counted on the axes its input varies over."""
    axes: dict[str, Axes] = dict.fromkeys(program.graphs.observed, ())
    total = _Work()
    for step in (*program.recognition, *program.generative):
        total = total + _factor_work(program, step, axes)
        axes.setdefault(step.factor.variable, step.value_axes)
    return Cost(total.multiply_adds, total.activations, largest_enumeration(program))


def head_sizes(graphs: Graphs, factor: Factor) -> dict[str, int]:
    """Numbers that the network gives per parameter it is responsible for; for a function, the value itself."""
    variable = graphs.variables[factor.variable]
    if factor.family is None:
        return {"value": size_of(variable.shape)}
    given = set(factor.parameters)
    return {
        info.name: size_of(parameter_shape(variable, info))
        for info in factor.family.parameters
        if not given & {info.name, *info.alternatives}
    }


def _factor_work(program: Program, step: Step, axes: Mapping[str, Axes]) -> _Work:
    factor = step.factor
    if factor.network is None or not factor.parents:
        return _Work()
    repeats = {parent: _repeats(program, axes[parent]) for parent in factor.parents}
    return _network_work(program.graphs, factor, factor.network, repeats, _repeats(program, step.parent_axes))


def _repeats(program: Program, axes: Axes) -> int:
    return prod(program.sizes[axis] for axis in axes)


def _network_work(
    graphs: Graphs, factor: Factor, network: NetworkSpec, repeats: Mapping[str, int], joint: int
) -> _Work:
    output = 0 if _gives_hidden_layer(graphs, factor, network) else sum(head_sizes(graphs, factor).values())
    match network:
        case Linear():
            return _first_layer(graphs, repeats, output) + _Work(0, joint * output)
        case Mlp():
            return _first_layer(graphs, repeats, network.hidden[0]) + _dense((*network.hidden, output), joint)
        case Cnn() | Resnet(direction="down"):
            return _reading(graphs, network, repeats, joint, output)
        case Deconv() | Resnet():
            return _growing(graphs, factor, network, repeats, joint)
        case Elementwise():
            return _Work(joint * output, joint * output)
        case Gru():
            return _Work()
        case _:
            return _Work(0, joint * output)


def _gives_hidden_layer(graphs: Graphs, factor: Factor, network: NetworkSpec) -> bool:
    """Whether the factor's value is its network's last hidden layer, with no head after it."""
    return graphs.variables[factor.variable].domain is None and isinstance(network, Mlp | Cnn | Resnet)


def _first_layer(graphs: Graphs, repeats: Mapping[str, int], width: int) -> _Work:
    """A sum of one map per parent, each on its own axes; a category is a table row and multiplies nothing."""
    total = 0
    for parent, count in repeats.items():
        variable = graphs.variables[parent]
        total += 0 if variable.info.encoding == "table" else count * size_of(variable.shape) * width
    return _Work(total, 0)


def _dense(widths: tuple[int, ...], joint: int) -> _Work:
    """Layers after the first, whose inputs vary over all axes."""
    products = sum(a * b for a, b in itertools.pairwise(widths))
    return _Work(joint * products, joint * sum(widths))


def _reading(graphs: Graphs, network: Cnn | Resnet, repeats: Mapping[str, int], joint: int, output: int) -> _Work:
    stride = network.stride if isinstance(network, Cnn) else RESNET_STRIDE
    images = {p: graphs.variables[p].shape for p in repeats if is_image(graphs.variables[p].shape)}
    maps = conv_plan(next(iter(images.values())), network.channels, network.kernel, stride)
    area = network.kernel**2
    first = sum(repeats[p] * shape[0] * area * size_of(maps[0]) for p, shape in images.items())
    work = _Work(first, joint * size_of(maps[0]))
    for before, after in itertools.pairwise(maps):
        work += _Work(joint * before[0] * area * size_of(after), joint * size_of(after))
    if isinstance(network, Resnet):
        work += _blocks(network, maps, joint)
    return work + _dense((size_of(maps[-1]), *network.hidden, output), joint)


def _blocks(network: Resnet, maps: Iterable[Shape], joint: int) -> _Work:
    """Two convolutions per residual block, on the map of its stage."""
    count = 2 * network.blocks
    products = sum(shape[0] * network.kernel**2 * size_of(shape) for shape in maps)
    return _Work(joint * count * products, joint * count * sum(size_of(shape) for shape in maps))


def _growing(graphs: Graphs, factor: Factor, network: Deconv | Resnet, repeats: Mapping[str, int], joint: int) -> _Work:
    up = isinstance(network, Resnet)
    stride = RESNET_STRIDE if isinstance(network, Resnet) else network.stride
    plan = deconv_plan(graphs.variables[factor.variable].shape, network.channels, stride)
    maps = (plan.seed, *plan.layers[:-1])
    widths = (*network.hidden, size_of(plan.seed))
    work = _first_layer(graphs, repeats, widths[0]) + _dense(widths, joint)
    # A transposed convolution reads each pixel of the smaller map once; doubling and convolving reads the larger one.
    area, shrunk = network.kernel**2, 1 if up else stride**2
    for before, after in itertools.pairwise(maps):
        work += _Work(joint * before[0] * area * size_of(after) // shrunk, joint * size_of(after))
    if isinstance(network, Resnet):
        work += _blocks(network, maps, joint)
    numbers = sum(head_sizes(graphs, factor).values())
    pixels = prod(plan.output[1:])
    heads = numbers if up else numbers // pixels * prod(plan.layers[-1][1:])  # a deconvolution crops after its heads
    return work + _Work(joint * maps[-1][0] * area * heads // shrunk, joint * numbers)
