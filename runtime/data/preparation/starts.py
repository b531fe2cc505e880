"""Where factors start whose variable lies far from where they would: by training rows alone.

A normal starts around 0 with scale 1, a count around 1, a positive value around 1, and an optimiser moves a weight by
about the learning rate a step: prices or counts of hundreds of thousands would take longer than any training. Such a
variable's parameters start where a fit of its column alone has them, and it enters networks standardized.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from compiler.factors.parameters import start_value
from compiler.families import ENTRIES
from compiler.symbolic.networks_read import resolved_network
from graphspec.graphs.graph import SIDES, Factor, Graphs, Variable
from graphspec.graphs.start import Shift, Start, channel_shape
from graphspec.language import WEIGHTLESS, LearnedParameter, NetworkParameter, ParameterSpec
from graphspec.language.families import ParameterInfo
from runtime.data.stream.ragged_store import flat_rows
from runtime.data.stream.rows import Rows, as_numbers
from runtime.data.stream.units import positive_log

MOST_ROWS, FEWEST_ROWS, MOST_CELLS = 10_000, 250, 10**6
"""Training rows that are looked at, spread over all of them: fewer where rows are wide."""

FAR, NARROW = 30.0, 1 / 30
"""Root mean square (of a real) beyond which a value is far from 0, and spread below which a scale of 1 is far off."""

MANY = 100.0
"""Mean of a count beyond which a mean of 1 is far off."""

LONG = 5.0
"""Mean logarithm of a positive value that is far from 1."""

WILD, WILD_LOGARITHM = 30.0, 6.0
"""Times the median distance from the median beyond which a cell is taken for a mistake."""

STARTS = frozenset({"loc", "rate", "mean", "concentration"})
"""Parameters that say where a factor starts; one that the spec gives itself is the author's own choice."""


def starts_of(graphs: Graphs, training: Rows) -> dict[str, Start]:
    """The start of every observed or supervised variable with far values, but for those that are `fixed`."""
    found = {}
    for name in can_be_far(graphs):
        if name not in training.values:
            continue
        variable = graphs.variables[name]
        values = tamed(variable, sample(variable, training))
        far = far_elements(variable, values, name in graphs.generative)
        if bool(far.any()):
            found[name] = _start(graphs, variable, values, far)
    return found


def can_be_far(graphs: Graphs) -> list[str]:
    """Variables of the data whose factors could start elsewhere."""
    return [
        name
        for name in (*graphs.observed, *graphs.supervised)
        if graphs.variables[name].domain in ("real", "count", "positive")
        and graphs.variables[name].support is None
        and not fixed(graphs, name)
    ]


def fixed(graphs: Graphs, name: str) -> bool:
    """p or q of the variable has no parameters that can start elsewhere: a standard prior, a flow."""
    factors = [side[name] for side in (graphs.generative, graphs.recognition) if name in side]
    return any(factor.standard or (factor.family is not None and factor.family.flow) for factor in factors)


def sample(variable: Variable, training: Rows) -> Tensor:
    """Values of some training rows [n, numbers] in double precision, NaN where blank; images [n pixels, channels]. The
    elements of plates, which share their networks, count as rows."""
    count, width = len(training), max(1, torch.Size(variable.row_shape).numel())
    wanted = min(count, MOST_ROWS, max(FEWEST_ROWS, MOST_CELLS // width))
    positions = torch.linspace(0, max(0, count - 1), wanted).round().long()
    chosen = training.selection
    variable, chosen = flat_rows(variable, chosen.stored[variable.name], chosen.rows[positions.to(chosen.rows.device)])
    values = as_numbers(chosen[variable.name], torch.float64).double()
    values = values.masked_fill(values == -1, torch.nan) if variable.discrete else values
    channels, plates = channel_shape(variable.of_element), variable.row_axes + len(variable.plates)
    values = values.movedim(1 + plates, -1) if channels != variable.of_element else values
    return values.reshape(-1, torch.Size(channels).numel())


def tamed(variable: Variable, values: Tensor) -> Tensor:
    """The values, cells far beyond all others moved to where the furthest of many could be: a single wrong one must not
    say where a column starts."""
    logarithmic = variable.info.encoding == "log1p"
    scale = positive_log(values) if variable.domain == "positive" else entered(variable, values)
    middle = scale.nanmedian(0).values
    reach = (scale - middle).abs().nanmedian(0).values * (WILD_LOGARITHM if logarithmic else WILD)
    lowest = torch.full_like(middle, -torch.inf) if variable.discrete else middle - reach  # a zero is no wrong count
    kept = torch.where(reach > 0, scale.clamp(lowest, middle + reach), scale)
    if variable.domain == "positive":
        return kept.exp()
    return kept.expm1().round() if logarithmic else kept


def far_elements(variable: Variable, values: Tensor, modelled: bool = True) -> Tensor:
    """Which numbers of `sample` are far from where a factor starts [numbers]; not modelled: from what networks read."""
    nowhere = torch.zeros(values.shape[1], dtype=torch.bool)
    if variable.support is not None or not (~values.isnan()).any():
        return nowhere
    if not modelled:
        return nowhere if variable.discrete else _far_reals(entered(variable, values))
    match variable.domain:
        case "real":
            return _far_reals(values)
        case "count":
            return values.nanmean(0) > MANY
        case "positive":
            return positive_log(values).nanmean(0).abs() > LONG
        case _:
            return nowhere


def _far_reals(values: Tensor) -> Tensor:
    """Far from 0, or all close together: the whole variable, or an element by itself."""
    spread = _deviation(values)
    known = ~values.isnan()
    highest, lowest = values.where(known, -torch.inf).amax(0), values.where(known, torch.inf).amin(0)
    close = (highest - lowest < NARROW) | torch.full_like(spread, narrow(values)).bool()
    return ((values**2).nanmean(0).sqrt() > FAR) | (close & (spread > 0))


def entered(variable: Variable, values: Tensor) -> Tensor:
    """As networks read them where nothing is moved."""
    return values.sign() * values.abs().log1p() if variable.info.encoding == "log1p" else values


def narrow(values: Tensor) -> bool:
    """All of them together spread little."""
    return 0 < float(values[~values.isnan()].std(correction=0)) < NARROW


def _deviation(values: Tensor) -> Tensor:
    return ((values - values.nanmean(0)) ** 2).nanmean(0).sqrt()


def _start(graphs: Graphs, variable: Variable, values: Tensor, far: Tensor) -> Start:
    read = entered(variable, values)
    factors = {side: graphs.factors(side)[variable.name] for side in SIDES if variable.name in graphs.factors(side)}
    return Start(
        shape=channel_shape(variable.of_element),
        center=_numbers(read.nanmean(0), far, 0.0),
        spread=_numbers(_deviation(read), far, 1.0, above_zero=True),
        logarithm=variable.info.encoding == "log1p",
        parameters={side: dict(_shifts(graphs, factor, values, far)) for side, factor in factors.items()},
    )


def _numbers(found: Tensor, far: Tensor, otherwise: float, above_zero: bool = False) -> tuple[float, ...]:
    """Numbers of the far elements; `otherwise` where there is none of use."""
    usable = far & found.isfinite() & ((found > 0) if above_zero else True)
    return tuple(torch.where(usable, found, otherwise).tolist())


def _shifts(graphs: Graphs, factor: Factor, values: Tensor, far: Tensor) -> Iterator[tuple[str, Shift]]:
    """Where each parameter starts that is not given: a location by the scale that goes with it, all else by its own
    size."""
    family = factor.family
    entry = None if family is None else ENTRIES.get(family.name)
    if family is None or entry is None or entry.fit is None or not _starts_anywhere(graphs, factor):
        return
    fitted = dict(zip(entry.names, entry.fit(values), strict=True))
    scale = _numbers(fitted["scale"], far, 1.0, above_zero=True) if "scale" in fitted else (1.0,) * len(far)
    for info in family.parameters:
        if not _movable(graphs, factor, info):
            continue
        standard = start_value(info)
        if info.link == "identity":
            yield info.name, Shift(_numbers(fitted[info.name] - standard, far, 0.0), scale)
        elif info.link == "softplus":
            factors = _numbers(fitted[info.name] / standard, far, 1.0, above_zero=True)
            if set(factors) != {1.0}:
                yield info.name, Shift((0.0,) * len(far), factors)


def _starts_anywhere(graphs: Graphs, factor: Factor) -> bool:
    """The author leaves it open where the factor starts."""
    assert factor.family is not None
    return all(_movable(graphs, factor, info) for info in factor.family.parameters if info.name in STARTS)


def _movable(graphs: Graphs, factor: Factor, info: ParameterInfo) -> bool:
    """A parameter that a linear head gives, or a free one without a start or range of its own."""
    given = next(
        (factor.parameters[name] for name in (info.name, *info.alternatives) if name in factor.parameters), None
    )
    if given is None:
        assert factor.family is not None
        return not (isinstance(factor.network, WEIGHTLESS) and info.name == factor.family.direct)
    return _left_open(graphs, given)


def _left_open(graphs: Graphs, given: ParameterSpec) -> bool:
    if isinstance(given, LearnedParameter):
        return given.initial is None and given.minimum is None and given.maximum is None
    return isinstance(given, NetworkParameter) and not isinstance(resolved_network(graphs, given), WEIGHTLESS)
