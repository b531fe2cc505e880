"""Expectations as statements: weights of enumerated values and of draws, axes summed out in the evaluator's order."""

from compiler.emission.densities import DensityWriter
from compiler.emission.emission_plan import EmissionPlan, PatternCode
from compiler.emission.function import Symbol
from compiler.emission.text import added, grouped, statement
from compiler.plan.program_writer import doubly_reparameterized
from compiler.symbolic.axis_names import SAMPLES, canonical
from compiler.symbolic.elimination import closure, elimination_order
from compiler.symbolic.objective import LogAggregate, Measure
from compiler.symbolic.program import Axes


class ExpectationWriter(DensityWriter):
    """Adds averages to the densities. Weights stay logarithms until the last step."""

    def __init__(self, plan: EmissionPlan, code: PatternCode, noisy: frozenset[str]) -> None:
        super().__init__(plan, code, noisy, doubly=doubly_reparameterized(code.program))
        self._enumerated_axes = {name: self.program.log_q_axes()[name] for name in self.program.enumerated}
        self._marginals: dict[tuple[Measure, Axes], Symbol] = {}
        self._probabilities: dict[tuple[Measure, Axes], Symbol] = {}
        self._evidence: dict[tuple[str, ...], str] = {}
        self._pairs: dict[str, str] = {}
        self._sums: dict[str, str] = {}

    def label_density(self, name: str) -> Symbol:
        """log q of what a row has of one label."""
        return self.log_density("q", name, "given" if name in self.program.pattern.masked else "all")

    def touch(self, measure: Measure, axes: Axes) -> None:
        """Densities that a term's weights need, written when the evaluator would ask for them."""
        if axes and not (axes == (SAMPLES,) and not measure.labels):
            self._factors(measure, axes)

    def _factors(self, measure: Measure, axes: Axes) -> tuple[list[Symbol], bool]:
        """Log factors of a measure over `axes`, and whether the samples are among what it averages over."""
        labels = [self.label_density(name) for name in measure.labels]
        start = canonical((*axes, *(axis for label in labels for axis in label.axes)))
        needed = closure(start, self._enumerated_axes)
        return [*labels, *(self.log_axis(axis) for axis in needed if axis != SAMPLES)], SAMPLES in needed

    def average(self, measure: Measure, value: Symbol) -> str:
        """E[value] as code without axes."""
        shown = self.plan.axes(value.axes)
        if not shown:
            return value.code
        if value.code.startswith("-") and value.code[1:].isidentifier():
            return f"-{grouped(self.average(measure, Symbol(value.axes, value.code[1:])))}"
        for axis in self.program.sparse:
            if axis in shown:
                return self._around_likeliest(measure, value, axis)
        return self._weighted(measure, value)

    def _around_likeliest(self, measure: Measure, value: Symbol, axis: str) -> str:
        """The likeliest value's term as baseline: the same value, a less noisy gradient."""
        shown = self.plan.axes(value.axes)
        place = shown.index(axis)
        rest = tuple(other for other in shown if other != axis)
        term = (
            value.code if value.atomic else self.assign(f"term_{self.plan.identifiers[axis]}", value.code, value.axes)
        )
        at = ", ".join([":"] * place + ["0"])
        likeliest = self.assign(f"{term}_at_likeliest", f"{term}.detach()[{at}]", rest)
        centred = f"{term} - {self.placed(Symbol(rest, likeliest), shown)}"
        return (
            f"{self._weighted(measure, Symbol(value.axes, centred))} + {self.average(measure, Symbol(rest, likeliest))}"
        )

    def _weighted(self, measure: Measure, value: Symbol) -> str:
        shown = self.plan.axes(value.axes)
        factors, _ = self._factors(measure, value.axes)
        carried = {axis for factor in factors for axis in self.plan.axes(factor.axes)}
        if shown[0] == SAMPLES and SAMPLES not in carried:
            mean = f"{value.code if value.atomic else f'({value.code})'}.mean(0)"
            if shown == (SAMPLES,):
                return mean
            value, shown = Symbol(shown[1:], mean), shown[1:]
        weights = self._probability(measure, shown)
        product = f"{self.placed(weights, shown)} * {grouped(value.code)}"
        return f"({product}).sum({_dims(shown)})"

    def _probability(self, measure: Measure, axes: Axes) -> Symbol:
        """The measure summed down to `axes`; written once."""
        key = (measure, axes)
        if key not in self._probabilities:
            log = self.marginal(measure, axes)
            labels = any(self.plan.axes(self.label_density(name).axes) for name in measure.labels)
            wanted = ("weight_" if labels else "prob_") + self._shown(log.axes)
            code = f"{log.code}.exp()" if log.atomic else f"({log.code}).exp()"
            if labels and len(log.axes) == 1:
                code = f"torch.softmax({log.code.split(' - torch.logsumexp(')[0]}, dim=0)"
            self._probabilities[key] = Symbol(log.axes, self.assign(wanted, code, log.axes))
        return self._probabilities[key]

    def marginal(self, measure: Measure, axes: Axes) -> Symbol:
        """log of the measure summed down to `axes` (some of those the tensors have), normalised."""
        key = (measure, axes)
        if key not in self._marginals:
            factors, sampled = self._factors(measure, axes)
            weighing = [f for f in factors[: len(measure.labels)] if self.plan.axes(f.axes)]
            log = self._eliminated([*weighing, *factors[len(measure.labels) :]], axes)
            if weighing:
                name = (
                    log.code if log.atomic else self.assign(f"log_weight_{self._shown(log.axes)}", log.code, log.axes)
                )
                log = Symbol(log.axes, f"{name} - torch.logsumexp({name}, dim={_dims(log.axes)})")
            elif sampled and self.plan.samples > 1:
                log = Symbol(log.axes, f"{log.code} - math.log({self.samples})")
            self._marginals[key] = log
        return self._marginals[key]

    def _shown(self, axes: Axes) -> str:
        return "_".join("samples" if axis == SAMPLES else self.plan.identifiers[axis] for axis in axes)

    def _eliminated(self, factors: list[Symbol], keep: Axes) -> Symbol:
        """log of the sum over every axis outside `keep` of the product of the factors."""
        current = [Symbol(self.plan.axes(factor.axes), factor.code) for factor in factors]
        order, _ = elimination_order([factor.axes for factor in current], keep, dict(self.program.sizes))
        for axis in order:
            joined = self.joined([factor for factor in current if axis in factor.axes])
            rest = tuple(other for other in joined.axes if other != axis)
            code = f"torch.logsumexp({joined.code}, dim={joined.axes.index(axis)})"
            if axis != order[-1] or not all(axis in factor.axes for factor in current):
                code = self._once(f"log_sum_{self._shown(rest)}".rstrip("_"), code, rest)
            current = [factor for factor in current if axis not in factor.axes] + [Symbol(rest, code)]
        return self.joined(current)

    def _once(self, wanted: str, code: str, axes: Axes) -> str:
        """A local variable for an expression that may be asked for again."""
        if code not in self._sums:
            self._sums[code] = self.assign(wanted, code, axes)
        return self._sums[code]

    def joined(self, factors: list[Symbol]) -> Symbol:
        """The sum on the union of axes."""
        axes = canonical(axis for factor in factors for axis in factor.axes)
        return Symbol(axes, added([self.placed(factor, axes) for factor in factors]))

    def log_evidence(self, labels: tuple[str, ...]) -> str:
        """log of the mean under g of the product of the labels' densities; written once."""
        if labels not in self._evidence:
            factors, sampled = self._factors(Measure(labels), ())
            code = self._eliminated(factors, ()).code + self._minus_samples(sampled)
            wanted = "log_evidence_" + "_".join(self.plan.identifiers[label] for label in labels)
            self._evidence[labels] = code if code.isidentifier() else self._once(wanted, code, ())
        return self._evidence[labels]

    def _minus_samples(self, sampled: bool) -> str:
        return f" - math.log({self.samples})" if sampled and self.plan.samples > 1 else ""

    def log_mean(self, value: Symbol) -> str:
        """log of the mean under g of exp(value); scales each draw's gradient where that is doubly reparameterised."""
        factors, sampled = self._factors(Measure(), value.axes)
        name = self.assign("log_weight", value.code, value.axes)
        code = self._eliminated([*factors, Symbol(value.axes, name)], ()).code + self._minus_samples(sampled)
        if not (self.doubly and self.plan.axes(value.axes) == (SAMPLES,)):
            return code
        total = self.assign("log_mean_weight", code)
        self.remarks("each draw's gradient is scaled by its weight (doubly reparameterised, Tucker et al. 2019)")
        weight = self.assign("weight", f"torch.softmax({name}.detach(), dim=0)", (SAMPLES,))
        for drawn in self.program.hidden:
            rank, code = len(self.plan.graphs.variables[drawn].shape), self.value(drawn).code
            self.write(f"if {code}.requires_grad:")
            scaled = weight + (f"[{', '.join(['...', *['None'] * rank])}]" if rank else "")
            self.lines += statement(f"{code}.register_hook(lambda gradient: gradient * {scaled})", self.level + 1)
        return total

    def aggregate(self, term: LogAggregate) -> Symbol:
        """log q(v) averaged over the rows of the data, estimated from the batch."""
        size = "data_rows"
        if self.plan.graphs.supervised:
            size = "labelled_rows" if self.program.pattern.labels else "unlabelled_rows"
        self.extras.add(size)
        pairs = self._pairs_of(term.variable)
        code = f'aggregate({pairs}, "{term.form}", "{term.estimator}", {size})'
        wanted = f"log_q_{self.plan.identifiers[term.variable]}_{'of_data' if term.form == 'joint' else 'by_element'}"
        return Symbol(term.axes, self.assign(wanted, code, term.axes))

    def _pairs_of(self, name: str) -> str:
        """log q(element of each draw | each row); written once."""
        if name not in self._pairs:
            step, value = self.steps["q", name], self.value(name)
            parents, lead = self.plan.axes(step.parent_axes), len(self.plan.axes(step.value_axes)) + 1
            parameters = list(self.parameters(step.factor, step.parent_axes))
            self.remarks(f"each draw of {name} under each row of the batch, element by element: [..., B, B, elements]")
            weights = None
            if parents:
                index = ", ".join([":"] * len(parents) + ["None"] * lead)
                parameters = [f"{code}[{index}]" for code in parameters]
                weights = self.marginal(Measure(self.program.weighing_labels()), parents).code
                weights = f"{grouped(weights)}[{index}, :, None]"
            each = self.each_pair(step, f"{value.code}.unsqueeze({lead})", parameters)
            rank = len(self.plan.graphs.variables[name].shape)
            each = each if rank == 1 else f"{each}.flatten(-{rank})" if rank else f"{each}.unsqueeze(-1)"
            if weights is not None:
                each = f"torch.logsumexp({each} + {weights}, dim={_dims(parents)})"
            self._pairs[name] = self.assign(f"pairs_{self.plan.identifiers[name]}", each)
        return self._pairs[name]


def _dims(axes: Axes) -> str:
    return "0" if len(axes) == 1 else str(tuple(range(len(axes))))
