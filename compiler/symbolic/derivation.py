"""From a `Program` to its `Objective` (design, section 3; docs/objective.md has the derivation).

For clamped labels y and hidden variables h, g(h) = prod q(h_i | parents), log w = sum_j log q(y_j | parents):

    L = E_w[ log p(x, y, h) - log g(h) - log w ] + log q^(y | x) + sum_j alpha_j * (label j's part of log q^(y | x))

E_w weighs g by w, self-normalised. A label whose density varies over no axis cancels between -log w and log q^, so it
is left out of both: with no hidden variable upstream of a label this is alpha log q(y | x) + E_g[log p - log g], exact.
A value computed with certainty has log density 0 in p and in q wherever it is weighed at all: only log q^ contains it.
A masked variable counts with its given elements as a label and with the others as a hidden variable.
Exact variables are summed out of p: log Z, or log Z(y) with their labels held, stands for all factors of p that touch
them, and log Z(y) - log Z for the density of their labels.
Not here: any number, any tensor.
"""

from collections.abc import Sequence
from itertools import starmap

from compiler.symbolic.axis_names import canonical, without_plates
from compiler.symbolic.objective import (
    ClosedDivergence,
    Contribution,
    Expectation,
    FreeBits,
    LogAggregate,
    LogDensity,
    LogEvidence,
    LogMean,
    LogOrders,
    LogSum,
    Measure,
    Negative,
    Objective,
    OwnMean,
    Part,
    PlateSum,
    Sum,
    Term,
    There,
    Weight,
    Weighted,
    WeightKind,
)
from compiler.symbolic.program import Axes, Program, Step, Summed
from graphspec.graphs.coupling import is_certain
from graphspec.language import TotalCorrelation


def derive(program: Program) -> Objective:
    """The objective of one observation pattern, as a sum of named contributions."""
    return _Derivation(program).objective()


class _Derivation:
    """The steps of one program by variable, and the pieces of its objective."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.section = program.graphs.spec.objective
        self.q = {s.factor.variable: s for s in program.recognition if s.action != "compute"}
        self.p = {s.factor.variable: s for s in program.generative if s.action == "score"}
        self.hidden = program.hidden
        self.weighing = program.weighing_labels()
        self.measure = Measure(self.weighing)
        self.apart = program.elements_apart()
        self._factors: dict[str, tuple[tuple[str, Term], ...]] = {}

    def objective(self) -> Objective:
        if self.section.bound == "importance_weighted":
            return Objective(self.program.pattern, (self._importance_weighted(), *self._label_terms()))
        outside = (name for name in self.hidden if name not in self.program.own)
        contributions = [
            *self._likelihoods(),
            *map(self._summed_out, self.program.sums),
            *(part for name in outside for part in self._divergences(name)),
            *self._importance(),
            *self._label_terms(),
            *starmap(self._orders, self.program.sets.items()),
        ]
        return Objective(self.program.pattern, tuple(contributions))

    def _density(self, step: Step, part: Part = "all") -> LogDensity:
        """A leaf. What a row has varies with the parents only; the rest with the variable's own axes too."""
        axes = step.parent_axes if part == "given" else step.density_axes
        return LogDensity("p" if step.factor.side == "generative" else "q", step.factor.variable, step.factor.parents,
                          axes, part)  # fmt: skip

    def _label(self, name: str) -> Term:
        """log q of one label: of the elements a row has; of an exact one, what it adds to the labels before it."""
        if name in self.program.exact:
            before = self.program.held_before(name)
            return Sum((self._log_sum(name, (*before, name)), Negative(self._log_sum(name, before))))
        return self._density(self.q[name], "given" if self.q[name].masked else "all")

    def _expected(self, name: str, term: Term, axes: Axes, measure: Measure | None = None) -> Term:
        """E[term] of one variable, of all elements; a term that varies over nothing is its own expectation."""
        there = self._there(name, term)
        varies = without_plates(axes) or there is not term
        return self._whole(name, Expectation(measure or self.measure, there) if varies else term)

    def _plates(self, name: str) -> tuple[str, ...]:
        return self.program.plates_of(name)

    def _may_be_absent(self, name: str) -> bool:
        """Which elements of a variable are there is not known: the count is hidden."""
        return bool(self.program.hidden_counts(self.program.graphs.variables[name].path))

    def _there(self, name: str, term: Term) -> Term:
        """A term of one variable, of the elements that are there by each value of a hidden count."""
        if not self._may_be_absent(name):
            return term
        if isinstance(term, Negative):
            return Negative(There(self._plates(name), term.term))
        return There(self._plates(name), term)

    def _whole(self, name: str, term: Term) -> Term:
        """A term of one variable, added up over the elements that a row has of it."""
        plates = self._plates(name)
        return PlateSum(plates, term, self._may_be_absent(name)) if plates else term

    # what is summed out of p

    def _summed_out(self, summed: Summed) -> Contribution:
        """log Z with all labels held, of one exact sum; beta times where it has one."""
        first, labelled = summed.over.variables[0], self.program.labelled
        term = self._log_sum(first, tuple(name for name in labelled if name in summed.over.variables))
        weight = self._beta(first)
        plain = self._expected(first, term, summed.axes)
        weighted = plain if weight is None else Weighted(weight, plain)
        return Contribution(f"log Z({', '.join(summed.over.variables)})", weighted, plain)

    def _beta(self, name: str) -> Weight | None:
        return Weight("beta", name) if name in self.section.beta else None

    def _log_sum(self, name: str, labels: tuple[str, ...]) -> LogSum:
        summed = self.program.exact[name]
        variables = summed.over.variables
        if variables[0] not in self._factors:
            self._factors[variables[0]] = tuple((f, self._inside(summed, f)) for f in summed.over.factors)
        return LogSum(variables, self._factors[variables[0]], labels, summed.axes, self._beta(variables[0]))

    def _inside(self, summed: Summed, name: str) -> Term:
        """What one factor of p adds within an exact sum: of what is hidden, with its weight."""
        own, exact = summed.over.own, name in summed.over.variables
        if name in own:
            return self._weighted_gain(name, OwnMean(own, self._gain(name)))
        step = self.p[name]
        hidden = name in self.hidden
        parts: list[Term] = []
        if not hidden or step.masked:
            parts.append(self._density(step, "given" if step.masked else "all"))
        if hidden:
            parts.append(self._weighted_gain(name, self._density(step, "hidden" if step.masked else "all")))
        term = parts[0] if len(parts) == 1 else Sum(tuple(parts))
        return term if exact or not own else OwnMean(own, term)

    def _weighted_gain(self, name: str, gain: Term, share: Term | None = None) -> Term:
        """Free bits and beta of one hidden variable, where it has them. share: see `FreeBits`."""
        floored, weight = gain, self._beta(name)
        if name in self.section.free_bits:
            floored = FreeBits(Weight("free_bits", name), gain, self.q[name].masked, share)
        return floored if weight is None else Weighted(weight, floored)

    def _likelihoods(self) -> list[Contribution]:
        """log p of everything with a value in the row: observed variables and labels."""
        result, hidden = [], frozenset(self.hidden)
        for name, step in self.p.items():
            if name in self.program.inside or (name in hidden and not step.masked) or is_certain(step.factor):
                continue  # inside a sum; or a value that p and q compute alike, which has the same density in both
            density = self._density(step, "given" if step.masked else "all")
            term = self._expected(name, density, density.axes)
            result.append(Contribution(f"log p({name})", term, term))
        return result

    def _importance_weighted(self) -> Contribution:
        """log E_g[p(x, y, h) / g(h)]: logmeanexp over samples, exact sums over enumerated variables inside the log."""
        inside, labelled = self.program.inside, self.program.labelled
        log_p: list[Term] = [
            self._density(s, "given" if self._given_only(s) else "all") for n, s in self.p.items() if n not in inside
        ]
        for summed in self.program.sums:
            variables = summed.over.variables
            log_p.append(self._log_sum(variables[0], tuple(name for name in labelled if name in variables)))
        log_g = [self._density(self.q[n], "hidden" if self.q[n].masked else "all") for n in self.hidden]
        term = LogMean(Sum((*log_p, *(Negative(leaf) for leaf in log_g))))
        return Contribution("importance weighted bound", term, term)

    def _given_only(self, step: Step) -> bool:
        """Of an observed variable with blanks only what is given is scored; of a masked label, both parts are."""
        return step.masked and step.factor.variable not in self.q

    def _divergences(self, name: str) -> list[Contribution]:
        split = self.section.beta.get(name)
        return self._split(name, split) if isinstance(split, TotalCorrelation) else [self._divergence(name)]

    def _split(self, name: str, split: TotalCorrelation) -> list[Contribution]:
        """beta-TCVAE (Chen et al. 2018, eq. 2): KL = mutual information + total correlation + element-wise divergence,
        each -E of a difference of log densities that telescopes back to log q(z | x) - log p(z)."""
        q, p = self.q[name], self.p[name]
        joint, product = (LogAggregate(name, form, q.value_axes, split.estimator) for form in ("joint", "product"))
        parts: tuple[tuple[WeightKind, Term, Term], ...] = (
            ("mutual_information", joint, self._density(q)),
            ("total_correlation", product, joint),
            ("dimension_wise", self._density(p), product),
        )
        result = []
        for kind, upper, lower in parts:
            gain = Expectation(self.measure, Sum((upper, Negative(lower))))
            result.append(Contribution(f"{kind} {name}", Weighted(Weight(kind, name), gain), Negative(gain)))
        return result

    def _divergence(self, name: str) -> Contribution:
        """beta times E[log p - log q] of one hidden variable, in closed form where one holds; free bits before beta. Of
        one whose factor of p stands inside an exact sum, what q adds."""
        gain: Term = Expectation(self.measure, self._there(name, self._gain(name)))
        absent = self._may_be_absent(name)
        term = self._weighted_gain(name, gain, Expectation(self.measure, There(self._plates(name))) if absent else None)
        return Contribution(f"KL {name}", self._whole(name, term), self._whole(name, Negative(gain)))

    def _gain(self, name: str) -> Term:
        elsewhere = name in self.program.inside and name not in self.program.own
        q, p = self.q[name], None if elsewhere else self.p.get(name)
        part: Part = "hidden" if q.masked else "all"
        if p is not None and self.program.choices[name].closed_kl:
            # a closed form does not depend on the variable's own draw, only on the values of the parents
            axes = canonical((*q.parent_axes, *p.parent_axes))
            return Negative(ClosedDivergence(name, q.factor.parents, p.factor.parents, axes, part))
        terms: list[Term] = [] if p is None else [self._density(p, part)]
        return Sum((*terms, Negative(self._density(q, part))))

    def _importance(self) -> list[Contribution]:
        """-E_w[log w] + log q^: what the labelled bound gains by weighing draws; nothing when weights are constant."""
        if not self.weighing:
            return []
        evidence, weights = self._log_evidence(self.weighing), list[Term]()
        recognised = self.program.graphs.recognition
        if doubtful := [name for name in self.weighing if not is_certain(recognised.get(name))]:
            weights = [Negative(self._expected_logs(doubtful, self.measure))]
        term = Sum((*weights, evidence))
        return [Contribution("importance weights", term, term)]

    def _log_evidence(self, labels: Sequence[str]) -> Term:
        """log q^ of several labels: logmeanexp over g, or the mean of the logs (`jensen`)."""
        if self.section.label_bound == "logmeanexp":
            return LogEvidence(tuple(labels), self.apart)
        return self._expected_logs(labels, Measure())

    def _expected_logs(self, labels: Sequence[str], measure: Measure) -> Term:
        """E[log of the product of the labels' densities]; those of a plate's elements are added up by plate."""
        if not any(self.program.plates_of(name) for name in labels):
            return Expectation(measure, Sum(tuple(self._label(name) for name in labels)))
        axes = self.program.label_axes()
        return Sum(tuple(self._expected(name, self._label(name), axes[name], measure) for name in labels))

    def _orders(self, plate: str, labels: tuple[str, ...]) -> Contribution:
        """What it costs that labels are a set: one of the ways to give them to elements is looked at, and all are alike
        beforehand."""
        term = Negative(LogOrders(plate, labels))
        return Contribution(f"orders {plate}", term, term)

    def _label_terms(self) -> list[Contribution]:
        """alpha_j times label j's part: its own term under `jensen`, else log q^(y_1..j) - log q^(y_1..j-1)."""
        result: list[Contribution] = []
        before: tuple[str, ...] = ()
        for name in self.program.labelled:
            label, axes = self._label(name), self.program.label_axes()[name]
            part = self._expected(name, label, axes) if self._may_be_absent(name) else self._whole(name, label)
            if name in self.weighing:
                if self.section.label_bound == "jensen" or not before:
                    part = self._log_evidence((name,))
                else:
                    part = Sum((self._log_evidence((*before, name)), Negative(self._log_evidence(before))))
                before = (*before, name)
            result.append(Contribution(f"log q({name})", Weighted(Weight("alpha", name), part), part))
        return result
