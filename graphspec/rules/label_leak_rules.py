"""Labels that say nothing new, or that nothing can tell: a column that is also an input, a q that reads no row."""

from fnmatch import fnmatchcase

from graphspec.graphs.graph import Graphs, Variable
from graphspec.graphs.separation import with_ancestors
from graphspec.headers.element_tables import Layouts
from graphspec.language import DataSection
from graphspec.language.data import is_pattern
from graphspec.rules.graph_rules import silenced
from graphspec.text.report import Report


def check_label_columns(data: DataSection, variables: dict[str, Variable], layouts: Layouts, report: Report) -> None:
    """GS097: a label's column is not read as an input too, for then the answer stands in the question."""
    inputs = [
        (layouts.source(name), column, name)
        for name, entry in data.variables.items()
        if name in variables and variables[name].role == "observed"
        for column in entry.names
    ]
    for name, entry in data.variables.items():
        if name not in variables or variables[name].role != "supervised":
            continue
        for column in entry.names:
            own = layouts.source(name)
            alike = (other for source, read, other in inputs if source == own and _reads(read, column))
            other = next(alike, None)
            if other is not None:
                related = (report.related(("data", "variables", other), f"'{other}' reads it", key=True),)
                message = f"column {column} holds the labels of '{name}', and '{other}' gives it away in every row"
                hint = f"take it out of '{other}'"
                report.error("GS097", ("data", "variables", name), message, key=True, hint=hint, related=related)


def _reads(name: str, column: str) -> bool:
    """`gene_*` also reads a label that is called gene_label."""
    return name == column or (is_pattern(name) and fnmatchcase(column, name))


def check_labels_are_told(graphs: Graphs, report: Report) -> None:
    """GS118: recognition answers a label the same in every row where its factor reads nothing observed, not even by way
    of other variables."""
    recognition, observed = graphs.graph("recognition"), set(graphs.observed)
    for name in graphs.supervised:
        if name not in recognition or name in graphs.exact or silenced(graphs.spec, "GS118", name):
            continue
        above: set[str] = set()
        with_ancestors(recognition, [name], above)
        if above & observed:
            continue
        factor = graphs.recognition[name]
        read = f"reads {', '.join(factor.parents)} only" if factor.parents else "reads nothing"
        message = f"q({name}) {read}, and nothing observed is above it: every row gets the same answer"
        if not graphs.observed:
            hint = "declare what rows show as `observed`, with a column of the data, and let q read it"
        elif factor.derived:
            hint = (
                f"`auto` found no path from {name} to anything observed in `generative`: make {name} a parent of what "
                f"shows it, or write `{name}: {{parents: [{', '.join(graphs.observed[:3])}]}}` in recognition"
            )
        else:
            hint = f"give it `parents: [{', '.join(graphs.observed[:3])}]`"
        place = ("recognition",) if factor.derived else ("recognition", name)
        report.warning("GS118", place, message, key=True, hint=hint)
