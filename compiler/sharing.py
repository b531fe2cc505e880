"""What a batch computes once for all groups of its rows, whatever their patterns of labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor, nn

from compiler.axes import AxisTensor, PartOfBatch, some_rows
from compiler.conditional import Located
from compiler.networks.layers import BatchNorm, Between, Inputs
from compiler.networks.user_module import UserNetwork
from compiler.noise import Noise
from graphspec.graph import Factor, Graphs

if TYPE_CHECKING:
    from compiler.module import Model


def shareable(graphs: Graphs, modules: Mapping[str, nn.Module]) -> frozenset[str]:
    """Keys of recognition's distributions that one evaluation serves for all groups. modules: by factor key.

    Their parents depend on observed variables only, and a row's result depends neither on the rows beside it nor on
    anything drawn, so that it is the same for the whole batch as for a group. Flows are left out: they remember draws.
    """
    observed = set(graphs.observed)
    factors = [f for f in graphs.order("recognition") if f.family is not None and f.parents and not f.family.flow]
    keys = (f.key for f in factors if graphs.stochastic_parents(f) <= observed)
    return frozenset(key for key in keys if not any(map(_mixes, modules[key].modules())))


def _mixes(part: nn.Module) -> bool:
    """Batch statistics, dropout, noise, or a module of a user's own, which may do either."""
    if isinstance(part, (Between, Inputs)) and part.rate > 0:
        return True
    return isinstance(part, (BatchNorm, UserNetwork)) or (isinstance(part, Inputs) and part.noise > 0)


class WholeBatch:
    """The `shareable` distributions of a batch. values: of all its rows, see `Model.observed_features`."""

    def __init__(self, model: "Model", values: Mapping[str, AxisTensor], noise: Noise) -> None:
        self.model, self.values, self.noise = model, values, noise
        self._located: dict[str, Located] = {}

    def located(self, factor: Factor) -> Located | None:
        """For all rows; None where every group needs its own."""
        if factor.key not in self.model.shareable or not self.values.keys() >= set(factor.parents):
            return None
        if factor.key not in self._located:
            self._located[factor.key] = self.model.conditional(factor).forward(self.values, self.noise)
        return self._located[factor.key]


@dataclass(frozen=True)
class Shared:
    """Some rows' part of a whole batch."""

    whole: WholeBatch
    rows: slice | Tensor

    def located(self, factor: Factor) -> Located | None:
        """These rows' distribution; None where the batch has none."""
        found = self.whole.located(factor)
        if found is None:
            return None
        return Located((), found.distribution.rebuilt(lambda t: t if t.shape[0] == 1 else some_rows(t, self.rows)))


def parts_of_batch(
    values: Mapping[str, AxisTensor], groups: Sequence[slice | Tensor | None]
) -> list[dict[str, AxisTensor]]:
    """Values of the whole batch as each group of rows sees them (None: all rows)."""
    shared: dict[str, dict[object, Tensor]] = {name: {} for name in values}
    return [
        {n: v if rows is None or v.batch == 1 else PartOfBatch.of(v, rows, shared[n]) for n, v in values.items()}
        for rows in groups
    ]
