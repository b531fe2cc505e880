"""The objective's tree as statements: one function per observation pattern, from the object that runs.

Each contribution is introduced by its formula, as `explain` prints it.
"""

from dataclasses import dataclass
from typing import cast

from compiler.emission.emission_plan import EmissionPlan, PatternCode, TensorKind
from compiler.emission.expectations import ExpectationWriter
from compiler.emission.function import Symbol
from compiler.emission.objective_weights import WeightName
from compiler.emission.text import INDENT, added, docstring, grouped, statement
from compiler.emission.writing import refused
from compiler.symbolic.axis_names import SAMPLES
from compiler.symbolic.objective import (
    ClosedDivergence,
    Contribution,
    Expectation,
    FreeBits,
    LogAggregate,
    LogDensity,
    LogEvidence,
    LogMean,
    Measure,
    Negative,
    Part,
    Sum,
    Term,
    Weighted,
    walk,
)
from compiler.symbolic.printing import observed_text, term_text
from compiler.symbolic.program import Axes
from graphspec.diagnostics import SpecError

EXTRAS = {
    "epoch": "float", "rho": "float", "data_rows": "int | None", "labelled_rows": "int | None",
    "unlabelled_rows": "int | None",
}  # fmt: skip
"""Arguments that some weights and terms need, and their types."""


@dataclass(frozen=True)
class BoundCode:
    """A pattern's function, the tensors it takes (variable and kind -> name), and what else it needs."""

    lines: list[str]
    arguments: dict[tuple[str, TensorKind], str]
    extras: tuple[str, ...]
    weights: tuple[WeightName, ...]


def write_bound(plan: EmissionPlan, code: PatternCode, noisy: frozenset[str]) -> BoundCode:
    """The function of one pattern. Raises SpecError (GS090) for a term or family that has no code yet."""
    writer = BoundWriter(plan, code, noisy)
    body = writer.body(code)
    first = writer.like()
    extras = tuple(name for name in EXTRAS if name in writer.extras)
    order = list(plan.tensors)
    arguments = dict(
        sorted(writer.arguments.items(), key=lambda item: (_place(plan, item[0][0]), order.index(item[0])))
    )
    listed = [f"{name}: Tensor" for name in arguments.values()]
    listed += ["generator: torch.Generator", *(f"{name}: {EXTRAS[name]}" for name in extras)]
    lines = [
        *statement(f"def {code.function}({', '.join(['model: Model', *listed])}) -> Tensor:", 0),
        *docstring(f"{observed_text(code.program)} of {code.pattern}, nats [B]; larger is better."),
        *([f"{INDENT}batch = len({first})", ""] if writer.uses_batch else []),
        *body,
    ]
    return BoundCode(lines, arguments, extras, tuple(writer.weights))


def _place(plan: EmissionPlan, name: str) -> int:
    """Where a variable's arguments stand: in the order declared."""
    return list(plan.identifiers).index(name)


class BoundWriter(ExpectationWriter):
    """Walks one objective. Every method that gives code writes the statements it needs first."""

    def body(self, code: PatternCode) -> list[str]:
        """Statements from the first value to the sum of all contributions."""
        self.run()
        if not self.program.scored:
            self.write(f"return {self.total(code)}")
        elif self.plan.samples == 1:
            total = self.total(code)
            self.write(f"return with_score({total}, {added(self._scored())})")
        else:
            self._with_baselines(code)
        return self.without_unused()

    def total(self, code: PatternCode) -> str:
        """Statements of every contribution; code of their sum."""
        names = []
        for contribution in code.objective.contributions:
            self._introduce(contribution)
            if contribution.name == "importance weights" and self._cancels():
                self.remarks("one draw has weight one: −log w and log q^ cancel")
                for label in self.program.weighing_labels():
                    self.label_density(label)
                continue
            found = self._term(contribution.term)
            names.append(found if _simple(found) else self.assign(self._wanted(contribution), found))
        self.lines.append("")
        return added(names)

    def _scored(self) -> list[str]:
        """log q of every draw without a pathwise gradient."""
        if any(isinstance(t, LogAggregate) for c in self.pattern.objective.contributions for t in walk(c.term)):
            raise refused(self.plan.graphs, ("objective", "beta"), "total correlation beside the score function")
        masked = self.program.pattern.masked
        parts = ((name, "hidden" if name in masked else "all") for name in self.program.scored)
        return [self.log_density("q", name, cast(Part, part)).code for name, part in parts]

    def _with_baselines(self, code: PatternCode) -> None:
        """All log densities first, then their estimate as a function of the draws: each draw is left out once."""
        rehearsal = BoundWriter(self.plan, code, self.noisy)
        rehearsal.run()
        rehearsal.total(code)
        self.note("log densities at the draws")
        found = [self.ask(leaf) for leaf in rehearsal.asked]
        log_q = self._scored()
        names = [symbol.code for symbol in found if SAMPLES in symbol.axes]
        estimate = self.names.fresh("estimate")
        self.lines.append("")
        self.write(f"def {estimate}({', '.join(f'{name}: Tensor' for name in names)}) -> Tensor:")
        self.level, self.samples = 2, f"len({names[0]})" if names else "SAMPLES"
        self.lines += docstring("The bound [B] from these draws.", 2)
        self.write(f"return {self.total(code)}")
        self.level, self.samples = 1, "SAMPLES"
        self.lines.append("")
        self.write(f"return with_scores({', '.join([estimate, added(log_q), *names])})")

    def _introduce(self, contribution: Contribution) -> None:
        """A comment: the contribution's name and formula."""
        if self.lines:
            self.lines.append("")
        formula = term_text(self.program, contribution.term)
        self.remarks(formula if formula == contribution.name else f"{contribution.name}: {formula}")

    def _wanted(self, contribution: Contribution) -> str:
        """A local name: `likelihood_x`, `gain_z`, `label_y`."""
        kind, _, rest = contribution.name.replace("log p(", "likelihood ").replace("log q(", "label ").partition(" ")
        words = f"{'gain' if kind == 'KL' else kind} {rest.rstrip(')')}"
        return "_".join(self.plan.identifiers.get(word, word) for word in words.split())

    def _cancels(self) -> bool:
        axes = self.program.label_axes()
        return not any(self.plan.axes(axes[name]) for name in self.program.weighing_labels())

    def _term(self, term: Term) -> str:
        """Code of a term that varies over no axis."""
        match term:
            case LogDensity() | ClosedDivergence() | LogAggregate():
                return self._leaf(term).code
            case Negative(inner):
                return f"-{grouped(self._term(inner))}"
            case Sum(terms):
                return added([self._summand(inner) for inner in terms])
            case Expectation(measure, inner):
                return self._expectation(measure, inner)
            case LogEvidence(labels):
                return self.log_evidence(labels)
            case LogMean(inner):
                signed = [Symbol(s.axes, f"{sign}{s.code}") for sign, s in self._parts(None, inner, "")]
                return self.log_mean(self._signed_sum(signed))
            case Weighted(weight, inner):
                return f"{self.weight(weight.kind, weight.variable)} * {grouped(self._term(inner))}"
            case FreeBits(bits, inner, masked):
                code = self._term(inner)
                floored = f"({code}).clamp_max(-{self.weight(bits.kind, bits.variable)})"
                if not masked:
                    return floored
                given = self.argument(bits.variable, "given")
                shape = self.plan.graphs.variables[bits.variable].shape
                return f"torch.where({f'{given}.flatten(1).all(1)' if shape else given}, {code}, {floored})"
            case _:
                raise self._without_code(term)

    def _summand(self, term: Term) -> str:
        code = self._term(term)
        return f"({code})" if code.startswith("-") and not isinstance(term, Negative) else code

    def _without_code(self, term: object) -> SpecError:
        return refused(self.plan.graphs, ("objective",), f"the term {type(term).__name__} of the objective")

    def _leaf(self, term: LogDensity | ClosedDivergence | LogAggregate) -> Symbol:
        match term:
            case LogDensity(side, name, part=part):
                return self.log_density(side, name, part)
            case ClosedDivergence(name, part=part):
                return self.divergence(name, part)
            case LogAggregate():
                return self.aggregate(term)

    def _expectation(self, measure: Measure, term: Term) -> str:
        """E[term]: parts that vary over the same axes share one average."""
        groups: dict[Axes, list[str]] = {}
        for sign, symbol in self._parts(measure, term, ""):
            groups.setdefault(self.plan.axes(symbol.axes), []).append(f"{sign}{symbol.code}")
        return added([self.average(measure, Symbol(axes, added(codes))) for axes, codes in groups.items()])

    def _parts(self, measure: Measure | None, term: Term, sign: str) -> list[tuple[str, Symbol]]:
        """Leaves of a sum with their signs."""
        match term:
            case Sum(terms):
                return [part for inner in terms for part in self._parts(measure, inner, sign)]
            case Negative(inner):
                return self._parts(measure, inner, "" if sign else "-")
            case LogDensity() | ClosedDivergence() | LogAggregate():
                symbol = self._leaf(term)
                if measure is not None:
                    self.touch(measure, symbol.axes)
                return [(sign, symbol)]
            case _:
                raise self._without_code(term)

    def _signed_sum(self, parts: list[Symbol]) -> Symbol:
        """A sum of signed names on the union of their axes."""
        placed = []
        axes = self.joined([Symbol(part.axes, "0") for part in parts]).axes
        for part in parts:
            sign, code = ("-", part.code[1:]) if part.code.startswith("-") else ("", part.code)
            placed.append(sign + self.placed(Symbol(part.axes, code), axes))
        return Symbol(axes, added(placed))


def _simple(code: str) -> bool:
    """A name, or minus one: it needs no other."""
    return code.removeprefix("-").isidentifier()
