"""What the language has and this version does not run: `check` accepts it, `compile` and `train` say "not yet".

One small function per feature, in one table; a later version deletes lines. Not here: plates, sequences, `include` and
`exact`, which `check` itself refuses (`later.py`).
"""

from collections.abc import Callable, Iterator

from graphspec.diagnostics import Span, SpecError
from graphspec.graph import SIDES, Factor, Graphs
from graphspec.report import Report
from graphspec.schema import TotalCorrelation
from graphspec.schema.networks import Gru
from graphspec.source import Path

NOWHERE = Span(0, 0, 0, 0)
Finding = tuple[Path, str]
"""Where, and what is not there yet."""


def blanks(graphs: Graphs) -> Iterator[Finding]:
    """Observed variables with blanks."""
    for name, variable in graphs.variables.items():
        if variable.missing:
            yield ("variables", name, "missing"), "observed variables with blanks (`missing: true`)"


def score_functions(graphs: Graphs) -> Iterator[Finding]:
    """Hidden variables that have no other estimator."""
    for factor in graphs.recognition.values():
        variable = graphs.variables[factor.variable]
        if factor.family is None or factor.variable in graphs.spec.objective.estimators:
            continue
        if variable.discrete and variable.support is None:
            yield _path(factor), f"a hidden count without `max` ({factor.variable} needs the score function)"
        elif not variable.discrete and not factor.family.reparameterized:
            yield (
                _path(factor),
                f"a hidden variable with {factor.family.name} in recognition (it needs the score function)",
            )


def estimators(graphs: Graphs) -> Iterator[Finding]:
    """Estimators asked for by name."""
    for name, asked in graphs.spec.objective.estimators.items():
        path: Path = ("objective", "estimators", name)
        if asked.kind == "score_function":
            yield path, "the estimator score_function"


def total_correlations(graphs: Graphs) -> Iterator[Finding]:
    """The beta-TCVAE split."""
    for name, beta in graphs.spec.objective.beta.items():
        if isinstance(beta, TotalCorrelation):
            yield ("objective", "beta", name), "`total_correlation` and its parts"


def bounds(graphs: Graphs) -> Iterator[Finding]:
    """The importance weighted bound."""
    if graphs.spec.objective.bound == "importance_weighted":
        yield ("objective", "bound"), "the bound importance_weighted"


def consistency(graphs: Graphs) -> Iterator[Finding]:
    """The consistency regulariser."""
    if graphs.spec.objective.consistency:
        yield ("objective", "consistency"), "`consistency`"


def recurrences(graphs: Graphs) -> Iterator[Finding]:
    """Recurrent units, which belong to sequences."""
    for factor in _factors(graphs):
        if isinstance(factor.network, Gru):
            yield (*_path(factor), "network"), "gru, which needs a sequence"


NOT_YET: tuple[Callable[[Graphs], Iterator[Finding]], ...] = (
    blanks,
    score_functions,
    estimators,
    total_correlations,
    bounds,
    consistency,
    recurrences,
)


def not_yet(graphs: Graphs, report: Report) -> None:
    """Adds a located GS090 for everything that `compile` and `train` refuse today."""
    for feature in NOT_YET:
        for path, what in feature(graphs):
            hint = "`check` and `graph` accept it; `compile` and `train` come with a later version"
            report.error("GS090", path, f"not there yet: {what}", hint=hint)


def refuse_not_yet(graphs: Graphs) -> None:
    """Raises SpecError with all of them, the graphs' own warnings first; does nothing if there are none."""
    assert graphs.document is not None, "graphs come from `load`"
    report = Report(graphs.document)
    not_yet(graphs, report)
    if report.failed:
        raise SpecError((*graphs.warnings, *sorted(report.diagnostics, key=lambda found: found.span or NOWHERE)))


def _factors(graphs: Graphs) -> Iterator[Factor]:
    for side in SIDES:
        yield from graphs.factors(side).values()


def _path(factor: Factor) -> Path:
    return factor.side, factor.variable
