"""The objective as text: Unicode for the terminal, LaTeX for a paper. Printed from the tree that is evaluated."""

from collections.abc import Sequence
from dataclasses import dataclass

from compiler.expression import (
    ClosedDivergence,
    Expectation,
    FreeBits,
    LogAggregate,
    LogDensity,
    LogEvidence,
    LogMean,
    Negative,
    Objective,
    Part,
    Sum,
    Term,
    Weight,
    Weighted,
)
from compiler.program import Program


@dataclass(frozen=True)
class Notation:
    """How one output language writes the pieces."""

    log: str
    given: str
    divergence: str
    names: dict[str, str]
    latex: bool

    def variable(self, name: str) -> str:
        """A variable's name."""
        return _latex_name(name) if self.latex else name

    def conditional(self, letter: str, name: str, parents: Sequence[str]) -> str:
        """p(x | y, z)."""
        inside = self.variable(name)
        if parents:
            inside += self.given + ", ".join(self.variable(parent) for parent in parents)
        return f"{letter}({inside})"

    @property
    def kl(self) -> str:
        """KL."""
        return r"\mathrm{KL}" if self.latex else "KL"

    def part(self, part: Part) -> str:
        """Which elements of a masked variable count."""
        if part == "all":
            return ""
        return rf"\,[\mathrm{{{part}}}]" if self.latex else f"[{part}]"

    def weight(self, weight: Weight) -> str:
        """alpha_y."""
        symbol = self.names[weight.kind]
        return f"{symbol}_{{{self.variable(weight.variable)}}}" if self.latex else f"{symbol}[{weight.variable}]"


UNICODE_NAMES = {
    "alpha": "α",
    "beta": "β",
    "free_bits": "λ",
    "mutual_information": "β_MI",
    "total_correlation": "β_TC",
    "dimension_wise": "β_DW",
}
LATEX_NAMES = {
    "alpha": r"\alpha",
    "beta": r"\beta",
    "free_bits": r"\lambda",
    "mutual_information": r"\beta^{\mathrm{MI}}",
    "total_correlation": r"\beta^{\mathrm{TC}}",
    "dimension_wise": r"\beta^{\mathrm{DW}}",
}

UNICODE = Notation("log ", " | ", " ‖ ", UNICODE_NAMES, latex=False)
LATEX = Notation(r"\log ", r" \mid ", r" \,\|\, ", LATEX_NAMES, latex=True)


def _latex_name(name: str) -> str:
    """One letter and digits become a subscript; longer names are upright, underscores escaped."""
    if len(name) == 1:
        return name
    if name[0].isalpha() and name[1:].isdigit():
        return f"{name[0]}_{{{name[1:]}}}"
    return r"\mathrm{" + name.replace("_", r"\_") + "}"


def term_text(program: Program, term: Term, notation: Notation = UNICODE) -> str:
    """A term as a formula."""
    return _Writer(program, notation).write(term)


class _Writer:
    def __init__(self, program: Program, notation: Notation) -> None:
        self.program = program
        self.n = notation

    def write(self, term: Term) -> str:
        n = self.n
        match term:
            case LogDensity(side, name, parents, part=part):
                return n.log + n.conditional(side, name, parents) + n.part(part)
            case ClosedDivergence(name, q_parents, p_parents, part=part):
                end = n.part(part)
                left, right = n.conditional("q", name, q_parents), n.conditional("p", name, p_parents)
                return rf"{n.kl}({left}{n.divergence}{right}){end}"
            case LogAggregate(name, form):
                return self._aggregate(name, form)
            case LogMean(inner):
                return self._log_mean(inner)
            case Negative(inner):
                return f"-{self._grouped(inner)}" if n.latex else f"−{self._grouped(inner)}"
            case Sum(terms):
                return self._sum(terms)
            case Expectation(measure, inner):
                return self._expectation(measure.labels, inner)
            case LogEvidence(labels):
                return self._evidence(labels)
            case Weighted(weight, inner):
                return f"{n.weight(weight)} {self._grouped(inner)}"
            case FreeBits(bits, inner, _):
                minimum = r"\min" if n.latex else "min"
                minus = "-" if n.latex else "−"
                return f"{minimum}({self.write(inner)}, {minus}{n.weight(bits)})"

    def _aggregate(self, name: str, form: str) -> str:
        variable = self.n.variable(name)
        if self.n.latex:
            return rf"\log q({variable})" if form == "joint" else rf"\textstyle\sum_d \log q({variable}_d)"
        return f"log q({variable})" if form == "joint" else f"Σ_d log q({variable}_d)"

    def _log_mean(self, inner: Term) -> str:
        listed = ", ".join(self.n.variable(name) for name in self.program.hidden)
        if self.n.latex:
            return rf"\log \mathbb{{E}}_{{g({listed})}}\!\left[\exp\left({self.write(inner)}\right)\right]"
        return f"log E_g({listed})[exp({self.write(inner)})]"

    def _sum(self, terms: Sequence[Term]) -> str:
        text = self.write(terms[0])
        for term in terms[1:]:
            piece = self.write(term)
            minus = piece[0] in "-−"
            sign = ("-" if self.n.latex else "−") if minus else "+"
            text += f" {sign} {piece[1:] if minus else piece}"
        return text

    def _grouped(self, term: Term) -> str:
        text = self.write(term)
        return f"({text})" if isinstance(term, Sum) and len(term.terms) > 1 else text

    def _expectation(self, labels: Sequence[str], inner: Term) -> str:
        names = self._averaged(labels, inner)
        if not names:
            return self.write(inner)
        listed = ", ".join(self.n.variable(name) for name in names)
        if self.n.latex:
            under = rf"g({listed})" + (rf"\,w({', '.join(self.n.variable(name) for name in labels)})" if labels else "")
            return rf"\mathbb{{E}}_{{{under}}}\!\left[{self.write(inner)}\right]"
        under = f"g({listed})" + (f"·w({', '.join(labels)})" if labels else "")
        return f"E_{under}[{self.write(inner)}]"

    def _averaged(self, labels: Sequence[str], inner: Term) -> list[str]:
        """Hidden variables that the expectation is really over: those the term or the weights depend on."""
        relevant = _hidden_in(self.program, inner) | {
            name for label in labels for name in _hidden_above(self.program, label)
        }
        return [name for name in self.program.hidden if name in relevant]

    def _evidence(self, labels: Sequence[str]) -> str:
        names = sorted({name for label in labels for name in _hidden_above(self.program, label)})
        order = [name for name in self.program.hidden if name in names]
        listed = ", ".join(self.n.variable(name) for name in order)
        parents = {s.factor.variable: s.factor.parents for s in self.program.recognition}
        product = " ".join(self.n.conditional("q", label, parents[label]) for label in labels)
        if self.n.latex:
            return rf"\log \mathbb{{E}}_{{g({listed})}}\!\left[{product}\right]"
        return f"log E_g({listed})[{product}]"


def _parents(program: Program, side: str) -> dict[str, tuple[str, ...]]:
    steps = program.recognition if side == "q" else program.generative
    return {step.factor.variable: step.factor.parents for step in steps}


def _hidden_in(program: Program, term: Term) -> set[str]:
    match term:
        case LogDensity(_, name, parents):
            return _resolve(program, (name, *parents))
        case ClosedDivergence(_, q_parents, p_parents):
            return _resolve(program, (*q_parents, *p_parents))
        case Sum(terms):
            return set().union(*(_hidden_in(program, inner) for inner in terms))
        case LogAggregate(name):
            return _resolve(program, (name,))
        case Negative(inner) | Weighted(_, inner) | FreeBits(_, inner, _) | Expectation(_, inner) | LogMean(inner):
            return _hidden_in(program, inner)
        case LogEvidence(_):
            return set()


def _resolve(program: Program, names: Sequence[str]) -> set[str]:
    """Hidden variables among `names`, seen through deterministic ones."""
    hidden, functions = set(program.hidden), {}
    for step in (*program.recognition, *program.generative):
        if step.action == "compute":
            functions[step.factor.variable] = step.factor.parents
    found, pending, seen = set(), list(names), set()
    while pending:
        name = pending.pop()
        if name in seen:
            continue
        seen.add(name)
        if name in hidden:
            found.add(name)
        pending.extend(functions.get(name, ()))
    return found


def _hidden_above(program: Program, label: str) -> set[str]:
    """Hidden variables that a label's recognition factor depends on, directly or through others."""
    parents = _parents(program, "q")
    found: set[str] = set()
    pending = list(_resolve(program, parents[label]))
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending.extend(_resolve(program, parents[name]))
    return found


def contribution_lines(program: Program, objective: Objective, notation: Notation = UNICODE) -> list[str]:
    """One signed line per contribution, ready to be stacked under `L =`."""
    lines = []
    for position, contribution in enumerate(objective.contributions):
        text = term_text(program, contribution.term, notation)
        minus = text[0] in "-−"
        lead = ("−" if not notation.latex else "-") if minus else ("+" if position else " ")
        lines.append(f"{lead} {text[1:] if minus else text}")
    return lines


def observed_text(program: Program, notation: Notation = UNICODE) -> str:
    """`L(x, y)`: what the row has."""
    names = (*program.graphs.observed, *program.clamped)
    return (
        f"L({', '.join(notation.variable(name) for name in names)})"
        if not notation.latex
        else (r"\mathcal{L}(" + ", ".join(notation.variable(name) for name in names) + ")")
    )
