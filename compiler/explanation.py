"""Everything `explain` says, gathered as data from the very programs and objectives that run (no torch)."""

from collections.abc import Mapping
from dataclasses import dataclass

from compiler.cost import Cost, program_cost
from compiler.derivation import derive
from compiler.expression import Objective
from compiler.lowering import every_pattern, lower
from compiler.printing import UNICODE, Notation, contribution_lines, observed_text
from compiler.program import Pattern, Program
from graphspec.graph import Graphs
from graphspec.schema import OverRho, Schedule, TotalCorrelation

PATTERN_LIMIT = 16
"""Above this many patterns only the fully labelled, singly labelled and unlabelled ones are explained."""


@dataclass(frozen=True)
class VariableNote:
    """One row of the table: what happens to a variable in one pattern, and why."""

    name: str
    role: str
    action: str
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

    def head(self, notation: Notation = UNICODE) -> str:
        """`L(x, y)`."""
        return observed_text(self.program, notation)


@dataclass(frozen=True)
class Explanation:
    """A spec's objective, pattern by pattern; `skipped` patterns follow the same rules but are not listed."""

    graphs: Graphs
    patterns: tuple[PatternExplanation, ...]
    skipped: int


def explain(graphs: Graphs) -> Explanation:
    """Derive and describe the objective of every observation pattern (a selection above `PATTERN_LIMIT`)."""
    count = 2 ** len(graphs.supervised)
    patterns = every_pattern(graphs) if count <= PATTERN_LIMIT else _selection(graphs)
    return Explanation(graphs, tuple(_explain_pattern(graphs, p) for p in reversed(patterns)), count - len(patterns))


def _selection(graphs: Graphs) -> tuple[Pattern, ...]:
    singles = tuple(Pattern((name,)) for name in graphs.supervised)
    return (Pattern(graphs.supervised), *singles, Pattern(()))


def _explain_pattern(graphs: Graphs, pattern: Pattern) -> PatternExplanation:
    program = lower(graphs, pattern)
    notes = tuple(_note(program, name) for name in graphs.variables)
    return PatternExplanation(program, derive(program), notes, program_cost(program))


def _note(program: Program, name: str) -> VariableNote:
    graphs = program.graphs
    variable = graphs.variables[name]
    step = next((s for s in (*program.recognition, *program.generative) if s.factor.variable == name), None)
    axes = () if step is None else step.value_axes
    action, reason = _action(program, name)
    return VariableNote(name, variable.role, action, axes, weight_text(graphs, name, name in program.clamped), reason)


def _action(program: Program, name: str) -> tuple[str, str]:
    graphs = program.graphs
    role = graphs.variables[name].role
    if role == "observed":
        return ("scored", "every row has it") if name in graphs.generative else ("given", "p does not model it")
    if role == "deterministic":
        return "computed", f"a function of {', '.join(graphs.function(name).parents)}"
    if name in program.clamped:
        if program.log_q_axes()[name]:
            above = ", ".join(n for n in program.hidden if n in program.upstream)
            return "clamped", f"its density weighs the draws of what is upstream: {above}"
        return "clamped", "nothing hidden is upstream: the label's term is exact"
    choice = program.choices[name]
    if choice.closed_kl:
        return f"{choice.estimator}, KL closed", f"{choice.reason}; {choice.closed_kl_reason}"
    suffix = f"; {choice.closed_kl_reason}" if choice.estimator != "enumerate" else ""
    return choice.estimator, choice.reason + suffix


def weight_text(graphs: Graphs, name: str, clamped: bool) -> str:
    """`α = 50` for a clamped label, `β = 4` (and free bits) for a hidden variable whose weight is not 1."""
    objective = graphs.spec.objective
    role = graphs.variables[name].role
    if clamped:
        alpha = objective.alpha.get(name, 50.0) if isinstance(objective.alpha, dict) else objective.alpha
        return f"α = {_number(alpha)}"
    if role in ("latent", "supervised"):
        parts = [f"β = {_number(objective.beta[name])}"] if name in objective.beta else []
        parts += [f"λ = {_number(objective.free_bits[name])}"] if name in objective.free_bits else []
        return ", ".join(parts)
    return ""


def _number(value: float | Schedule | OverRho | TotalCorrelation) -> str:
    if isinstance(value, Schedule):
        return f"{value.start:g} → {value.to:g} over {value.epochs:g} epochs"
    if isinstance(value, OverRho):
        return f"{value.over_rho:g}/ρ"
    if isinstance(value, TotalCorrelation):
        return f"total correlation {_number(value.total_correlation)}"
    return f"{value:g}"


def row_weight_text(graphs: Graphs, counts: Mapping[str, int] | None = None) -> str:
    """rho or gamma as written, and what it means for given counts {labelled, unlabelled}."""
    objective = graphs.spec.objective
    if not graphs.supervised:
        return "no variable is supervised: L is the mean over all rows"
    text = f"γ = {objective.gamma:g}" if objective.gamma is not None else f"ρ = {objective.rho or 0.5:g}"
    if counts:
        share = objective.labelled_share(counts["labelled"], counts["unlabelled"])
        text += f" with M = {counts['labelled']} and N = {counts['unlabelled']}: labelled rows carry {share:.3g}"
    return text
