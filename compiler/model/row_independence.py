"""What a batch may compute once for all groups of its rows, whatever their patterns of labels."""

from collections.abc import Iterable, Mapping, Sequence

from torch import Tensor, nn

from compiler.networks.layers import BatchNorm, draws
from compiler.networks.user_module import UserNetwork
from compiler.tensors.axes import AxisTensor, PartOfBatch
from graphspec.graphs.graph import Factor


def independent(factors: Iterable[Factor], modules: Mapping[str, nn.Module]) -> frozenset[str]:
    """Keys of factors where a row's result depends neither on the rows beside it nor on anything drawn, so that it is
    the same for the whole batch as for a group. modules: by factor key. Flows are left out: they remember draws.
    """
    steady = (f.key for f in factors if f.family is None or not f.family.flow)
    return frozenset(key for key in steady if not draws(modules[key]) and not _mixes(modules[key]))


def _mixes(factor: nn.Module) -> bool:
    """Batch statistics, or a module of a user's own, which may do anything."""
    return any(isinstance(part, (BatchNorm, UserNetwork)) for part in factor.modules())


def parts_of_batch(
    values: Mapping[str, AxisTensor], groups: Sequence[slice | Tensor | None]
) -> list[dict[str, AxisTensor]]:
    """Values of the whole batch as each group of rows sees them (None: all rows)."""
    shared: dict[str, dict[object, tuple[Tensor, ...]]] = {name: {} for name in values}
    return [
        {n: v if rows is None or v.batch == 1 else PartOfBatch.of(v, rows, shared[n]) for n, v in values.items()}
        for rows in groups
    ]
