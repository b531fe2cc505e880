"""Training values that a factor of p is not made for: said before hours are spent on them.

Where the factor can start elsewhere (`starts`), a note says that it does; where it cannot, what to write instead. A
beta or a dirichlet has no finite density at 0 and 1.
"""

from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor

from graphspec.graphs.graph import Graphs
from graphspec.graphs.start import Start
from runtime.data.preparation.starts import STARTS, far_elements, fixed, narrow, sample
from runtime.data.stream.rows import Rows
from runtime.data.stream.units import positive_log

CLOSE = 1e5
"""Standard deviations from 0 at which single precision leaves a hundredth of one."""


SQUEEZED = 0.01
"""Half of the values of a standardized element within so little of its standard deviation owe that to a few others."""


def far_values(graphs: Graphs, training: Rows, starts: Mapping[str, Start]) -> Iterator[str]:
    """A note for every variable of the data whose training values are far from where its factors would start."""
    for name, variable in graphs.variables.items():
        if name not in training.values or not len(training):
            continue
        factor = graphs.generative.get(name)
        if factor is not None and factor.family is not None and factor.family.open_ends:
            yield from _edges(name, sample(variable, training))
            continue
        if variable.domain not in _TOLD or (factor is None and name not in starts):
            continue
        given = factor is not None and STARTS & factor.parameters.keys()
        if name not in starts and given:
            continue
        values = sample(variable, training)
        yield from _squeezed(graphs, name, values)
        far = far_elements(variable, values, factor is not None)
        if bool(far.any()):
            what, advice = _TOLD[variable.domain](name, values)
            advice = advice if fixed(graphs, name) else _few(values, far)
            yield what + (_started(starts[name], variable.domain, values, far) if name in starts else advice)


def _started(start: Start, domain: str | None, values: Tensor, far: Tensor) -> str:
    """What is done about it, and what that cannot help."""
    told = ": p starts there, and networks read it on that scale"
    if not start.parameters.get("generative"):
        told = ": networks read it on that scale"
    units = values if domain == "real" else positive_log(values)
    mean, spread = units.nanmean(0)[far].abs(), ((units - units.nanmean(0)) ** 2).nanmean(0).sqrt()[far]
    if domain != "count" and bool(((spread > 0) & (mean > CLOSE * spread)).any()):
        told += "; they lie so close together that single precision cannot tell them well: write `standardize: true`"
    return told


def _few(values: Tensor, far: Tensor) -> str:
    """Of elements that are far by a few cells only."""
    column = values[:, int(far.int().argmax())]
    low, high = torch.nanquantile(column, torch.tensor([0.25, 0.75], dtype=column.dtype)).tolist()
    return (
        f", though half of them lie between {low:.3g} and {high:.3g}: look at the furthest cells; what stands for a "
        "blank belongs under `missing`"
    )


def _real(name: str, values: Tensor) -> tuple[str, str]:
    worst, close = int((values**2).nanmean(0).nan_to_num().argmax()), narrow(values)
    shown = values if close else values[:, worst]
    shown = shown[~shown.isnan()]
    return (
        f"{name}{_of(worst, values, close)}: training values have mean {float(shown.mean()):.3g} and standard "
        f"deviation {float(shown.std(correction=0)):.3g}",
        ", and p starts at 0 with scale 1: write `standardize: true` in `data.variables`; errors and predictions still "
        "come in data units",
    )


def _count(name: str, values: Tensor) -> tuple[str, str]:
    mean = values.nanmean(0).nan_to_num()
    worst = int(mean.argmax())
    return f"{name}{_of(worst, values)}: training values average {float(mean[worst]):.3g}", (
        ", and p starts at a mean of 1: so far off it is hardly reached, and differences between rows are lost; count "
        "in larger units, or model it as `positive`"
    )


def _positive(name: str, values: Tensor) -> tuple[str, str]:
    logs = positive_log(values).nanmean(0).nan_to_num()
    worst = int(logs.abs().argmax())
    return f"{name}{_of(worst, values)}: training values are around {float(logs[worst].exp()):.3g}", (
        ", and p starts around 1: write `standardize: true` in `data.variables`, which takes the logarithm; errors and "
        "predictions still come in data units"
    )


def _squeezed(graphs: Graphs, name: str, values: Tensor) -> Iterator[str]:
    """Of elements that `standardize` has scaled by a few of their cells, as an outlier or a code for blanks."""
    data = graphs.spec.data
    if data is None or name not in data.variables or not data.variables[name].standardize:
        return
    low, high = torch.nanquantile(values, torch.tensor([0.25, 0.75], dtype=values.dtype), dim=0)
    found = ((high > low) & (high - low < SQUEEZED)).nonzero().flatten().tolist()
    if found:
        names = data.variables[name].names
        column = f" (column {names[found[0]]})" if len(names) == values.shape[1] else ""
        others = f", and so for {len(found) - 1} other elements" if len(found) > 1 else ""
        within = float(high[found[0]] - low[found[0]])
        yield (
            f"{name}{_of(found[0], values)}{column}: half of the training values lie within {within:.1g} of the "
            f"standard deviation that they are standardized by, which a few cells far from all others make{others}: "
            "correct them, or list what stands for a blank under `missing`"
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


_TOLD: dict[str | None, Callable[[str, Tensor], tuple[str, str]]] = {
    "real": _real,
    "count": _count,
    "positive": _positive,
}
