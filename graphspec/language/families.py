"""The distribution vocabulary: names, parameters, links, supports. No torch here; the densities are the compiler's.

Parameter names are torch's. `head` parameters come out of a network through their link; `alternatives` are other
names under which the same parameter may be given (a bernoulli's `probs` for its `logits`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import log, log1p, pi
from typing import Any, Literal

from graphspec.language.variables import Domain

Link = Literal["identity", "softplus", "sigmoid", "normalize", "ordered"]
Extent = Literal["element", "class", "between_classes", "vector"]

SCALE_FLOOR = 1e-4
"""Smallest value that a softplus link returns for a scale-like parameter, in the parameter's own units."""

CERTAIN = "certain"
"""The family that has all its mass on one value, which a network without weights computes."""

EVEN_SCALE = 0.2
"""Scale of a logistic around 1/2 that spreads over [0, 1] nearly as the uniform does: 0.2 nats away. A scale of 1
leaves three quarters of the mass to the two ends: 1.36 nats away, and 1.3 nats a pixel dearer on photographs."""


@dataclass(frozen=True)
class ParameterInfo:
    """One parameter of a family.

    link: from the network's unconstrained output to the parameter.
    extent: one value per element of the event, per element and class ([*shape, K]), per element and gap between
    neighbouring classes ([*shape, K - 1]), or one per vector along the event's first axis ([1, *rest]).
    standard: the value of the domain's standard prior (link normalize: of all components but the first, which is 1).
    minimum, maximum: open range of legal values (None: unbounded).
    """

    name: str
    link: Link
    standard: float
    floor: float = 0.0
    extent: Extent = "element"
    alternatives: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None


def normal_cost(scale: float, spread: float) -> float:
    """Nats of a value whose distance from the location is `spread`, root mean square."""
    return (spread / scale) ** 2 / 2 + log(scale) + 0.5 * log(2 * pi)


def laplace_cost(scale: float, spread: float) -> float:
    """The same; the mean distance is 0.8 of the root mean square of a normal."""
    return 0.8 * (spread / scale) + log(2 * scale)


def student_t_cost(scale: float, spread: float) -> float:
    """The same at 4 degrees of freedom, where it starts."""
    return 2.5 * log1p((spread / scale) ** 2 / 4) + log(8 * scale / 3)


@dataclass(frozen=True)
class Family:
    """One row of the family table; its functions on tensors are the entry of the same name in `compiler.families`.

    direct: the parameter that a network without weights gives itself (design, Networks).
    discrete: the values can be counted; no normalised density on a domain whose values cannot.
    reparameterized: draws are a differentiable function of the parameters (`rsample`).
    closed_kl: families r for which KL(this || r) has a closed form.
    cost: nats of a value, from the parameter called scale and the value's distance from the location.
    multivariate: elements of an event depend on each other (direction, simplex: along its first axis; flows: all).
    options: option name -> (default, description).
    flow: no parameters but weights of its own, an invertible map of standard normal noise; its network, if it has
    parents, gives that map's context.
    open_ends: at 0 and 1, which the data may hold, the density is 0 or infinite.
    """

    name: str
    domains: frozenset[Domain]
    parameters: tuple[ParameterInfo, ...]
    direct: str = ""
    discrete: bool = False
    reparameterized: bool = False
    closed_kl: frozenset[str] = frozenset()
    cost: Callable[[float, float], float] = normal_cost
    multivariate: bool = False
    bounded: bool | None = None
    options: Mapping[str, tuple[Any, str]] = field(default_factory=dict)
    flow: bool = False
    open_ends: bool = False

    def parameter(self, name: str) -> ParameterInfo | None:
        """The parameter called `name`, also by an alternative name; None if the family has no such parameter."""
        return next((p for p in self.parameters if name == p.name or name in p.alternatives), None)

    def parameter_names(self) -> tuple[str, ...]:
        """Every name under which a parameter may be given."""
        return tuple(name for p in self.parameters for name in (p.name, *p.alternatives))


def _domains(*names: Domain) -> frozenset[Domain]:
    return frozenset(names)


def _scale(name: str = "scale", standard: float = 1.0, floor: float = SCALE_FLOOR) -> ParameterInfo:
    return ParameterInfo(name, "softplus", standard, floor=floor, minimum=0.0)


_LOC = ParameterInfo("loc", "identity", 0.0)
_LOGITS = ParameterInfo("logits", "identity", 0.0, alternatives=("probs",))
_CLASS_LOGITS = ParameterInfo("logits", "identity", 0.0, extent="class", alternatives=("probs",))
_GATE = ParameterInfo("gate_logits", "identity", 0.0, alternatives=("gate",))

_TABLE = (
    Family("normal", _domains("real", "unit"), (_LOC, _scale()), "loc", reparameterized=True,
           closed_kl=frozenset({"normal"})),
    Family("laplace", _domains("real", "unit"), (_LOC, _scale()), "loc", reparameterized=True,
           closed_kl=frozenset({"laplace", "normal"}), cost=laplace_cost),
    Family("student_t", _domains("real", "unit"), (_scale("df", 4.0, floor=1.0), _LOC, _scale()), "loc",
           reparameterized=True, cost=student_t_cost),
    Family("lognormal", _domains("positive"), (_LOC, _scale()), "loc", reparameterized=True,
           closed_kl=frozenset({"lognormal"})),
    Family("gamma", _domains("positive"), (_scale("concentration"), _scale("rate")), "concentration",
           reparameterized=True, closed_kl=frozenset({"gamma"})),
    Family("beta", _domains("unit"), (_scale("concentration1"), _scale("concentration0")), "concentration1",
           reparameterized=True, closed_kl=frozenset({"beta"}), open_ends=True),
    Family("bernoulli", _domains("binary", "unit"), (_LOGITS,), "probs", discrete=True,
           closed_kl=frozenset({"bernoulli"})),
    Family("continuous_bernoulli", _domains("unit"), (_LOGITS,), "probs", reparameterized=True,
           closed_kl=frozenset({"continuous_bernoulli"})),
    Family("categorical", _domains("category", "count"), (_CLASS_LOGITS,), "probs", discrete=True, bounded=True,
           closed_kl=frozenset({"categorical", "ordered_logistic"})),
    Family("ordered_logistic", _domains("category", "count"),
           (ParameterInfo("predictor", "identity", 0.0),
            ParameterInfo("cutpoints", "ordered", 0.0, extent="between_classes")),
           "predictor", discrete=True, bounded=True, closed_kl=frozenset({"ordered_logistic", "categorical"})),
    Family(CERTAIN, _domains("binary", "category", "count"), (ParameterInfo("value", "identity", 0.0),), "value",
           discrete=True, bounded=True),
    Family("poisson", _domains("count"), (_scale("rate"),), "rate", discrete=True, bounded=False,
           closed_kl=frozenset({"poisson"})),
    Family("negative_binomial", _domains("count"), (_scale("mean"), _scale("dispersion")), "mean", discrete=True,
           bounded=False),
    Family("zero_inflated_poisson", _domains("count"), (_scale("rate"), _GATE), "rate", discrete=True, bounded=False),
    Family("zero_inflated_negative_binomial", _domains("count"), (_scale("mean"), _scale("dispersion"), _GATE),
           "mean", discrete=True, bounded=False),
    Family("dirichlet", _domains("simplex"), (_scale("concentration"),), "concentration", reparameterized=True,
           multivariate=True, closed_kl=frozenset({"dirichlet"}), open_ends=True),
    Family("discretized_logistic", _domains("unit"),
           (ParameterInfo("loc", "identity", 0.5), _scale(standard=EVEN_SCALE)), "loc",
           options={"levels": (256, "number of equally spaced values in [0, 1]")}),
    Family("von_mises_fisher", _domains("direction"),
           (ParameterInfo("loc", "normalize", 0.0),
            ParameterInfo("concentration", "softplus", 0.0, minimum=0.0, extent="vector")),
           "loc", reparameterized=True, multivariate=True, closed_kl=frozenset({"von_mises_fisher"})),
)  # fmt: skip

_TRANSFORMS = {"transforms": (3, "number of transforms one after the other")}
_HIDDEN = {"hidden": ([64, 64], "widths of the hidden layers of each transform")}
_FLOWS: dict[str, Mapping[str, tuple[Any, str]]] = {
    "masked_autoregressive": _TRANSFORMS | _HIDDEN,
    "inverse_autoregressive": _TRANSFORMS | _HIDDEN,
    "neural_spline": _TRANSFORMS | _HIDDEN,
    "neural_autoregressive": _TRANSFORMS | _HIDDEN,
    "sum_of_squares": _TRANSFORMS | _HIDDEN,
    "unconstrained_neural_autoregressive": _TRANSFORMS | _HIDDEN,
    "continuous": _HIDDEN,
}

FAMILIES: dict[str, Family] = {family.name: family for family in _TABLE} | {
    name: Family(name, _domains("real"), (), reparameterized=True, multivariate=True, options=options, flow=True)
    for name, options in _FLOWS.items()
}
