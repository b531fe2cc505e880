"""What the language has and this version does not run: `check` accepts it, `compile` and `train` say "not yet".

One small function per feature, in one table; a later version deletes lines. Not here: plates, sequences, `include` and
`exact`, which `check` itself refuses (`later.py`).
"""

from collections.abc import Callable, Iterator

from graphspec.diagnostics import Span, SpecError
from graphspec.graphs.graph import SIDES, Factor, Graphs
from graphspec.language.networks import Gru
from graphspec.text.report import Report
from graphspec.text.tree import Path

NOWHERE = Span(0, 0, 0, 0)
Finding = tuple[Path, str]
"""Where, and what is not there yet."""


def recurrences(graphs: Graphs) -> Iterator[Finding]:
    """Recurrent units, which belong to sequences."""
    for factor in _factors(graphs):
        if isinstance(factor.network, Gru):
            yield (*_path(factor), "network"), "gru, which needs a sequence"


NOT_YET: tuple[Callable[[Graphs], Iterator[Finding]], ...] = (recurrences,)


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
