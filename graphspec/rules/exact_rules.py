"""What `exact` asks of a spec. Code GS025.

An exact variable has no q: it is summed out of p, and its posterior is p's own. So nothing in recognition can read it,
p reads it where sums stay small, and what the objective says of a q has nothing to hold on to.
"""

from collections.abc import Iterator

from graphspec.graphs.coupling import is_certain
from graphspec.graphs.declared_names import Outline
from graphspec.graphs.exact_sums import ExactSum, exact_sums, joint_values, largest_table, own_latents, touched, varying
from graphspec.graphs.graph import SIDES, Graphs
from graphspec.language import Schedule, TotalCorrelation
from graphspec.reading.suggestions import amount, did_you_mean, few, listed
from graphspec.rules.declared import HIDDEN, declared
from graphspec.rules.graph_rules import parent_path
from graphspec.text.report import Report
from graphspec.text.tree import Path

MOST_VALUES = 256
"""Joint values of exact variables that one network is computed for, per element."""
MOST_ENTRIES = 65_536
"""Entries of the largest table of a sum, per element."""

Found = tuple[Path, str, str]
"""Where, what is wrong, and what to write instead."""


def check_exact(outline: Outline, report: Report) -> None:
    """GS030, GS025: who is called `exact`, and what the objective says of them."""
    known = declared(outline.spec, report)
    for name in outline.exact:
        path: Path = ("recognition", name)
        role = outline.role(name)
        if role is None:
            if not outline.doubtful(name):
                hint = did_you_mean(name, outline.variables, "declare it under `variables`, or remove this entry")
                report.error("GS030", path, f"there is no variable '{name}'", key=True, hint=hint)
        elif role not in HIDDEN:
            said = f"{name} is {role}: only what is hidden can be summed out"
            report.error("GS025", path, said, hint=f"remove this entry, or make {name} latent or supervised")
        elif name in known and known[name].support is None:
            values = "has no largest value" if known[name].discrete else f"is {known[name].domain}"
            hint = "a category, a binary or a count with its `max` can be summed; or write a factor here"
            report.error("GS025", path, f"{name} {values}, and a sum needs finitely many values", hint=hint)
    for path, said, hint in _of_objective(outline):
        report.error("GS025", path, said, key=True, hint=hint)


def _of_objective(outline: Outline) -> Iterator[Found]:
    objective = outline.spec.objective
    for name in outline.exact:
        no_q = f"{name} is exact: it has no q"
        if name in objective.estimators:
            yield ("objective", "estimators", name), f"{no_q} whose expectation an estimator could take", "leave it out"
        if name in objective.free_bits:
            yield ("objective", "free_bits", name), f"{no_q} that could use free bits", "leave it out"
        if name in objective.consistency:
            hint = f"write a factor of {name} in recognition, or leave it out"
            yield ("objective", "consistency", name), f"{no_q} whose answers could be compared", hint
        beta = objective.beta.get(name)
        lowest = min(beta.start, beta.to) if isinstance(beta, Schedule) else beta
        if isinstance(lowest, (int, float)) and lowest <= 0:
            said = f"beta of {name} is {lowest:g} somewhere, and what stands beside an exact sum is divided by it"
            yield ("objective", "beta", name), said, "write a number above 0"
        if isinstance(beta, TotalCorrelation):
            yield ("objective", "beta", name), f"{no_q} with a total correlation", "write a number"


def check_exact_sums(graphs: Graphs, report: Report) -> None:
    """GS025: who reads exact variables, and how large their sums are."""
    if not graphs.exact:
        return
    for path, said, hint in (*_recognition(graphs, report), *_generative(graphs, report), *_own(graphs)):
        report.error("GS025", path, said, hint=hint)
    if not report.failed:
        for found in exact_sums(graphs):
            for path, said, hint in (*_sizes(graphs, found), *_counts(graphs, found), *_weights(graphs, found)):
                report.error("GS025", path, said, key=True, hint=hint)


def _recognition(graphs: Graphs, report: Report) -> Iterator[Found]:
    """What recognition draws for each value of an exact variable are latents of its element."""
    over = varying(graphs)
    for name, factor in graphs.recognition.items():
        if factor.deterministic:
            continue
        for parent in factor.parents:
            exact = sorted(over.get(parent, ()))
            if not exact:
                continue
            base = graphs.views[exact[0]].parents[0] if exact[0] in graphs.views else exact[0]
            because = _no_own_latent(graphs, name, parent, exact[0], base)
            if because:
                place = parent_path(report, ("recognition", name, "parents"), parent)
                said = f"{name} reads {parent}: {base} is summed out of p and has no value in recognition"
                yield (
                    place,
                    said,
                    f"only a latent of {base}'s own element may be drawn for each of its values; {because}",
                )


def _no_own_latent(graphs: Graphs, name: str, parent: str, axis: str, base: str) -> str:
    variable = graphs.variables[name]
    if variable.role != "latent":
        return f"{name} is {variable.role}"
    if is_certain(graphs.recognition[name]):
        return f"{name} is computed, not drawn"
    if axis in graphs.views or parent in graphs.views:
        return f"{parent} looks at other elements"
    inside = graphs.variables[base].plates
    return "" if variable.plates[: len(inside)] == inside else f"{name} stands outside of it"


def _generative(graphs: Graphs, report: Report) -> Iterator[Found]:
    """In p exact variables, and what is made of them, are read in their own element, and as the element before."""
    over = varying(graphs)
    for side in SIDES:
        for name, factor in graphs.factors(side).items():
            for parent in factor.parents:
                view = graphs.views[parent].view if parent in graphs.views else None
                if view is None or not over.get(view.base) or graphs.summed_neighbour(parent):
                    continue
                if side == "recognition" and not factor.deterministic:
                    continue  # `_recognition` says it
                exact = view.base if view.base in graphs.exact else min(over[view.base])
                way = "" if view.base == exact else f" (by way of {view.base})"
                place = parent_path(report, (side, name, "parents"), parent)
                said = f"{name} reads {parent}: {exact} is summed out in each element{way}, and no other can look at it"
                yield (
                    place,
                    said,
                    f"{exact} is read in its own element, inside it, and as `{exact}@previous` in the next",
                )


def _own(graphs: Graphs) -> Iterator[Found]:
    """Latents drawn for each value of an exact variable have draws with a gradient, and terms that add up."""
    objective = graphs.spec.objective
    for name in own_latents(graphs):
        variable, family = graphs.variables[name], graphs.recognition[name].family
        asked = objective.estimators.get(name)
        assert family is not None
        each = f"{name} is drawn for each value of {_of(graphs, name)}"
        pathless = (variable.discrete and variable.support is None) or (
            not variable.discrete and not family.reparameterized
        )
        if pathless or (asked is not None and asked.kind == "score_function"):
            yield ("recognition", name), f"{each}, and its draws have no gradient", "choose a family that has one"
        if asked is not None and asked.budget is not None:
            yield ("objective", "estimators", name, "budget"), f"{each}: a budget is not there for it", "leave it out"
        if isinstance(objective.beta.get(name), TotalCorrelation):
            yield ("objective", "beta", name), f"{each}: its divergence cannot be split", "write a number"
        if objective.bound == "importance_weighted":
            yield ("objective", "bound"), f"{each}, and the importance weighted bound draws once", "`bound: elbo`"


def _of(graphs: Graphs, name: str) -> str:
    return listed(sorted(varying(graphs)[name]))


def _sizes(graphs: Graphs, found: ExactSum) -> Iterator[Found]:
    names = listed(list(found.variables))
    for name in found.factors:
        factor = graphs.generative[name]
        read = frozenset().union(*(varying(graphs).get(parent, frozenset()) for parent in factor.parents))
        if joint_values(graphs, read) > MOST_VALUES:
            many = amount(joint_values(graphs, read))
            over = listed(sorted(read))
            said = f"p({name} | ..) would be computed for {many} joint values of {over}, more than {MOST_VALUES}"
            yield ("generative", name), said, "give one of them a factor in recognition, or fewer values"
    entries, axes = largest_table(graphs, found)
    if entries > MOST_ENTRIES:
        said = (
            f"the exact sum over {names} holds {amount(entries)} numbers for each element, more than {MOST_ENTRIES}: "
        )
        said += f"the values of {listed(sorted(axes))} together"
        yield ("recognition", found.variables[0]), said, "give one of them a factor in recognition, or fewer values"


def _counts(graphs: Graphs, found: ExactSum) -> Iterator[Found]:
    """Which elements there are is known where something is summed out in them."""
    for name in (*found.variables, *found.factors):
        for plate in graphs.variables[name].path:
            count = graphs.plates[plate].count
            if count is not None and graphs.variables[count].role in HIDDEN:
                said = f"{found.variables[0]} is summed out over plate {plate}, whose count {count} may be hidden"
                yield ("recognition", found.variables[0]), said, f"make {count} observed, or write a factor here"
                return
    for plate, counted in graphs.plates.items():
        if counted.count is not None and counted.count in found.variables:
            said = f"{counted.count} counts the elements of plate {plate}, and a sum over it cannot say which are there"
            yield ("recognition", counted.count), said, "write a factor here: a hidden count is summed by itself"


def _weights(graphs: Graphs, found: ExactSum) -> Iterator[Found]:
    objective = graphs.spec.objective
    betas = {name: objective.beta.get(name, 1.0) for name in found.variables}
    differing = [name for name in found.variables if betas[name] != betas[found.variables[0]]]
    if differing:
        named = next(name for name in (*differing, *found.variables) if name in objective.beta)
        said = f"{listed(list(found.variables))} are summed together, and their betas differ"
        yield ("objective", "beta", named), said, "what shares factors of p has one beta: write the same for each"
    for name in found.factors:
        if name in objective.free_bits and name not in found.own:
            said = f"the prior of {name} reads {few(sorted(touched(graphs)[name]))}, which is summed out"
            hint = "its divergence is part of that sum and has no floor: leave the free bits out"
            yield ("objective", "free_bits", name), said, hint
