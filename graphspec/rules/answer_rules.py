"""Rules of `objective.answers`: labels whose values the bound can be compared for."""

from graphspec.graphs.answerable import why_bound_cannot_tell
from graphspec.graphs.graph import Graphs
from graphspec.language import Spec
from graphspec.rules.declared import SUPERVISED, check_name
from graphspec.text.report import Report


def check_answers(spec: Spec, graphs: Graphs | None, report: Report) -> None:
    """GS070 for what is no label, or one that the bound cannot answer."""
    for name, way in spec.objective.answers.items():
        path = ("objective", "answers", name)
        if not check_name(spec, path, SUPERVISED, "answers are given for labels", report):
            continue
        if graphs is None or way == "recognition" or name not in graphs.variables:
            continue
        why = why_bound_cannot_tell(graphs, name)
        if why:
            message = f"the bound cannot answer '{name}': {why}"
            report.error("GS070", path, message, hint="leave it out, or write `recognition`")
