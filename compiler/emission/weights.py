"""Weights of the objective as named constants at the top, or as functions where they change during training."""

from compiler.emission.plan import Plan
from compiler.emission.text import docstring, number, statement
from compiler.expression import Weight
from graphspec.schema import OverRho, Schedule
from graphspec.schema.objective import EstimatorSpec

WORDS = {
    "alpha": "weight of log q({name} | ...) on rows that have {name}",
    "beta": "weight of the divergence of {name}",
    "free_bits": "nats per row of the divergence of {name} that cost nothing",
    "temperature": "of the relaxed draws of {name}",
}


def weight_value(plan: Plan, weight: Weight) -> float | Schedule | OverRho:
    """What the spec says about one weight."""
    section, name = plan.graphs.spec.objective, weight.variable
    match weight.kind:
        case "alpha":
            return section.alpha.get(name, 50.0) if isinstance(section.alpha, dict) else section.alpha
        case "beta":
            beta = section.beta[name]
            assert isinstance(beta, float | int | Schedule), "split divergences have nodes of their own"
            return beta
        case "free_bits":
            return section.free_bits[name]
        case _:
            return section.estimators.get(name, EstimatorSpec(kind="relax")).temperature


def _constant(plan: Plan, weight: Weight) -> str:
    return f"{weight.kind}_{plan.identifiers[weight.variable]}".upper()


def weight_code(plan: Plan, weight: Weight) -> tuple[str, set[str]]:
    """Code of a weight, and the arguments (`epoch`, `rho`) that it needs."""
    value = weight_value(plan, weight)
    if isinstance(value, Schedule):
        return f"{_constant(plan, weight).lower()}(epoch)", {"epoch"}
    if isinstance(value, OverRho) and plan.graphs.spec.objective.gamma is not None:
        return f"{_constant(plan, weight).lower()}(rho)", {"rho"}
    return _constant(plan, weight), set()


def weight_lines(plan: Plan, weights: list[Weight]) -> tuple[list[str], list[str]]:
    """Constants, and functions for weights that vary, of all weights that the bounds use."""
    constants, functions = [], []
    section = plan.graphs.spec.objective
    if plan.graphs.supervised:
        if section.gamma is not None:
            constants += statement(f"GAMMA = {number(section.gamma)}", 0, "weight of a labelled row against an unlabelled one")
        else:
            rho = 0.5 if section.rho is None else section.rho
            constants += statement(f"RHO = {number(rho)}", 0, "share of the total weight that rows with a label carry")
    for weight in weights:
        value, name = weight_value(plan, weight), _constant(plan, weight)
        words = WORDS[weight.kind].format(name=weight.variable)
        if isinstance(value, Schedule):
            functions += ["", "", *scheduled(name.lower(), value, words)]
        elif isinstance(value, OverRho):
            constants += _share(plan, weight.variable)
            code = number(value.over_rho)
            divisor = "rho" if section.gamma is not None else "RHO"
            code = f"{code} / {divisor}" if len(plan.graphs.supervised) == 1 else f"{code} / ({divisor} * {_share_name(plan, weight.variable)})"
            if section.gamma is None:
                constants += statement(f"{name} = {code}", 0, words)
            else:
                functions += ["", "", f"def {name.lower()}(rho: float) -> float:", *docstring(f"{words[0].upper()}{words[1:]}."), f"    return {code}"]
        else:
            constants += statement(f"{name} = {number(value)}", 0, words)
    return constants, functions


def _share_name(plan: Plan, name: str) -> str:
    return f"SHARE_{plan.identifiers[name]}".upper()


def _share(plan: Plan, name: str) -> list[str]:
    if len(plan.graphs.supervised) == 1:
        return []
    return statement(f"{_share_name(plan, name)} = 1.0", 0, f"of the rows with a label, the share that has {name}: set it")


def scheduled(name: str, value: Schedule, words: str) -> list[str]:
    """A function of the epoch."""
    cycles = f", in {value.cycles} cycles" if value.cycles > 1 else ""
    text = f"{words[0].upper()}{words[1:]}: {value.start:g} to {value.to:g} from epoch {value.begin:g} to {value.begin + value.epochs:g}{cycles}."
    part = f"progress(epoch, {number(value.begin)}, {number(value.epochs)}, {value.cycles})"
    return [
        f"def {name}(epoch: float) -> float:",
        *docstring(text),
        f"    return {value.shape}({number(value.start)}, {number(value.to)}, {part})",
    ]
