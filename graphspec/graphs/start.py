"""Where a variable starts whose values lie far from where its factors would: numbers that training rows tell.

From: training rows (by `runtime/data`), or what a run recorded. To: `Variable.start`, which the compiler reads.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import expm1, prod
from typing import Any

Numbers = tuple[float, ...]


@dataclass(frozen=True)
class Shift:
    """What a parameter that starts elsewhere is made of: offset + factor * what its head, through its link, gives.

    One number of each per element (or per channel): a head of zeros gives offset + factor * the standard value.
    """

    offset: Numbers
    factor: Numbers


@dataclass(frozen=True)
class Start:
    """One variable's.

    shape: of each list of numbers, which is broadcast against a value: per element, of images per channel.
    center, spread: mean and standard deviation of values as they enter networks (of log1p where the domain says so),
    by which they enter standardized; 0 and 1 of elements that are not far. logarithm: log1p comes first.
    parameters: by side of the graph and parameter, those that start elsewhere.
    """

    shape: tuple[int, ...]
    center: Numbers
    spread: Numbers
    logarithm: bool = False
    parameters: Mapping[str, Mapping[str, Shift]] = field(default_factory=dict)

    @property
    def typical(self) -> Numbers:
        """The value that enters as zero."""
        return tuple(expm1(c) if self.logarithm else c for c in self.center)

    def to_json(self) -> dict[str, Any]:
        """Plain values, for manifests and checkpoints."""
        return {
            "shape": list(self.shape),
            "center": list(self.center),
            "spread": list(self.spread),
            "logarithm": self.logarithm,
            "parameters": {
                side: {
                    name: {"offset": list(shift.offset), "factor": list(shift.factor)} for name, shift in moved.items()
                }
                for side, moved in self.parameters.items()
            },
        }

    @staticmethod
    def from_json(plain: Mapping[str, Any]) -> "Start":
        """What `to_json` gave. Raises KeyError, TypeError or ValueError for anything else."""
        shape = tuple(int(size) for size in plain["shape"])
        parameters = {
            side: {
                name: Shift(_numbers(shift["offset"], shape), _numbers(shift["factor"], shape))
                for name, shift in moved.items()
            }
            for side, moved in plain["parameters"].items()
        }
        center, spread = _numbers(plain["center"], shape), _numbers(plain["spread"], shape)
        return Start(shape, center, spread, bool(plain["logarithm"]), parameters)


def channel_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """One number per element of a value of this shape, of images one per channel: what they broadcast as."""
    return (shape[0], *(1 for _ in shape[1:])) if len(shape) > 2 else shape


def _numbers(plain: Any, shape: tuple[int, ...]) -> Numbers:
    found = tuple(float(number) for number in plain)
    if len(found) != prod(shape):
        raise ValueError(f"{len(found)} numbers do not have shape {list(shape)}")
    return found
