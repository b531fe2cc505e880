"""How many floating-point operations a step's products need when nothing is computed twice.

A product of [rows, inputs] by [inputs, outputs] is 2 rows inputs outputs FLOP. Training takes it three times: forward,
the gradient of the weights, the gradient of the inputs; twice where the inputs are data, which need none. The count is
that of the *factorised* algorithm: each parent's part of a first layer once for every axis that this parent varies
over, a category's part not at all (a table row). Element-wise work is not counted.
"""

from dataclasses import dataclass

from benchmarks.settings import CLASSES, PIXELS, Implementation, Setting

DATA, INNER = 2, 3
"""Products of a training step for a layer that reads data, and for one that reads what other layers made."""


@dataclass(frozen=True)
class Layer:
    """One linear layer; a convolution's rows are its output pixels, its inputs kernel * kernel * channels."""

    rows: int
    inputs: int
    outputs: int
    products: int = INNER

    @property
    def flop(self) -> int:
        """Of one training step."""
        return 2 * self.rows * self.inputs * self.outputs * self.products


def step_flop(graph: str, setting: Setting, implementation: Implementation) -> int:
    """FLOP of one step's products; where y is summed over fewer values, of that smaller sum."""
    rows, joint = setting.examples, setting.unlabelled * implementation.summed + setting.labelled
    if graph == "adgm":
        layers = _adgm(rows, joint, setting.samples)
    elif graph == "conv":
        layers = _conv(rows, joint)
    elif graph == "table":
        layers = _table(rows, joint)
    elif graph == "digits":
        layers = _digits(rows, joint)
    else:
        layers = _m2(rows, joint, relaxed=setting.temperature is not None)
    return sum(layer.flop for layer in layers)


def _m2(rows: int, joint: int, *, relaxed: bool) -> list[Layer]:
    """rows: images of a step; joint: rows of everything below y, one per image and value of y."""
    layers = [
        Layer(rows, PIXELS, 500, DATA),  # q(y | x)
        Layer(rows, 500, CLASSES),
        Layer(rows, PIXELS, 500, DATA),  # q(z | x, y)
        Layer(joint, 500, 100),
        Layer(joint, 50, 500),  # p(x | y, z)
        Layer(joint, 500, PIXELS),
    ]
    if relaxed:  # class weights are no table row: a product in both first layers that read y
        layers += [Layer(joint, CLASSES, 500), Layer(joint, CLASSES, 500)]
    return layers


def _adgm(rows: int, joint: int, samples: int) -> list[Layer]:
    """a varies over draws; z and everything below it over draws and values of y."""
    above, below = samples * rows, samples * joint
    size, hidden = 100, 500
    return [
        Layer(rows, PIXELS, hidden, DATA),  # q(a | x)
        Layer(rows, hidden, hidden),
        Layer(rows, hidden, 2 * size),
        Layer(rows, PIXELS, hidden, DATA),  # q(y | a, x)
        Layer(above, size, hidden),
        Layer(above, hidden, hidden),
        Layer(above, hidden, CLASSES),
        Layer(rows, PIXELS, hidden, DATA),  # q(z | a, x, y)
        Layer(above, size, hidden),
        Layer(below, hidden, hidden),
        Layer(below, hidden, 2 * size),
        Layer(below, size, hidden),  # p(x | y, z)
        Layer(below, hidden, hidden),
        Layer(below, hidden, PIXELS),
        Layer(rows, PIXELS, hidden, DATA),  # p(a | x, y, z)
        Layer(below, size, hidden),
        Layer(below, hidden, hidden),
        Layer(below, hidden, 2 * size),
    ]


def _conv(rows: int, joint: int) -> list[Layer]:
    """The trunk and what reads only its features once per image."""
    return [
        Layer(rows * 14 * 14, 5 * 5, 16, DATA),  # h
        Layer(rows * 7 * 7, 5 * 5 * 16, 32),
        Layer(rows, 32 * 7 * 7, 256),
        Layer(rows, 256, CLASSES),  # q(y | h)
        Layer(rows, 256, 100),  # q(z | h, y)
        Layer(joint, 50, 500),  # p(x | y, z)
        Layer(joint, 500, 500),
        Layer(joint, 500, PIXELS),
    ]


def _table(rows: int, joint: int) -> list[Layer]:
    """Classes and blanks are table rows and zeros; what reads the condition varies over the diagnosis."""
    return [
        Layer(rows, 15, 64, DATA),  # h
        Layer(rows, 64, 64),
        Layer(rows, 64, 3),  # q(diagnosis | h)
        Layer(rows, 64, 4),  # q(condition | h, diagnosis)
        Layer(rows, 1, 32, DATA),  # p(diagnosis | age, condition)
        *(Layer(joint, 2, 32) for _ in range(6)),
        *(Layer(joint, 32, outputs) for outputs in (3, 2, 2, 1, 1, 3)),
    ]


def _digits(rows: int, joint: int) -> list[Layer]:
    """Features once an image, the decoder for every digit."""
    return [
        Layer(rows, 64, 256, DATA),  # h
        Layer(rows, 256, 256),
        Layer(rows, 256, 10),  # q(y | h)
        Layer(rows, 256, 12),  # q(z | h, y)
        Layer(joint, 6, 256),  # p(x | y, z)
        Layer(joint, 256, 256),
        Layer(joint, 256, 64),
    ]
