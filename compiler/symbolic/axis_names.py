"""Names of axes, shared by the symbolic side (no torch) and the tensors."""

from collections.abc import Iterable

from graphspec.language.plates import MARK

SAMPLES = " samples"
"""The axis of the S joint samples. It starts with a space: no variable can be called so, and it sorts first."""


def canonical(axes: Iterable[str]) -> tuple[str, ...]:
    """Each axis once: samples first, then plates, then enumerated variables, by name."""
    return tuple(sorted(set(axes)))


def is_plate(axis: str) -> bool:
    """The elements of a plate stand along it: terms are added up over it, never averaged."""
    return axis.startswith(MARK)


def axis_label(axis: str) -> str:
    """What stands along it, by name: `samples`, a plate or a variable."""
    return axis.strip().removeprefix(MARK)


def plates_in(axes: Iterable[str]) -> tuple[str, ...]:
    """Those of the axes that are plates."""
    return tuple(axis for axis in axes if is_plate(axis))


def without_plates(axes: Iterable[str]) -> tuple[str, ...]:
    """Those that values are averaged over."""
    return tuple(axis for axis in axes if not is_plate(axis))
