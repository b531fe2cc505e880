"""Names of classes that look like one class written in two ways. Code GS129."""

from graphspec.graphs.graph import Graphs
from graphspec.headers.key_cells import look_alikes
from graphspec.reading.suggestions import few
from graphspec.rules.declared import allowed
from graphspec.text.report import Report


def check_class_names(graphs: Graphs, report: Report) -> None:
    """GS129: names differ by more than case and spaces. Letters, `a` and `A`, are classes of their own."""
    for name, variable in graphs.variables.items():
        pairs = [pair for pair in look_alikes(variable.names) if len(pair[0]) > 1]
        if not pairs or allowed(graphs.spec, name, "GS129"):
            continue
        told = few([f"{first!r} and {second!r}" for first, second in pairs], 3)
        message = f"classes of '{name}' differ by case or spaces alone: {told}"
        hint = "write a class alike in every row; if they are different classes, `allow: [GS129]` on the variable"
        report.warning("GS129", ("variables", name, "names"), message, hint=hint)
