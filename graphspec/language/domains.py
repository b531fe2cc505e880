"""The domains: what values a variable takes, which family is the default, and whether values can be counted."""

from dataclasses import dataclass
from typing import Literal, get_args

from graphspec.language.variables import Domain

Encoding = Literal["identity", "log1p", "table"]


@dataclass(frozen=True)
class DomainInfo:
    """One row of the domain table.

    default_family: family of a factor that names none (None: it must name one).
    bounded_family: the same when the support is finite and counted (a count with `max`).
    encoding: how a value enters a network as a parent.
    link: what squashes a deterministic variable of this domain.
    movable: a small step of any element leaves something that a network can read. A step may leave the unit interval by
        a little; the logarithm of a positive value may be read, and elements of a direction or simplex are not free.
    """

    name: Domain
    default_family: str | None
    bounded_family: str | None
    encoding: Encoding
    link: Literal["identity", "softplus", "sigmoid", "softmax", "normalize", "none"]
    discrete: bool
    movable: bool = False


DOMAINS: dict[Domain, DomainInfo] = {
    row.name: row
    for row in (
        DomainInfo("real", "normal", None, "identity", "identity", discrete=False, movable=True),
        DomainInfo("positive", "lognormal", None, "log1p", "softplus", discrete=False),
        DomainInfo("unit", "continuous_bernoulli", None, "identity", "sigmoid", discrete=False, movable=True),
        DomainInfo("binary", "bernoulli", "bernoulli", "identity", "sigmoid", discrete=True),
        DomainInfo("category", "categorical", "categorical", "table", "softmax", discrete=True),
        DomainInfo("count", "poisson", "categorical", "log1p", "softplus", discrete=True),
        DomainInfo("direction", "von_mises_fisher", None, "identity", "normalize", discrete=False),
        DomainInfo("simplex", "dirichlet", None, "identity", "softmax", discrete=False),
    )
}
assert set(DOMAINS) == set(get_args(Domain))
