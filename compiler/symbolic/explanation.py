"""Everything `explain` says, gathered as data from the very programs and objectives that run (no torch)."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib import import_module

from compiler.symbolic.agreement import Agreement, agreements
from compiler.symbolic.cost import Cost, program_cost
from compiler.symbolic.derivation import derive
from compiler.symbolic.exact_text import sum_lines
from compiler.symbolic.lowering import every_pattern, given_in_part, label_without_count, lower, one_program_for_all
from compiler.symbolic.notation import UNICODE, Notation
from compiler.symbolic.objective import Objective
from compiler.symbolic.printing import contribution_lines, observed_text
from compiler.symbolic.program import Pattern, Program
from graphspec.graphs.graph import Graphs, View
from graphspec.language import OverRho, Schedule
from graphspec.language.objective import NumberKind
from graphspec.language.plates import shown


@dataclass(frozen=True)
class VariableNote:
    """One row of the table: what happens to a variable in one pattern, and why."""

    name: str
    role: str
    estimator: str
    axes: tuple[str, ...]
    weight: str
    reason: str


@dataclass(frozen=True)
class PatternExplanation:
    """One observation pattern: its program, its objective, a note per variable, its cost per row."""

    program: Program
    objective: Objective
    notes: tuple[VariableNote, ...]
    cost: Cost

    def lines(self, notation: Notation = UNICODE) -> list[str]:
        """The bound, one signed line per contribution."""
        return contribution_lines(self.program, self.objective, notation)

    def sums(self, notation: Notation = UNICODE) -> list[str]:
        """What every exact sum is, a line each."""
        return sum_lines(self.program, self.objective, notation)

    def head(self, notation: Notation = UNICODE) -> str:
        """`L(x, y)`."""
        return observed_text(self.program, notation)


@dataclass(frozen=True)
class Explanation:
    """A spec's objective, pattern by pattern; `skipped` patterns follow the same rules but are not listed.

    one_for_all: one masked program serves every row, whatever labels it has. agreements: what training adds to the
    loss beside the bound.
    """

    graphs: Graphs
    patterns: tuple[PatternExplanation, ...]
    skipped: int
    one_for_all: bool = False

    def _repr_html_(self) -> str:
        """As `graphspec explain` prints it, for a notebook. (By name: that file reads this one.)"""
        text: str = import_module("compiler.symbolic.explanation_text").as_text(self)
        return f"<pre>{escape(text)}</pre>"

    @property
    def agreements(self) -> tuple[Agreement, ...]:
        """The consistency regularisers."""
        return agreements(self.graphs)


def explain(graphs: Graphs) -> Explanation:
    """Derive and describe the objective of every observation pattern, and of labels that are given in part."""
    whole, vectors = every_pattern(graphs), given_in_part(graphs)
    if one_program_for_all(graphs):
        return Explanation(graphs, tuple(_explain_pattern(graphs, pattern) for pattern in whole), 0, one_for_all=True)
    patterns = [*reversed(whole), *([_in_part(graphs, vectors)] if vectors else [])]
    return Explanation(graphs, tuple(_explain_pattern(graphs, p) for p in patterns), _possible(graphs) - len(patterns))


def _in_part(graphs: Graphs, names: tuple[str, ...]) -> Pattern:
    """Rows with part of some labels, and with the counts that labels of elements imply."""
    pattern = Pattern((), masked=names)
    while (lacking := label_without_count(graphs, pattern)) is not None:
        labels = {*pattern.labels, lacking[1]}
        pattern = Pattern(tuple(name for name in graphs.supervised if name in labels), masked=names)
    return pattern


def _possible(graphs: Graphs) -> int:
    """Patterns that rows can have: of each label all, none, or part of its elements."""
    found = [Pattern(())]
    for name in graphs.supervised:
        whole = [Pattern((*each.labels, name), masked=each.masked) for each in found]
        part = [Pattern(each.labels, masked=(*each.masked, name)) for each in found]
        found += [*whole, *(part if name in given_in_part(graphs) else [])]
    return sum(label_without_count(graphs, pattern) is None for pattern in found)


def _explain_pattern(graphs: Graphs, pattern: Pattern) -> PatternExplanation:
    program = lower(graphs, pattern)
    axes: dict[str, tuple[str, ...]] = {}
    for step in (*program.recognition, *program.generative):
        axes.setdefault(step.factor.variable, step.value_axes)
    notes = tuple(_note(program, name, axes.get(name, ())) for name in graphs.variables)
    return PatternExplanation(program, derive(program), notes, program_cost(program))


def _note(program: Program, name: str, axes: tuple[str, ...]) -> VariableNote:
    graphs = program.graphs
    variable = graphs.variables[name]
    action, reason = _action(program, name)
    return VariableNote(shown(name), variable.role, action, axes, weight_text(program, name), reason)


def _action(program: Program, name: str) -> tuple[str, str]:
    plate = next((plate for plate, labels in program.sets.items() if name in labels), None)
    action, reason = _taken(program, name)
    return action, reason if plate is None else f"{reason}; one of a set, it goes to the element that q finds likeliest"


def _taken(program: Program, name: str) -> tuple[str, str]:
    graphs = program.graphs
    role = graphs.variables[name].role
    if role == "observed":
        return ("scored", "every row has it") if name in graphs.generative else ("given", "p does not model it")
    if role == "deterministic":
        factor = graphs.function(name)
        if factor.view is not None:
            return "read", seen_text(factor.view, factor.parents[1:])
        return "computed", f"a function of {', '.join(map(shown, factor.parents))}"
    if name in program.exact:
        return _summed(program, name)
    if name in program.clamped:
        if program.log_q_axes()[name]:
            above = ", ".join(n for n in program.hidden if n in program.upstream)
            return "clamped", f"its density weighs the draws of what is upstream: {above}"
        return "clamped", "nothing hidden is upstream: the label's term is exact"
    if name in program.certain:
        computed = f"a function of {', '.join(map(shown, graphs.recognition[name].parents))}, with certainty"
        return ("clamp, else computed" if name in program.pattern.masked else "computed"), computed
    choice = program.choices[name]
    action, reason = choice.estimator + (", KL closed" if choice.closed_kl else ""), choice.reason
    if choice.closed_kl or choice.estimator != "enumerate":
        reason += f"; {choice.closed_kl_reason}"
    if name in program.pattern.masked:
        return f"clamp, else {action}", f"what a row has is clamped; the rest: {reason}"
    return action, reason


def _summed(program: Program, name: str) -> tuple[str, str]:
    """Of an exact variable: what its sum runs over, and what it knows of labels."""
    over = program.exact[name].over
    others = [other for other in over.variables if other != name]
    together = f" together with {', '.join(others)}" if others else ""
    along = [plate for plate in program.graphs.variables[name].path if plate in over.chains]
    way = f" along {along[-1]}, from each element to the next" if along else ""
    held = ", given ones held" if name in program.labelled else ""
    return f"summed{held}", f"exact{together}{way}: its posterior is p's own"


def seen_text(view: View, counts: Sequence[str] = ()) -> str:
    """What a view is, in words; counts: what says which elements are there."""
    plates = " and ".join(view.taken)
    there = f", of those that are there by {' and '.join(counts)}" if counts else ""
    match view.kind:
        case "place":
            return f"the place in plate {plates}"
        case "previous" | "next":
            before = "before" if view.kind == "previous" else "behind"
            return f"{view.base} of the element {before}, zero and a flag where there is none"
        case "first" | "last":
            return f"{view.base} of the {view.kind} element of {plates}{there}"
        case _:
            return f"the {view.kind} of {view.base} over {plates}{there}"


def weight_text(program: Program, name: str) -> str:
    """`α = 50` of a label, `β = 4`, free bits `λ` and the temperature `τ` of a hidden variable, where they count."""
    section, choice = program.graphs.spec.objective, program.choices.get(name)
    kinds: dict[NumberKind, str] = {}
    if name in (*program.clamped, *program.pattern.masked):
        kinds["alpha"] = "α = "
    if choice is not None:
        kinds |= {"beta": "β = ", "total_correlation": "β = total correlation ", "free_bits": "λ = "}
        kinds |= {"temperature": "τ = "} if choice.estimator == "relax" else {}
    kinds |= {"beta": "β = "} if name in program.exact else {}
    written = {sign: section.number_of(kind, name) for kind, sign in kinds.items()}
    return ", ".join(f"{sign}{number_text(value)}" for sign, value in written.items() if value is not None)


def number_text(value: float | Schedule | OverRho) -> str:
    """`50`, `25/ρ`, `0 → 1 over 10 epochs`."""
    if isinstance(value, Schedule):
        return f"{value.start:g} → {value.to:g} over {value.epochs:g} epochs"
    if isinstance(value, OverRho):
        return f"{value.over_rho:g}/ρ"
    return f"{value:g}"


def row_weight_text(graphs: Graphs) -> str:
    """rho or gamma as written, and what it means."""
    objective = graphs.spec.objective
    if objective.gamma is not None:
        return f"γ = {objective.gamma:g}, the weight of a labelled row against an unlabelled one; ρ = γM / (N + γM)"
    rho = 0.5 if objective.rho is None else objective.rho
    return f"ρ = {rho:g}, the share of the total weight that labelled rows carry"
