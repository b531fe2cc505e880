"""Names of axes, shared by the symbolic side (no torch) and the tensors."""

from collections.abc import Iterable

SAMPLES = " samples"
"""The axis of the S joint samples. It starts with a space: no variable can be called so, and it sorts first."""


def canonical(axes: Iterable[str]) -> tuple[str, ...]:
    """Each axis once: samples first, then enumerated variables by name."""
    return tuple(sorted(set(axes)))
