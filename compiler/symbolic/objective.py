"""The objective as a value: a small tree over named log densities. One object, several readers.

It is evaluated on tensors (`evaluation`), printed as text and LaTeX (`printing`), logged term by term, emitted as code.
Signs: everything here is to be maximised, in nats per row.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from compiler.symbolic.program import Axes, Pattern

Part = Literal["all", "given", "hidden"]


@dataclass(frozen=True)
class LogDensity:
    """log p(v | parents) or log q(v | parents) at the program's values; varies over `axes`.

    part: of a masked variable, the elements that a row has (`given`) or lacks (`hidden`); else `all`.
    """

    side: Literal["p", "q"]
    variable: str
    parents: tuple[str, ...]
    axes: Axes
    part: Part = "all"


@dataclass(frozen=True)
class ClosedDivergence:
    """KL(q(v | parents of q) || p(v | parents of p)) in closed form, of `part` of the elements; varies over `axes`."""

    variable: str
    q_parents: tuple[str, ...]
    p_parents: tuple[str, ...]
    axes: Axes
    part: Part = "all"


@dataclass(frozen=True)
class LogAggregate:
    """log of q(v) averaged over the rows of the data, estimated from the batch; as a joint density or as the product of
    its elements' marginals. Varies over `axes`; depends on the batch by nature."""

    variable: str
    form: Literal["joint", "product"]
    axes: Axes
    estimator: Literal["stratified", "weighted"] = "stratified"


@dataclass(frozen=True)
class Negative:
    """Minus a term."""

    term: "Term"


@dataclass(frozen=True)
class Sum:
    """Terms added up."""

    terms: tuple["Term", ...]


@dataclass(frozen=True)
class Measure:
    """What an expectation is taken under: g, the recognition factors of the hidden variables, times the densities of
    `labels` (those whose value varies), self-normalised. No labels: g itself, which is normalised already."""

    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Expectation:
    """E[term]: mean over samples, sum over enumerated values, weighted by the measure. No axes left."""

    measure: Measure
    term: "Term"


@dataclass(frozen=True)
class PlateSum:
    """A term added up over the elements of plates that are there; one that does not vary over them counts for each.

    masked: the term is zero where elements are not there (`There`): their count is hidden, and averaged out by now.
    """

    plates: Axes
    term: "Term"
    masked: bool = False


@dataclass(frozen=True)
class There:
    """A term of the elements of plates whose count is hidden: zero where they are not there. Varies over the values
    of the count too. No term: 1 where they are there."""

    plates: Axes
    term: "Term | None" = None


@dataclass(frozen=True)
class LogEvidence:
    """log of the mean under g of the product of the labels' densities: logmeanexp bound of log q(labels | observed).

    plates: where elements are independent under q, over which axes: the mean is of each element by itself.
    """

    labels: tuple[str, ...]
    plates: Axes = ()


@dataclass(frozen=True)
class OwnMean:
    """E[term] over latents that are drawn for each value of exact variables, given these; varies over them."""

    latents: tuple[str, ...]
    term: "Term"


@dataclass(frozen=True)
class LogSum:
    """log of the sum over all values of `variables` of the product of exp(factors); over those values only that agree
    with the given elements of `labels`. Varies over `axes`.

    factors: of p, by variable. beta: by which every factor but those of the variables themselves is divided.
    """

    variables: tuple[str, ...]
    factors: tuple[tuple[str, "Term"], ...]
    labels: tuple[str, ...]
    axes: Axes
    beta: "Weight | None" = None


@dataclass(frozen=True)
class LogOrders:
    """log of how many ways there are to give the labels of a row, which are a set, to the elements of a plate."""

    plate: str
    labels: tuple[str, ...]


@dataclass(frozen=True)
class LogMean:
    """log of the mean under g of exp(term): the importance weighted bound (Burda et al. 2016)."""

    term: "Term"


WeightKind = Literal["alpha", "beta", "free_bits", "mutual_information", "total_correlation", "dimension_wise"]


@dataclass(frozen=True)
class Weight:
    """A number of the objective section: alpha of a label, beta (or its parts) or free bits of a hidden variable."""

    kind: WeightKind
    variable: str


@dataclass(frozen=True)
class Weighted:
    """A weight times a term."""

    weight: Weight
    term: "Term"


@dataclass(frozen=True)
class FreeBits:
    """min(term, -bits): a divergence below `bits` nats a row gains nothing by shrinking.

    masked: the variable's hidden elements differ by row; a row that has all of them has no divergence and pays nothing.
    share: of an element that may not be there, how likely it is; the bits count by as much.
    """

    bits: Weight
    term: "Term"
    masked: bool = False
    share: "Term | None" = None


Term: TypeAlias = (
    LogDensity
    | ClosedDivergence
    | LogAggregate
    | Negative
    | Sum
    | Expectation
    | PlateSum
    | There
    | LogEvidence
    | OwnMean
    | LogSum
    | LogOrders
    | LogMean
    | Weighted
    | FreeBits
)


@dataclass(frozen=True)
class Contribution:
    """One named summand of a pattern's objective. `logged`: the part shown in logs, before its weight."""

    name: str
    term: Term
    logged: Term


@dataclass(frozen=True)
class Objective:
    """L(pattern): the sum of its contributions, nats per row, larger is better."""

    pattern: Pattern
    contributions: tuple[Contribution, ...]


def walk(term: Term) -> Iterator[Term]:
    """The term and everything in it, outermost first."""
    yield term
    match term:
        case Sum(terms):
            for inner in terms:
                yield from walk(inner)
        case (
            Negative(inner)
            | Expectation(_, inner)
            | Weighted(_, inner)
            | FreeBits(_, inner)
            | LogMean(inner)
            | PlateSum(_, inner)
            | OwnMean(_, inner)
        ):
            yield from walk(inner)
        case There(_, held) if held is not None:
            yield from walk(held)
        case LogSum(factors=factors):
            for _, inner in factors:
                yield from walk(inner)
        case _:
            return
