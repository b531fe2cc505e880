"""Lines of an exact sum: from the innermost plate outwards, what stands in an element is summed out, elements multiply.

From: a `LogSum` of the objective. To: its logarithm, over the axes that it leaves.
"""

from collections.abc import Callable, Sequence

from compiler.plan.elimination_writer import EliminationWriter
from compiler.plan.plan import Value
from compiler.symbolic.axis_names import SAMPLES, canonical
from compiler.symbolic.elimination import closure
from compiler.symbolic.objective import LogSum, Term
from compiler.symbolic.program import Axes
from graphspec.graphs.graph import plate_axis

Path = tuple[str, ...]
Placed = tuple[Path, Value]
"""A factor, and the plates in which it stands."""


class SumWriter:
    """One group of exact variables, whose factors are written once, whatever labels are held. value_of: writes a term
    of the objective."""

    def __init__(self, writer: EliminationWriter, term: LogSum, value_of: Callable[[Term, str], Value]) -> None:
        self.writer, self.term, self.value_of = writer, term, value_of
        self.summed = writer.program.exact[term.variables[0]]
        self.over = self.summed.over
        self.name, self.variables = "_".join(term.variables), writer.graphs.variables
        self._factors: list[Placed] = []

    def factors(self) -> list[Placed]:
        """Logarithms of the factors of p inside the sum, written when first asked for."""
        if not self._factors:
            for name, term in self.term.factors:
                value = self.value_of(term, f"inside_{name}")
                if self.term.beta is not None and name not in self.over.variables:
                    weight = self.term.beta
                    value = self.writer.write(
                        "over", f"{value.name}_over_beta", (value,), kind=weight.kind, variable=weight.variable
                    )
                self._factors.append((self.variables[name].path, value))
        return self._factors

    def held_factors(self, labels: Sequence[str]) -> list[Placed]:
        """All factors, and those that hold some labels."""
        return [*self.factors(), *((self.variables[name].path, self._held(name)) for name in labels)]

    def log_sum(self, labels: Sequence[str]) -> Value:
        """log Z with some labels held."""
        wanted = "_".join(["log_Z", self.name, *(["held", *labels] if labels else [])])
        return self.sum_of(self.held_factors(labels), wanted)

    def sum_of(self, factors: Sequence[Placed], wanted: str) -> Value:
        """log of the sum over all values of the product of factors."""
        while deeper := {path for path, _ in factors if len(path) > len(self.over.plates)}:
            inner = max(deeper, key=lambda path: (len(path), path))
            here = [value for path, value in factors if path == inner]
            whole = self._summed_over(here, inner, wanted)
            factors = [*(placed for placed in factors if placed[0] != inner), (inner[:-1], whole)]
        values = [value for _, value in factors]
        return self._without(values, self._standing(self.over.plates), wanted)

    def _held(self, name: str) -> Value:
        writer = self.writer
        masks = () if name in writer.program.pattern.labels else (writer.mask(name),)
        inputs = (writer.value(name), writer.legal(name), *masks)
        return writer.write("held", f"held_{name}", inputs, variable=name)

    def _standing(self, path: Path) -> list[str]:
        return [name for name in self.over.variables if self.variables[name].path == path]

    def _summed_over(self, factors: list[Value], path: Path, wanted: str) -> Value:
        """The elements of one plate, with what is exact in each, summed out and multiplied."""
        axis, names = plate_axis(path[-1]), self._standing(path)
        pairs = {name: f"{name}@previous" for name in names}
        read = {axis for value in factors for axis in value.axes}
        states = tuple((name, before) for name, before in pairs.items() if before in read)
        local = [name for name in names if pairs[name] not in read]
        if not states:
            return self.writer.over_elements(self._without(factors, local, f"each_{wanted}"), (axis,), wanted)
        with_local = [value for value in factors if set(value.axes) & set(local)]
        rest = [value for value in factors if value not in with_local]
        rest += [self._without(with_local, local, f"each_{wanted}")] if with_local else []
        gone = {axis, *(each for pair in states for each in pair)}
        together = self._gathered(rest)
        there = self.writer.there(path)
        inputs = together if there is None else [*together, there]
        left = canonical(axis for value in inputs for axis in value.axes if axis not in gone)
        ragged = there is not None
        return self.writer.write("chain_log_sum", wanted, inputs, left, axis=axis, states=states, ragged=ragged)

    def _gathered(self, factors: list[Value]) -> list[Value]:
        """Factors added up where one varies over all that another does: a chain then adds fewer at each element."""
        groups: list[list[Value]] = []
        for value in sorted(factors, key=lambda value: -len(value.axes)):
            group = next((g for g in groups if set(value.axes) <= set(g[0].axes) and g[0].rows >= value.rows), None)
            if group is None:
                groups.append([value])
            else:
                group.append(value)
        return [self.writer.added([(1, value) for value in group], f"inside_{self.name}") for group in groups]

    def _without(self, factors: Sequence[Value], names: Sequence[str], wanted: str) -> Value:
        """log of the sum over the values of some variables of the product of factors."""
        keep = canonical(axis for value in factors for axis in value.axes if axis not in names)
        return self.writer.eliminate(factors, keep, wanted)


def own_mean(writer: EliminationWriter, latents: Sequence[str], value: Value, wanted: str) -> Value:
    """E[value] over latents drawn for each value of exact variables, given these: over their values by q, and over
    samples, but where the whole sum varies over samples anyhow."""
    axes_of = writer.program.log_q_axes()
    own = {name: writer.shown(axes_of[name]) for name in writer.program.enumerated if name in latents}
    near = [axis for axis in closure(value.axes, own) if axis in own]
    weights = [writer.log_axis(name) for name in near]
    varying = canonical(axis for each in (value, *weights) for axis in each.axes)
    summed = next(each for each in writer.program.sums if latents[0] in each.over.own)
    sampled = (SAMPLES,) if SAMPLES in varying and SAMPLES not in summed.axes else ()
    along: Axes = (*sampled, *near)
    if not along:
        return value
    left = tuple(axis for axis in varying if axis not in along)
    return writer.write("own_mean", wanted, (value, *weights), left, rank=value.rank, along=along)
