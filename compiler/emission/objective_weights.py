"""Weights of the objective as named constants at the top, or as functions where they change during training."""

from collections.abc import Sequence

from compiler.emission.emission_plan import EmissionPlan
from compiler.emission.text import docstring, number, statement
from compiler.symbolic.schedules import CURVES
from graphspec.language import OverRho, Schedule
from graphspec.language.objective import NumberKind

WeightName = tuple[NumberKind, str]
"""A number of the objective: what it is, and of which variable."""

WORDS: dict[NumberKind, str] = {
    "alpha": "weight of log q({name} | ...) on rows that have {name}",
    "beta": "weight of the divergence of {name}",
    "free_bits": "nats per row of the divergence of {name} that cost nothing",
    "mutual_information": "weight of the mutual information between rows and {name}",
    "total_correlation": "weight of the total correlation between the elements of {name}",
    "dimension_wise": "weight of the divergence of each element of {name}",
    "temperature": "of the relaxed draws of {name}",
}


def weight_value(plan: EmissionPlan, kind: NumberKind, name: str) -> float | Schedule | OverRho:
    """What the spec says about one weight."""
    found = plan.graphs.spec.objective.number_of(kind, name)
    assert found is not None, f"{kind} of {name} is not in the objective"
    return found


def _constant(plan: EmissionPlan, kind: NumberKind, name: str) -> str:
    return f"{kind}_{plan.identifiers[name]}".upper()


def weight_code(plan: EmissionPlan, kind: NumberKind, name: str) -> tuple[str, set[str]]:
    """Code of a weight, and the arguments (`epoch`, `rho`) that it needs."""
    value, constant = weight_value(plan, kind, name), _constant(plan, kind, name)
    if isinstance(value, Schedule):
        return f"{constant.lower()}(epoch)", {"epoch"}
    if isinstance(value, OverRho) and plan.graphs.spec.objective.gamma is not None:
        return f"{constant.lower()}(rho)", {"rho"}
    return constant, set()


def weight_lines(plan: EmissionPlan, weights: Sequence[WeightName]) -> tuple[list[str], list[str]]:
    """Constants, and functions for weights that vary, of all weights that the bounds use."""
    constants, functions = _row_weight(plan), []
    for kind, name in weights:
        value, constant = weight_value(plan, kind, name), _constant(plan, kind, name)
        words = WORDS[kind].format(name=name)
        if isinstance(value, Schedule):
            functions += ["", "", *scheduled(constant.lower(), value, words)]
        elif not isinstance(value, OverRho):
            constants += statement(f"{constant} = {number(value)}", 0, words)
        else:
            constants += _share(plan, name)
            code = _over_rho(plan, value, name)
            if plan.graphs.spec.objective.gamma is None:
                constants += statement(f"{constant} = {code}", 0, words)
            else:
                functions += ["", "", f"def {constant.lower()}(rho: float) -> float:", *docstring(_sentence(words))]
                functions += [f"    return {code}"]
    return constants, functions


def _row_weight(plan: EmissionPlan) -> list[str]:
    """How rows with a label are weighed against rows without."""
    section = plan.graphs.spec.objective
    if not plan.graphs.supervised:
        return []
    if section.gamma is not None:
        return statement(f"GAMMA = {number(section.gamma)}", 0, "weight of a row with a label against one without")
    rho = 0.5 if section.rho is None else section.rho
    return statement(f"RHO = {number(rho)}", 0, "share of the total weight that rows with a label carry")


def _over_rho(plan: EmissionPlan, value: OverRho, name: str) -> str:
    """A number divided by the label's own rate."""
    rho = "RHO" if plan.graphs.spec.objective.gamma is None else "rho"
    if len(plan.graphs.supervised) == 1:
        return f"{number(value.over_rho)} / {rho}"
    return f"{number(value.over_rho)} / ({rho} * {_share_name(plan, name)})"


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."


def _share_name(plan: EmissionPlan, name: str) -> str:
    return f"SHARE_{plan.identifiers[name]}".upper()


def _share(plan: EmissionPlan, name: str) -> list[str]:
    if len(plan.graphs.supervised) == 1:
        return []
    told = f"of the rows with a label, the share that has {name}: set it"
    return statement(f"{_share_name(plan, name)} = 1.0", 0, told)


def scheduled(name: str, value: Schedule, words: str) -> list[str]:
    """A function of the epoch."""
    cycles = f", in {value.cycles} cycles" if value.cycles > 1 else ""
    when = f"from epoch {value.begin:g} to {value.begin + value.epochs:g}{cycles}"
    text = f"{_sentence(words)[:-1]}: {value.start:g} to {value.to:g} {when}."
    part = f"progress(epoch, {number(value.begin)}, {number(value.epochs)}, {value.cycles})"
    return [
        f"def {name}(epoch: float) -> float:",
        *docstring(text),
        f"    return {CURVES[value.shape].__name__}({number(value.start)}, {number(value.to)}, {part})",
    ]
