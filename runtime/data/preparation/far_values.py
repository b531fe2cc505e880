"""Training values that a factor of p is not made for: said before hours are spent on them.

A normal starts around 0 with scale 1, a count around 1, a positive value around 1; an optimiser moves a weight by about
the learning rate a step. A beta or a dirichlet has no finite density at 0 and 1.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from graphspec.graphs.graph import Graphs
from runtime.data.stream.rows import Rows

LOOKED_AT = 1000
"""Training rows from which size and spread are taken."""

FAR, NARROW = 30.0, 1 / 30
"""Root mean square (of a real) beyond which a value is far from 0, and spread below which a scale of 1 is far off."""

MANY = 100.0
"""Mean of a count beyond which a mean of 1 is far off."""

LONG = 5.0
"""Mean logarithm of a positive value that is far from 1."""

STARTS = frozenset({"loc", "rate", "mean", "concentration"})
"""Parameters that say where a factor starts; one that the spec gives itself is the author's own choice."""


def far_values(graphs: Graphs, training: Rows) -> Iterator[str]:
    """A note for every modelled variable of the data whose factor starts far from its training values."""
    positions = torch.arange(min(len(training), LOOKED_AT))
    for name, factor in graphs.generative.items():
        variable = graphs.variables[name]
        edges = factor.family is not None and factor.family.open_ends
        told = _edges if edges else _TELLERS.get(variable.domain or "")
        if told is None or name not in training.values or variable.support is not None or not len(positions):
            continue
        if not edges and STARTS & factor.parameters.keys():
            continue
        values = training.selection.take(name, positions).double().reshape(len(positions), -1)
        values = values.masked_fill(values == -1, torch.nan) if variable.discrete else values
        if (~values.isnan()).any():
            yield from told(name, values)


def _real(name: str, values: Tensor) -> Iterator[str]:
    size = (values**2).nanmean(0).sqrt().nan_to_num()
    worst, known = int(size.argmax()), values[~values.isnan()]
    own = values[:, worst][~values[:, worst].isnan()]
    narrow = 0 < float(known.std(correction=0)) < NARROW
    if float(size[worst]) > FAR or narrow:
        shown = known if narrow else own
        yield (
            f"{name}{_of(worst, values, narrow)}: training values have mean {float(shown.mean()):.3g} and standard "
            f"deviation {float(shown.std(correction=0)):.3g}, and p starts at 0 with scale 1: write "
            "`standardize: true` in `data.variables`; errors and predictions still come in data units"
        )


def _count(name: str, values: Tensor) -> Iterator[str]:
    mean = values.nanmean(0).nan_to_num()
    worst = int(mean.argmax())
    if float(mean[worst]) > MANY:
        yield (
            f"{name}{_of(worst, values)}: training values average {float(mean[worst]):.3g}, and p starts at a mean of "
            "1: so far off it is hardly reached, and differences between rows are lost; count in larger units, or "
            "model it as `positive`"
        )


def _positive(name: str, values: Tensor) -> Iterator[str]:
    logs = values.clamp_min(1e-30).log().nanmean(0).nan_to_num()
    worst = int(logs.abs().argmax())
    if float(logs[worst].abs()) > LONG:
        yield (
            f"{name}{_of(worst, values)}: training values are around {float(logs[worst].exp()):.3g}, and p starts "
            "around 1: write them in other units, so that most lie between 0.1 and 10"
        )


def _edges(name: str, values: Tensor) -> Iterator[str]:
    count, known = int(((values == 0) | (values == 1)).sum()), int((~values.isnan()).sum())
    if count:
        yield (
            f"{name}: {count} of {known} training cells are exactly 0 or 1, where its density is 0 or infinite; each "
            f"is scored {torch.finfo(torch.float32).eps / 2:.0e} inside, so the bound can grow with how sharply p "
            "points there: compare it with models of the same family only"
        )


def _of(element: int, values: Tensor, every: bool = False) -> str:
    """Which element is meant, where there are several."""
    return "" if every or values.shape[1] == 1 else f", element {element}"


_TELLERS: dict[str, Callable[[str, Tensor], Iterator[str]]] = {"real": _real, "count": _count, "positive": _positive}
