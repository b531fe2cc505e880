"""What is decided before a line is written: programs, names, and how values look in the emitted code.

From: a compiled model. To: `EmissionPlan`, which every writer reads. The programs and objectives are those that run.
"""

from dataclasses import dataclass
from typing import Literal

from compiler.emission.copied_source import piece_names
from compiler.emission.text import Names, camel
from compiler.emission.writing import refused
from compiler.families import ENTRIES
from compiler.model.grouping import first_with_blanks, pattern_of
from compiler.model.model import Model
from compiler.symbolic.axis_names import SAMPLES
from compiler.symbolic.lowering import given_in_part, label_without_count
from compiler.symbolic.program import Axes, Pattern
from graphspec.graphs.graph import SIDES, Factor, Graphs

MOST_PATTERNS = 32
"""A file with more functions than this explains nothing to a reader."""

TensorKind = Literal["value", "given", "label", "known", "row"]
"""What a function is told of a variable: its value (zero where blank), where it is given, the label of a masked
variable (whose value is computed), or the value with something legal where it is blank. "row": a zero a row, of no
variable."""
ROW: tuple[str, TensorKind] = ("", "row")


@dataclass(frozen=True)
class EmissionPlan:
    """Decisions that hold for the whole file.

    identifiers: Python names of the variables. tensors: names of everything a function is told of them.
    classes, attributes: of factors by key. features: deterministic variables of observed ones, computed once for a
    whole batch. patterns: the function of each observation pattern. masks: of plates with a count, which elements are
    there.
    """

    model: Model
    names: Names
    identifiers: dict[str, str]
    tensors: dict[tuple[str, TensorKind], str]
    classes: dict[str, str]
    attributes: dict[str, str]
    features: tuple[str, ...]
    patterns: dict[Pattern, str]
    masks: dict[str, str]

    @property
    def graphs(self) -> Graphs:
        """The checked spec."""
        return self.model.graphs

    @property
    def samples(self) -> int:
        """S."""
        return self.graphs.spec.objective.samples

    def axes(self, axes: Axes) -> Axes:
        """The axes that the emitted tensors have: with one sample there is no sample axis."""
        return tuple(axis for axis in axes if axis != SAMPLES or self.samples > 1)

    @property
    def flows(self) -> bool:
        """Some factor is a flow."""
        factors = (*self.graphs.generative.values(), *self.graphs.recognition.values())
        return any(f.family is not None and f.family.flow for f in factors)

    def prior(self, factor: Factor) -> str | None:
        """A standard prior, which has no module and whose parameters are left out: "uniform", or "standard" with the
        family's name."""
        if not factor.standard or factor.family is None or factor.parents:
            return None
        entry = ENTRIES.get(factor.family.name)
        if entry is None:
            return None
        if entry.standard_uniform and self.graphs.variables[factor.variable].support is not None:
            return "uniform"
        return None if entry.standard_log_prob is None else f"standard {entry.name}"


def make_plan(model: Model) -> EmissionPlan:
    """Raises SpecError (GS090) where the model has more patterns than a file should."""
    graphs = model.graphs
    if not (graphs.observed or graphs.supervised):
        raise refused(graphs, ("variables",), "a model of which rows have nothing")
    if not any(True for _ in model.parameters()):
        raise refused(graphs, ("variables",), "a model in which nothing is learned")
    names = Names(piece_names())
    identifiers = {name: names.fresh(name) for name in graphs.variables}
    tensors: dict[tuple[str, TensorKind], str] = {(name, "value"): own for name, own in identifiers.items()}
    for kind in ("given", "label", "known"):
        tensors |= {(name, kind): names.fresh(f"{own}_{kind}") for name, own in identifiers.items()}
    tensors[ROW] = names.fresh("row")
    classes, attributes = {}, {}
    for side in reversed(SIDES):
        for factor in graphs.order(side):
            if factor.key not in classes and factor.view is None:
                kind = "Deterministic" if factor.deterministic else side.capitalize()
                letter = "f" if factor.deterministic else "q" if side == "recognition" else "p"
                classes[factor.key] = names.fresh(kind + camel(factor.variable))
                attributes[factor.key] = names.fresh(f"{letter}_{identifiers[factor.variable]}")
    patterns = _patterns(model, names, identifiers)
    told = {*graphs.observed, *graphs.supervised}
    masks = {p.name: names.fresh(f"rows_have_{p.name}") for p in graphs.plates.values() if p.count in told}
    features = model.compiled.features
    return EmissionPlan(model, names, identifiers, tensors, classes, attributes, features, patterns, masks)


def _patterns(model: Model, names: Names, identifiers: dict[str, str]) -> dict[Pattern, str]:
    """Every pattern that rows can have, in the order in which the model evaluates them; a mask serves rows without
    blanks too."""
    graphs, first = model.graphs, first_with_blanks(model.graphs)
    whole = set(graphs.supervised) - set(given_in_part(graphs)) if first > 1 else set()
    every = (pattern_of(graphs, first + number) for number in range(first))
    found = [p for p in every if whole.isdisjoint(p.masked) and label_without_count(graphs, p) is None]
    if len(found) > MOST_PATTERNS:
        what = f"{len(found)} patterns of labels, a function each (at most {MOST_PATTERNS})"
        raise refused(graphs, ("variables",), what)
    return {pattern: names.fresh(_function(pattern, identifiers)) for pattern in found}


def _function(pattern: Pattern, identifiers: dict[str, str]) -> str:
    if len(pattern.masked) > 4:
        return "bound_masked"
    parts = [*(identifiers[n] for n in pattern.labels), *(f"part_of_{identifiers[n]}" for n in pattern.masked)]
    return "bound_" + ("_".join(parts) or "unlabelled")
