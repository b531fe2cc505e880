"""The objective's tree as statements: one function per observation pattern, from the object that runs.

Each contribution is introduced by its formula, as `explain` prints it. Weights of expectations stay logarithms until
the last step, and axes are summed out in the order that the evaluator takes.
"""

from dataclasses import dataclass

from compiler.elimination import closure, elimination_order
from compiler.emission.densities import DensityWriter
from compiler.emission.function import Symbol
from compiler.emission.plan import PatternCode, Plan, TensorKind
from compiler.emission.text import INDENT, added, comment, docstring, grouped, statement
from compiler.emission.weights import WeightName
from compiler.emission.writing import refused
from compiler.expression import (
    ClosedDivergence,
    Contribution,
    Expectation,
    FreeBits,
    LogDensity,
    LogEvidence,
    Measure,
    Negative,
    Sum,
    Term,
    Weighted,
)
from compiler.execution import doubly_reparameterized
from compiler.naming import SAMPLES, canonical
from compiler.printing import observed_text, term_text
from compiler.program import Axes
from graphspec.diagnostics import SpecError


@dataclass(frozen=True)
class BoundCode:
    """A pattern's function, the tensors it takes (variable and kind -> name), and what else it needs."""

    lines: list[str]
    arguments: dict[tuple[str, TensorKind], str]
    extras: tuple[str, ...]
    weights: tuple[WeightName, ...]


def write_bound(plan: Plan, code: PatternCode, noisy: frozenset[str]) -> BoundCode:
    """The function of one pattern. Raises SpecError (GS090) for a term or family that has no code yet."""
    writer = BoundWriter(plan, code, noisy)
    body = writer.body()
    first = writer.like()
    extras = tuple(name for name in EXTRAS if name in writer.extras)
    order = list(plan.tensors)
    arguments = dict(sorted(writer.arguments.items(), key=lambda item: (place(plan, item[0][0]), order.index(item[0]))))
    listed = [f"{name}: Tensor" for name in arguments.values()]
    listed += ["generator: torch.Generator", *(f"{name}: {EXTRAS[name]}" for name in extras)]
    lines = [
        *statement(f"def {code.function}({', '.join(['model: Model', *listed])}) -> Tensor:", 0),
        *docstring(f"{observed_text(code.program)} of {code.pattern}, nats [B]; larger is better."),
        *([f"{INDENT}batch = len({first})"] if writer.uses_batch else []),
        *body,
    ]
    return BoundCode(lines, arguments, extras, tuple(writer.weights))


def place(plan: Plan, name: str) -> int:
    """Where a variable's arguments stand: in the order declared."""
    return list(plan.identifiers).index(name)


class BoundWriter(DensityWriter):
    """Walks one objective. Every method that gives code writes the statements it needs first."""

    def __init__(self, plan: Plan, code: PatternCode, noisy: frozenset[str]) -> None:
        super().__init__(plan, code, noisy, doubly=doubly_reparameterized(code.program))
        self.objective = code.objective
        self._enumerated = {name: self.program.log_q_axes()[name] for name in self.program.enumerated}
        self._masked = frozenset(self.program.pattern.masked)
        self._probabilities: dict[tuple[Measure, Axes], Symbol] = {}
        self._evidence: dict[tuple[str, ...], str] = {}

    def body(self) -> list[str]:
        """Statements from the first value to the sum of all contributions."""
        self.run()
        names = []
        for contribution in self.objective.contributions:
            self._introduce(contribution)
            if contribution.name == "importance weights" and self._cancels():
                self.lines += comment("one draw has weight one: −log w and log q^ cancel")
                for label in self.program.weighing_labels():
                    self._label(label)
                continue
            wanted = "gain_" + contribution.name.removeprefix("KL ") if contribution.name.startswith("KL ") else (
                contribution.name.replace("log p(", "likelihood_").replace("log q(", "label_").rstrip(")")
            )  # fmt: skip
            names.append(self._bound_to(wanted.replace(" ", "_"), self._signed(contribution.term)))
        self.lines.append("")
        self.write(f"return {added(names)}")
        return self.lines

    def _introduce(self, contribution: Contribution) -> None:
        if self.lines:
            self.lines.append("")
        self.lines += comment(f"{contribution.name}: {term_text(self.program, contribution.term)}")

    def _bound_to(self, wanted: str, code: str) -> str:
        return self.assign(wanted, code)

    def _cancels(self) -> bool:
        axes = self.program.label_axes()
        return not any(self.plan.axes(axes[name]) for name in self.program.weighing_labels())

    # terms without axes

    def _signed(self, term: Term) -> str:
        """Code of a term that varies over no axis (sums of them, weighted)."""
        match term:
            case LogDensity() | ClosedDivergence():
                return self._leaf(term).code
            case Negative(inner):
                return f"-{grouped(self._signed(inner))}"
            case Sum(terms):
                return added([self._summand(inner) for inner in terms])
            case Expectation(measure, inner):
                return self._expectation(measure, inner)
            case LogEvidence(labels):
                return self._log_evidence(labels)
            case Weighted(weight, inner):
                return f"{self.weight(weight.kind, weight.variable)} * {grouped(self._signed(inner))}"
            case FreeBits(bits, inner):
                return f"({self._signed(inner)}).clamp_max(-{self.weight(bits.kind, bits.variable)})"
            case _:
                raise self._without_code(term)

    def _summand(self, term: Term) -> str:
        code = self._signed(term)
        return f"({code})" if code.startswith("-") and not isinstance(term, Negative) else code

    def _without_code(self, term: object) -> SpecError:
        return refused(self.plan.graphs, ("objective",), f"the term {type(term).__name__} of the objective")

    def _leaf(self, term: LogDensity | ClosedDivergence) -> Symbol:
        match term:
            case LogDensity(side, name, part=part):
                return self.log_density(side, name, part)
            case ClosedDivergence(name, part=part):
                return self.divergence(name, part)

    def _label(self, name: str) -> Symbol:
        return self.log_density("q", name, "given" if name in self._masked else "all")

    # expectations

    def _expectation(self, measure: Measure, term: Term) -> str:
        """E[term]: parts that vary over the same axes share one average."""
        groups: dict[Axes, list[str]] = {}
        for sign, symbol in self._parts(measure, term, ""):
            groups.setdefault(symbol.axes, []).append(sign + symbol.code)
        return added([self._average(measure, Symbol(axes, added(codes))) for axes, codes in groups.items()])

    def _parts(self, measure: Measure, term: Term, sign: str) -> list[tuple[str, Symbol]]:
        match term:
            case Sum(terms):
                return [part for inner in terms for part in self._parts(measure, inner, sign)]
            case Negative(inner):
                return self._parts(measure, inner, "" if sign else "-")
            case LogDensity() | ClosedDivergence():
                symbol = self._leaf(term)
                self._touch(measure, symbol.axes)
                return [(sign, symbol)] if not (sign and symbol.code.startswith("-")) else [("", Symbol(symbol.axes, symbol.code[1:]))]
            case _:
                raise self._without_code(term)

    def _touch(self, measure: Measure, axes: Axes) -> None:
        """Densities that the weights need, in the order in which the evaluator asks for them."""
        if not axes or (axes == (SAMPLES,) and not measure.labels):
            return
        self._factors(measure, axes)

    def _factors(self, measure: Measure, axes: Axes) -> tuple[list[Symbol], bool]:
        """Log factors of a measure over `axes`, and whether the samples are among what it averages over."""
        labels = [self._label(name) for name in measure.labels]
        start = canonical((*axes, *(axis for label in labels for axis in label.axes)))
        needed = closure(start, self._enumerated)
        return [*labels, *(self.log_axis(axis) for axis in needed if axis != SAMPLES)], SAMPLES in needed

    def _average(self, measure: Measure, value: Symbol) -> str:
        """E[value], no axes left."""
        shown = self.plan.axes(value.axes)
        if not shown:
            return value.code
        if value.code.startswith("-") and value.code[1:].isidentifier():
            return f"-{self._average(measure, Symbol(value.axes, value.code[1:]))}"
        factors, _ = self._factors(measure, value.axes)
        carried = {axis for factor in factors for axis in self.plan.axes(factor.axes)}
        body = value.code if value.atomic else f"({value.code})"
        if shown[0] == SAMPLES and SAMPLES not in carried:
            if shown == (SAMPLES,):
                return f"{body}.mean(0)"
            value, shown = Symbol(shown[1:], f"{body}.mean(0)"), shown[1:]
        weights = self._probability(measure, value.axes)
        product = f"{self.placed(weights, value.axes)} * {grouped(value.code)}"
        dims = "0" if len(shown) == 1 else str(tuple(range(len(shown))))
        return f"({product}).sum({dims})"

    def _probability(self, measure: Measure, axes: Axes) -> Symbol:
        """The measure summed down to `axes`, as probabilities; written once."""
        axes = self.plan.axes(axes)
        key = (measure, axes)
        if key in self._probabilities:
            return self._probabilities[key]
        factors, sampled = self._factors(measure, axes)
        weighing = [f for f in factors[: len(measure.labels)] if self.plan.axes(f.axes)]
        log_weight = self._eliminated([*weighing, *factors[len(measure.labels) :]], axes)
        shown = "_".join("samples" if axis == SAMPLES else self.plan.identifiers[axis] for axis in log_weight.axes)
        dims = "0" if len(log_weight.axes) == 1 else str(tuple(range(len(log_weight.axes))))
        if weighing and dims == "0":
            code = f"torch.softmax({log_weight.code}, dim=0)"
        elif weighing:
            name = log_weight.code if log_weight.atomic else self.assign(f"log_weight_{shown}", log_weight.code)
            code = f"({name} - torch.logsumexp({name}, dim={dims})).exp()"
        else:
            minus = " - math.log(SAMPLES)" if sampled and self.plan.samples > 1 else ""
            code = f"({log_weight.code}{minus}).exp()" if minus or not log_weight.atomic else f"{log_weight.code}.exp()"
        wanted = ("weight_" if weighing else "prob_") + shown
        found = Symbol(log_weight.axes, self.assign(wanted, code, log_weight.axes))
        self._probabilities[key] = found
        return found

    def _eliminated(self, factors: list[Symbol], keep: Axes) -> Symbol:
        """log of the sum over every axis outside `keep` of the product of the factors."""
        current = [Symbol(self.plan.axes(factor.axes), factor.code) for factor in factors]
        order, _ = elimination_order([factor.axes for factor in current], keep, dict(self.program.sizes))
        for axis in order:
            joined = self._joined([factor for factor in current if axis in factor.axes])
            rest = tuple(other for other in joined.axes if other != axis)
            shown = "_".join("samples" if other == SAMPLES else self.plan.identifiers[other] for other in rest)
            code = f"torch.logsumexp({joined.code}, dim={joined.axes.index(axis)})"
            name = self.assign(f"log_sum_{shown}".rstrip("_"), code, rest)
            current = [factor for factor in current if axis not in factor.axes] + [Symbol(rest, name)]
        return self._joined(current)

    def _joined(self, factors: list[Symbol]) -> Symbol:
        axes = canonical(axis for factor in factors for axis in factor.axes)
        return Symbol(axes, added([self.placed(factor, axes) for factor in factors]))

    def _log_evidence(self, labels: tuple[str, ...]) -> str:
        """log of the mean under g of the product of the labels' densities."""
        if labels not in self._evidence:
            factors, sampled = self._factors(Measure(labels), ())
            found = self._eliminated(factors, ())
            minus = " - math.log(SAMPLES)" if sampled and self.plan.samples > 1 else ""
            wanted = "log_evidence_" + "_".join(self.plan.identifiers[label] for label in labels)
            code = f"{found.code}{minus}"
            self._evidence[labels] = code if code.isidentifier() else self.assign(wanted, code)
        return self._evidence[labels]
