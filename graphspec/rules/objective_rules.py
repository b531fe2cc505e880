"""Rules of the `objective` section: which variable each weight may name, and which settings exclude each other."""

from graphspec.graphs.graph import Graphs, Variable
from graphspec.language import OverRho, Spec, TotalCorrelation
from graphspec.rules.answer_rules import check_answers
from graphspec.rules.consistency_rules import check_consistency
from graphspec.rules.declared import HIDDEN, SUPERVISED, check_name, declared, names_with
from graphspec.rules.estimator_rules import check_estimators
from graphspec.rules.number_rules import check_numbers
from graphspec.text.report import Report


def check_objective(spec: Spec, graphs: Graphs | None, report: Report) -> None:
    """GS070 to GS076, and the warnings about schedules (GS110), weights without an effect (GS112), rows compared
    with themselves (GS115)."""
    variables = declared(spec, report)
    _check_names(spec, report)
    for name, beta in spec.objective.beta.items():
        if isinstance(beta, TotalCorrelation) and name in variables:
            _check_total_correlation(spec, variables[name], report)
    check_consistency(spec, variables, graphs, report)
    check_estimators(spec, variables, graphs, report)
    check_answers(spec, graphs, report)
    _check_importance_weighted(spec, report)
    if not names_with(spec, SUPERVISED):
        _check_weights_of_labels(spec, report)
    check_numbers(spec, report)


def _check_names(spec: Spec, report: Report) -> None:
    objective = spec.objective
    if isinstance(objective.alpha, dict):
        for name in objective.alpha:
            check_name(spec, ("objective", "alpha", name), SUPERVISED, "alpha weighs labels", report)
    for name in objective.beta:
        check_name(spec, ("objective", "beta", name), HIDDEN, "beta weighs hidden variables", report)
    for name in objective.free_bits:
        check_name(spec, ("objective", "free_bits", name), HIDDEN, "free bits are for hidden variables", report)


def _check_total_correlation(spec: Spec, variable: Variable, report: Report) -> None:
    """The split needs a divergence from a prior of independent elements: a root of p, continuous, two elements."""
    path = ("objective", "beta", variable.name, "total_correlation")
    factor = spec.generative.get(variable.name)
    if variable.role not in HIDDEN:
        return  # GS070 has been said
    if variable.role == "supervised":
        problem = f"'{variable.name}' is supervised"
    elif factor is not None and factor.parents:
        problem = f"'{variable.name}' has parents in generative"
    elif variable.discrete or variable.domain in ("direction", "simplex"):
        problem = f"'{variable.name}' is a {variable.domain}"
    elif variable.shape in ((), (1,)):
        problem = f"'{variable.name}' has one element"
    else:
        return
    hint = "it is for a latent root of `generative` with several independent continuous elements"
    report.error("GS072", path, f"total_correlation cannot be split off: {problem}", key=True, hint=hint)


def _check_importance_weighted(spec: Spec, report: Report) -> None:
    """The importance-weighted bound has no divergence per variable that could be weighed."""
    objective = spec.objective
    if objective.bound != "importance_weighted":
        return
    related = (report.related(("objective", "bound"), "the bound is chosen here"),)
    hint = "use `bound: elbo`, or leave this out"
    message = "the importance-weighted bound has no place for"
    for name, beta in objective.beta.items():
        if beta != 1:
            what = "total correlation" if isinstance(beta, TotalCorrelation) else "a beta other than 1"
            report.error("GS073", ("objective", "beta", name), f"{message} {what}", hint=hint, related=related)
    for name, bits in objective.free_bits.items():
        if bits != 0:
            path = ("objective", "free_bits", name)
            report.error("GS073", path, f"{message} free bits", hint=hint, related=related)


def _check_weights_of_labels(spec: Spec, report: Report) -> None:
    """Without a supervised variable: what divides by the share of labels is wrong, what weighs them is idle."""
    objective = spec.objective
    hint = "make a variable `supervised`, or leave this out"
    if isinstance(objective.alpha, OverRho):
        message = "alpha is divided by rho, and without a supervised variable rho is 0"
        report.error("GS076", ("objective", "alpha"), message, hint=hint)
    if objective.rho == 1:
        message = "rho: 1 gives labelled rows all the weight, and no variable is supervised"
        report.error("GS076", ("objective", "rho"), message, hint=hint)
    idle = {
        ("objective", "rho"): objective.rho not in (None, 1),
        ("objective", "gamma"): objective.gamma is not None,
        ("objective", "alpha"): "alpha" in objective.model_fields_set
        and not isinstance(objective.alpha, OverRho | dict),
        ("training", "labelled_batch_size"): spec.training.labelled_batch_size is not None,
    }
    for path, written in idle.items():
        if written:
            message = f"{path[1]} has no effect: no variable is supervised"
            report.warning("GS112", path, message, key=True, hint=hint)
