"""From a family's name and constrained parameters to its distribution."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from compiler.families.counts import NegativeBinomial, Poisson, ZeroInflatedNegativeBinomial, ZeroInflatedPoisson
from compiler.families.direction import VonMisesFisher
from compiler.families.discretized import DiscretizedLogistic
from compiler.families.distribution import Distribution
from compiler.families.finite import Bernoulli, Categorical, Finite, OrderedLogistic
from compiler.families.location_scale import Laplace, LogNormal, Normal, StudentT
from compiler.families.positive import Dirichlet, Gamma
from compiler.families.unit import Beta, ContinuousBernoulli
from graphspec.diagnostics import InternalError
from graphspec.graphs.graph import Variable
from graphspec.language.families import Family

CLASSES: dict[str, type[Distribution]] = {
    "normal": Normal,
    "laplace": Laplace,
    "student_t": StudentT,
    "lognormal": LogNormal,
    "gamma": Gamma,
    "beta": Beta,
    "bernoulli": Bernoulli,
    "continuous_bernoulli": ContinuousBernoulli,
    "categorical": Categorical,
    "ordered_logistic": OrderedLogistic,
    "poisson": Poisson,
    "negative_binomial": NegativeBinomial,
    "zero_inflated_poisson": ZeroInflatedPoisson,
    "zero_inflated_negative_binomial": ZeroInflatedNegativeBinomial,
    "dirichlet": Dirichlet,
    "discretized_logistic": DiscretizedLogistic,
    "von_mises_fisher": VonMisesFisher,
}


def build(
    family: Family, options: Mapping[str, Any], parameters: Mapping[str, Tensor], variable: Variable
) -> Distribution:
    """The distribution of `variable`; parameters are constrained (logits as they are), [*axes, B, *shape(, K)].

    Raises InternalError for a flow, which has weights of its own (`flows.build_flow`).
    """
    kind = CLASSES.get(family.name)
    if kind is None:
        raise InternalError(f"no distribution is built for family {family.name!r} from parameters alone")
    if issubclass(kind, Finite):
        return kind(variable.shape, minimum=variable.minimum, ordered=variable.domain == "count", **parameters)
    if issubclass(kind, DiscretizedLogistic):
        levels = options.get("levels", family.options["levels"][0])
        return kind(variable.shape, levels=int(levels), **parameters)
    return kind(variable.shape, **parameters)
