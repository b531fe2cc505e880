"""Each family of distributions as code: log densities, draws from noise, relaxed draws, closed-form divergences."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from compiler.emission.text import tuple_text

Parameters = Sequence[str]
"""Code of the parameters, in the family's order."""

NORMAL, UNIFORM, GUMBEL, GAMMA = "standard_normal", "uniform", "gumbel", "gamma_proposals"
SPHERE, COUNT = "sphere_noise", "count_noise"


@dataclass(frozen=True)
class FamilyCode:
    """log_prob: function of (value, *parameters). noise: function that draws it, and trailing sizes after the event.
    draw: a value from parameters and noise. classes: log probabilities [..., K] from the parameters."""

    log_prob: str
    noise: tuple[str, tuple[int, ...]] = (UNIFORM, ())
    draw: Callable[[Parameters, str], str] | None = None
    classes: Callable[[Parameters], str] | None = None
    along_axis: bool = False


FAMILIES: dict[str, FamilyCode] = {
    "normal": FamilyCode("normal_log_prob", (NORMAL, ()), lambda p, e: f"{p[0]} + {p[1]} * {e}"),
    "lognormal": FamilyCode("lognormal_log_prob", (NORMAL, ()), lambda p, e: f"torch.exp({p[0]} + {p[1]} * {e})"),
    "laplace": FamilyCode("laplace_log_prob", draw=lambda p, e: f"{p[0]} + {p[1]} * standard_laplace({e})"),
    "student_t": FamilyCode(
        "student_t_log_prob", (UNIFORM, (2,)), lambda p, e: f"{p[1]} + {p[2]} * standard_t({e}, {p[0]})"
    ),
    "gamma": FamilyCode("gamma_log_prob", (GAMMA, ()), lambda p, e: f"gamma_draw({p[0]}, {p[1]}, {e})"),
    "beta": FamilyCode("beta_log_prob", (GAMMA, (2,)), lambda p, e: f"beta_draw({p[0]}, {p[1]}, {e})"),
    "dirichlet": FamilyCode(
        "dirichlet_log_prob", (GAMMA, ()), lambda p, e: f"dirichlet_draw({p[0]}, {e}, AXIS)", along_axis=True
    ),
    "von_mises_fisher": FamilyCode(
        "von_mises_fisher_log_prob",
        (SPHERE, ()),
        lambda p, e: f"von_mises_fisher_draw({p[0]}, {p[1]}, {e}, AXIS)",
        along_axis=True,
    ),
    "continuous_bernoulli": FamilyCode(
        "continuous_bernoulli_log_prob", draw=lambda p, e: f"continuous_bernoulli_draw({p[0]}, {e})"
    ),
    "bernoulli": FamilyCode("bernoulli_log_prob"),
    "categorical": FamilyCode("categorical_log_prob", (GUMBEL, ()), classes=lambda p: f"F.log_softmax({p[0]}, dim=-1)"),
    "ordered_logistic": FamilyCode(
        "ordered_logistic_log_prob", (GUMBEL, ()), classes=lambda p: f"ordered_logistic_log_probs({p[0]}, {p[1]})"
    ),
    "poisson": FamilyCode("poisson_log_prob", (UNIFORM, (2,))),
    "negative_binomial": FamilyCode("negative_binomial_log_prob", (COUNT, ())),
    "zero_inflated_poisson": FamilyCode("zero_inflated_poisson_log_prob", (COUNT, ())),
    "zero_inflated_negative_binomial": FamilyCode("zero_inflated_negative_binomial_log_prob", (COUNT, ())),
    "discretized_logistic": FamilyCode("discretized_logistic_log_prob"),
}

_SAME = {
    "normal": "normal_kl", "lognormal": "normal_kl", "laplace": "laplace_kl", "gamma": "gamma_kl", "beta": "beta_kl",
    "bernoulli": "bernoulli_kl", "continuous_bernoulli": "continuous_bernoulli_kl", "dirichlet": "dirichlet_kl",
    "von_mises_fisher": "von_mises_fisher_kl", "poisson": "poisson_kl",
}  # fmt: skip


def log_prob(family: str, value: str, parameters: Parameters, rank: int, levels: int | None = None) -> str | None:
    """Log density of each element; None where there is no code for the family."""
    if family not in FAMILIES:
        return None
    code = FAMILIES[family]
    extra = [str(levels)] if levels is not None else [f"-{rank}"] if code.along_axis else []
    return f"{code.log_prob}({', '.join([value, *parameters, *extra])})"


def draw(family: str, parameters: Parameters, noise: str, rank: int) -> str | None:
    """A differentiable draw; None where there is no code for it."""
    maker = FAMILIES[family].draw if family in FAMILIES else None
    return None if maker is None else maker(parameters, noise).replace("AXIS", f"-{rank}")


DRAWN = ("poisson", "negative_binomial", "zero_inflated_poisson", "zero_inflated_negative_binomial",
         "discretized_logistic", "bernoulli")  # fmt: skip
"""Families whose draws are a function `NAME_draw` of parameters and noise, without a gradient."""


def drawn_class(family: str, parameters: Parameters, noise: str) -> str | None:
    """Index of a drawn class; None where the family has no classes."""
    classes = FAMILIES[family].classes if family in FAMILIES else None
    return None if classes is None else f"({classes(parameters)} + {noise}).argmax(-1)"


def drawn(family: str, parameters: Parameters, noise: str, levels: int | None = None) -> str | None:
    """A number drawn without a gradient; None where there is no code for it."""
    extra = [] if levels is None else [str(levels)]
    return f"{family}_draw({', '.join([*parameters, noise, *extra])})" if family in DRAWN else None


def relaxed(family: str, parameters: Parameters, noise: str, temperature: str, *, hard: bool) -> str | None:
    """A Concrete draw; hard: straight through."""
    if family == "bernoulli":
        code, through = f"torch.sigmoid(({parameters[0]} + torch.logit({noise})) / {temperature})", "rounded"
    elif family in FAMILIES and (classes := FAMILIES[family].classes) is not None:
        code, through = f"torch.softmax(({classes(parameters)} + {noise}) / {temperature}, dim=-1)", "hardened"
    else:
        return None
    return f"{through}({code})" if hard else code


def closed_kl(q_family: str, p_family: str, q: Parameters, p: Parameters, rank: int) -> str | None:
    """KL(q || p) of each element; None where there is no code for the pair."""
    if (q_family, p_family) == ("laplace", "normal"):
        return f"laplace_normal_kl({', '.join([*q, *p])})"
    if q_family == p_family and q_family in _SAME:
        axis = [f"-{rank}"] if FAMILIES[q_family].along_axis else []
        return f"{_SAME[q_family]}({', '.join([*q, *p, *axis])})"
    ours, theirs = (FAMILIES[f].classes if f in FAMILIES else None for f in (q_family, p_family))
    return None if ours is None or theirs is None else f"finite_kl({ours(q)}, {theirs(p)})"


def noise_call(family: str, lead: Sequence[str], event: Sequence[int], classes: int | None, like: str) -> str:
    """The call that draws a variable's noise: shape [*lead, *event, *what the family needs]; for a flow normal."""
    maker, extra = FAMILIES[family].noise if family in FAMILIES else (NORMAL, ())
    sizes = [*lead, *(str(size) for size in (*event, *extra))]
    if maker == GUMBEL:
        sizes.append(str(classes))
    axis = f"-{len(event)}, " if maker == SPHERE else ""
    return f"{maker}({tuple_text(sizes)}, {axis}{like}, generator)"
