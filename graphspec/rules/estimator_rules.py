"""Rules of `objective.estimators`: a variable's family decides which estimators exist for it."""

from math import log2, prod

from graphspec.graphs.graph import Factor, Graphs, Variable
from graphspec.language import EstimatorSpec, Spec
from graphspec.language.families import Family
from graphspec.rules.declared import HIDDEN, check_name
from graphspec.text.report import Report

MOST_JOINT_VALUES = 2**20
"""Of one enumerated variable: their list alone takes gigabytes beyond this, before any row does."""

REASONS = {
    "enumerate": "its values cannot be listed",
    "relax": "only variables with finitely many values have a relaxed sample",
    "reparameterize": "a draw is not a differentiable function of the parameters",
    "mean": "only a bernoulli, in recognition and where p has it, scores its mean as it scores what it draws",
}


def check_estimators(spec: Spec, variables: dict[str, Variable], graphs: Graphs | None, report: Report) -> None:
    """GS070 for names, GS071 for estimators that do not exist for the variable, GS015 for options of another kind."""
    for name, estimator in spec.objective.estimators.items():
        purpose = "estimators are for hidden variables"
        _check_options(name, estimator, report)
        known = check_name(spec, ("objective", "estimators", name), HIDDEN, purpose, report)
        if not known or name not in variables:
            continue
        factor = graphs.recognition.get(name) if graphs is not None else None
        possible = possible_estimators(variables[name], factor.family if factor is not None else None)
        if graphs is None or all(_bernoulli(side.get(name)) for side in (graphs.recognition, graphs.generative)):
            possible = (*possible, "mean")
        if estimator.kind not in possible:
            family = f" ({factor.family.name} in recognition)" if factor is not None and factor.family else ""
            message = f"'{name}'{family} has no estimator `{estimator.kind}`: {REASONS[estimator.kind]}"
            hint = f"possible for '{name}': {', '.join(possible)}"
            report.error("GS071", ("objective", "estimators", name, "kind"), message, hint=hint)
        elif estimator.kind == "enumerate":
            _check_size(variables[name], report)


def _bernoulli(factor: Factor | None) -> bool:
    """Its log density is linear in the value, so that its value at the mean is the mean of its values."""
    return factor is None or (factor.family is not None and factor.family.name == "bernoulli")


def _check_size(variable: Variable, report: Report) -> None:
    """A sum over every joint value is one that a machine can hold."""
    assert variable.support is not None, "only finite supports are enumerated"
    elements = prod(variable.shape)
    if elements * log2(variable.support) > log2(MOST_JOINT_VALUES):
        message = (
            f"'{variable.name}' has {variable.support}^{elements} joint values, and `enumerate` takes them all in "
            f"every row (at most {MOST_JOINT_VALUES:,})"
        )
        hint = "use `relax` or `score_function`, or split it into variables of fewer elements"
        report.error("GS071", ("objective", "estimators", variable.name, "kind"), message, hint=hint)


def possible_estimators(variable: Variable, family: Family | None) -> tuple[str, ...]:
    """Estimators that exist for a hidden variable; `family` is its family in q, None where that is not known."""
    if variable.discrete:
        return ("enumerate", "relax", "score_function") if variable.support is not None else ("score_function",)
    if family is not None and not family.reparameterized:
        return ("score_function",)
    return ("reparameterize", "score_function")


def _check_options(name: str, estimator: EstimatorSpec, report: Report) -> None:
    owners = {"temperature": "relax", "straight_through": "relax", "budget": "enumerate"}
    for option, owner in owners.items():
        if option in estimator.model_fields_set and estimator.kind != owner:
            message = f"`{option}` belongs to `{owner}`, and the estimator is `{estimator.kind}`"
            path = ("objective", "estimators", name, option)
            report.error("GS015", path, message, key=True, hint=f"leave it out, or write `kind: {owner}`")
