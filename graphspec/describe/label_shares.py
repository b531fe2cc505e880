"""What labels weigh beside the data they come with: nats of a labelled row before anything is learnt. A rough estimate.

From: checked graphs. To: `Stake` per supervised variable. Who reads it: `explain` and the rule of GS116. In a row with
label y the objective holds log p(x | ...) + alpha log q(y | x). What both can still gain is of the order of what they
cost at the start, and so are their gradients where they share weights: alpha 50 is plenty beside 784 black-and-white
pixels (543 nats) and next to nothing beside 3072 bytes of colour (17000 nats).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import log
from typing import Any

from graphspec.graphs.graph import Factor, Graphs, Variable
from graphspec.language import LearnedParameter, OverRho, Schedule
from graphspec.language.families import Family
from graphspec.language.shapes import size_of

LEAST = 0.5
"""Lower limit, in nats, for one element of a density, whose cost at the start can be zero or negative."""
SPREAD = {"unit": 0.3}
"""Root mean square distance of a typical value from the start of its distribution; 1 on all other domains."""
COUNT_NATS = 2.0
"""Nats of an unbounded count: that of a geometric distribution of mean 2 about, whatever the family."""


@dataclass(frozen=True)
class Stake:
    """One label against what p models of the row. alpha: its largest value, where a schedule moves it.

    label: nats of one labelled row, before alpha; data: nats of all modelled observed variables of a row.
    """

    name: str
    alpha: float
    label: float
    observed: tuple[str, ...]
    data: float

    @property
    def weighed(self) -> float:
        """alpha times the label's nats."""
        return self.alpha * self.label

    @property
    def share(self) -> float:
        """Of the nats of a row that has it, those of the label: in [0, 1]."""
        return self.counted(1.0)

    def counted(self, rate: float) -> float:
        """The same where only `rate` of the labelled rows have it: of the mean labelled row."""
        weighed = rate * self.weighed
        return weighed / (weighed + self.data) if weighed + self.data > 0 else 1.0


DILUTED = 0.1
"""Below this share of the labelled rows, alpha of a label is not what it would be alone."""


def dilution(graphs: Graphs, stake: Stake, rows: int, labelled: int) -> tuple[str, str] | None:
    """(message, hint) for a label that so few of the labelled rows have that others dilute it. The hint keeps its
    weight."""
    kept = undiluted_alpha(graphs, stake.name, rows, labelled)
    if kept is None:
        return None
    return (
        f"{rows} of {labelled} labelled rows have {stake.name} ({100 * rows / labelled:.2g} %): alpha {stake.alpha:g} "
        f"weighs it as {stake.alpha * rows / labelled:.2g} would alone",
        f"`objective: {{alpha: {{{stake.name}: {kept}}}}}` keeps its weight",
    )


def undiluted_alpha(graphs: Graphs, name: str, rows: int, labelled: int) -> str | None:
    """The alpha that gives a label the weight which its own alpha would have alone; None where others do not dilute it.

    alpha counts where the label is, so M_j of M labelled rows weigh it as alpha M_j / M would alone.
    """
    by_rate = isinstance(graphs.spec.objective.number_of("alpha", name), OverRho)
    alpha = _alpha(graphs, name)
    if by_rate or not rows or not alpha or rows >= DILUTED * labelled:
        return None
    return two_digits(alpha * labelled / rows)


def two_digits(number: float) -> str:
    """`1400` for 1374: as exact as a rough estimate is."""
    return f"{float(f'{number:.2g}'):.15g}"


def stakes(graphs: Graphs) -> tuple[Stake, ...]:
    """Every supervised variable that p's observed variables are modelled beside; () where p models none."""
    modelled = tuple(name for name in graphs.observed if name in graphs.generative)
    data = sum(nats(graphs.variables[name], graphs.generative[name]) for name in modelled)
    if not modelled:
        return ()
    found = []
    for name in graphs.supervised:
        alpha, factor = _alpha(graphs, name), graphs.recognition.get(name, graphs.generative[name])
        if alpha is not None:
            found.append(Stake(name, alpha, nats(graphs.variables[name], factor), modelled, data))
    return tuple(found)


def _alpha(graphs: Graphs, name: str) -> float | None:
    """None where it depends on the number of labels: `25/rho` beside `gamma`."""
    objective = graphs.spec.objective
    alpha = objective.number_of("alpha", name)
    if isinstance(alpha, OverRho):
        if objective.gamma is not None:
            return None
        return alpha.over_rho / (0.5 if objective.rho is None else objective.rho)
    return max(alpha.start, alpha.to) if isinstance(alpha, Schedule) else alpha


def nats(variable: Variable, factor: Factor) -> float:
    """-log of the probability of a typical value under a factor whose network says nothing yet."""
    return size_of(variable.shape) * nats_of_element(variable, factor)


def nats_of_element(variable: Variable, factor: Factor) -> float:
    """log K of K values; of a density, its cost at its first scale, at least `LEAST`."""
    family = factor.family
    assert family is not None, f"{variable.name} has a distribution"
    if "levels" in family.options:
        return log(_option(family, factor.options, "levels"))
    if family.discrete and not variable.discrete:
        return log(2)
    if variable.support is not None:
        return log(variable.support)
    if variable.discrete:
        return COUNT_NATS
    scale = _scale(family, factor)
    if scale is None:
        return LEAST
    return max(LEAST, family.cost(scale, SPREAD.get(variable.domain or "real", 1.0)))


def _scale(family: Family, factor: Factor) -> float | None:
    """The first value of the parameter called scale; None if the family has none, or a list gives it."""
    info = family.parameter("scale")
    if info is None:
        return None
    given = factor.parameters.get("scale")
    if isinstance(given, (int, float)):
        return float(given)
    if isinstance(given, LearnedParameter) and given.initial is not None:
        return given.initial
    return None if isinstance(given, tuple) else info.standard


def _option(family: Family, options: Mapping[str, Any], name: str) -> Any:
    return dict(options).get(name, family.options[name][0])
