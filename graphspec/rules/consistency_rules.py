"""Rules of `objective.consistency`: labels with classes, time to act, rows that move or differ from the clean ones."""

import networkx as nx

from graphspec.graphs.graph import Graphs, Variable
from graphspec.language import DataSection, Spec
from graphspec.rules.declared import SUPERVISED, allowed, check_name
from graphspec.text.report import Report


def check_consistency(spec: Spec, variables: dict[str, Variable], graphs: Graphs | None, report: Report) -> None:
    """GS070 without classes or rows that can move, GS110 for what begins too late, GS115 for a row beside itself."""
    for name, wanted in spec.objective.consistency.items():
        path = ("objective", "consistency", name)
        purpose = "consistency compares predictions of labels"
        if not check_name(spec, path, SUPERVISED, purpose, report):
            continue
        soft = [] if spec.data is None else [label for label, entry in spec.data.variables.items() if entry.soft]
        if soft:
            message = f"consistency beside the soft label '{soft[0]}' is not there yet"
            report.error("GS090", path, message, key=True, hint="leave one of them out")
        if name in variables and variables[name].support is None:
            message = f"consistency asks how sure the prediction of '{name}' is, and '{name}' has no classes"
            hint = "it is for category, binary and bounded count variables; leave it out, or give a count its `max`"
            report.error("GS070", path, message, key=True, hint=hint)
            continue
        if wanted.after >= spec.training.epochs and not allowed(spec, name, "GS110"):
            message = f"this begins after epoch {wanted.after:g}, and training has {spec.training.epochs}"
            report.warning("GS110", (*path, "after"), message, hint="let it begin earlier, or train longer")
        if graphs is None or name not in graphs.recognition:
            continue
        above = nx.ancestors(graphs.graph("recognition"), name)
        if wanted.adversarial:
            _check_that_rows_can_move(graphs, name, report)
        elif spec.data is not None and not allowed(spec, name, "GS115"):
            _check_that_rows_differ(spec.data, graphs, name, above, report)


def _check_that_rows_can_move(graphs: Graphs, name: str, report: Report) -> None:
    """What q(name | .) depends on must hold numbers that a small step changes, on a way that lets gradients through."""
    ways = nx.DiGraph(graphs.graph("recognition"))
    above = nx.ancestors(ways, name)
    stopped = [(p, f.variable) for f in graphs.order("recognition") for p in f.stop_gradient]
    ways.remove_edges_from(stopped)
    observed = [n for n in graphs.observed if n in above]
    movable = [n for n in observed if graphs.variables[n].info.movable]
    if any(n in nx.ancestors(ways, name) for n in movable):
        return
    if movable:
        message = f"no row can be moved: a stop_gradient stands on every way from {' and '.join(movable)} to {name}"
        hint = "adversarial follows the gradient of q's answer: leave it out, or let the gradient through on one way"
        report.error("GS070", ("objective", "consistency", name, "adversarial"), message, hint=hint)
        return
    domains = ", ".join(f"{n} ({graphs.variables[n].domain})" for n in observed) or "nothing observed"
    message = f"no row can be moved: q({name} | ...) reads {domains}"
    hint = "adversarial moves real and unit variables; leave it out, or give a variable one of these domains"
    report.error("GS070", ("objective", "consistency", name, "adversarial"), message, hint=hint)


def _check_that_rows_differ(data: DataSection, graphs: Graphs, name: str, above: set[str], report: Report) -> None:
    """Something between the data and q(name | .) must change from step to step."""
    columns = [data.variables[n] for n in graphs.observed if n in above and n in data.variables]
    changed = any(
        (column.augment is not None and (column.augment.moves or column.augment.recolours))
        or column.binarize == "dynamic"
        for column in columns
    )
    factors = [factor for factor in graphs.order("recognition") if factor.variable in {*above, name}]
    noisy = any(factor.network is not None and factor.network.draws for factor in factors)
    drawn = any(n in above for n in graphs.latent)
    if not (changed or noisy or drawn):
        message = f"nothing changes a row on its way to q({name} | ...): the clean and the augmented row are the same"
        hint = "augment or binarize what recognition reads, give its network dropout or noise, or set `adversarial`"
        report.warning("GS115", ("objective", "consistency", name), message, key=True, hint=hint)
