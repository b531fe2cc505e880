"""Weights of the objective as named constants at the top, or as functions where they change during training."""

from collections.abc import Sequence

from compiler.emission.emission_plan import EmissionPlan
from compiler.emission.text import block, docstring, remarked
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


def _written(plan: EmissionPlan, kind: NumberKind, name: str) -> tuple[float | Schedule | OverRho, str]:
    """What the spec says about one weight, and the name of its constant."""
    found = plan.graphs.spec.objective.number_of(kind, name)
    assert found is not None, f"{kind} of {name} is not in the objective"
    return found, f"{kind}_{plan.identifiers[name]}".upper()


def weight_code(plan: EmissionPlan, kind: NumberKind, name: str) -> tuple[str, set[str]]:
    """Code of a weight, and the arguments (`epoch`, `rho`) that it needs."""
    value, constant = _written(plan, kind, name)
    if isinstance(value, Schedule):
        return f"{constant.lower()}(epoch)", {"epoch"}
    if isinstance(value, OverRho) and plan.graphs.spec.objective.gamma is not None:
        return f"{constant.lower()}(rho)", {"rho"}
    return constant, set()


def weight_lines(plan: EmissionPlan, weights: Sequence[WeightName]) -> tuple[list[str], list[str]]:
    """Constants, and functions for weights that vary, of all weights that the bounds use."""
    constants, functions = _row_weight(plan), []
    for kind, name in weights:
        (value, constant), words = _written(plan, kind, name), WORDS[kind].format(name=name)
        if isinstance(value, Schedule):
            functions.append(scheduled(constant.lower(), value, words))
        elif not isinstance(value, OverRho):
            constants.append(remarked(f"{constant} = {float(value)}", words))
        else:
            share = f"SHARE_{plan.identifiers[name]}".upper()  # each label's own rate is M_j / M of rho
            alone, varies = len(plan.graphs.supervised) == 1, plan.graphs.spec.objective.gamma is not None
            if not alone:
                told = f"of the rows with a label, the share that has {name}: set it"
                constants.append(remarked(f"{share} = 1.0", told))
            rho = "rho" if varies else "RHO"
            code = f"{value.over_rho} / {rho if alone else f'({rho} * {share})'}"
            if varies:
                head = f"def {constant.lower()}(rho: float) -> float:"
                functions.append(block(head, docstring(_sentence(words)), f"return {code}"))
            else:
                constants.append(remarked(f"{constant} = {code}", words))
    return constants, functions


def _row_weight(plan: EmissionPlan) -> list[str]:
    """How rows with a label are weighed against rows without."""
    section = plan.graphs.spec.objective
    if not plan.graphs.supervised:
        return []
    if section.gamma is not None:
        return [remarked(f"GAMMA = {section.gamma}", "weight of a row with a label against one without")]
    rho = 0.5 if section.rho is None else section.rho
    return [remarked(f"RHO = {rho}", "share of the total weight that rows with a label carry")]


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."


def scheduled(name: str, value: Schedule, words: str) -> str:
    """A function of the epoch."""
    cycles = f", in {value.cycles} cycles" if value.cycles > 1 else ""
    when = f"from epoch {value.begin:g} to {value.begin + value.epochs:g}{cycles}"
    told = docstring(f"{_sentence(words)[:-1]}: {value.start:g} to {value.to:g} {when}.")
    part = f"progress(epoch, {value.begin}, {value.epochs}, {value.cycles})"
    code = f"return {CURVES[value.shape].__name__}({value.start}, {value.to}, {part})"
    return block(f"def {name}(epoch: float) -> float:", told, code)
