"""Walks in an emitted file: a `for` over the elements of a plate, and the call of a gru that walks by itself."""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import TypeVar

from compiler.emission.coded_context import CodedContext
from compiler.emission.emission_plan import EmissionPlan
from compiler.emission.text import Names, block
from compiler.plan.ops.along_walks import LoopShape, outputs_of
from compiler.plan.plan import Line, Plan, Value
from compiler.plan.running import on
from compiler.symbolic.networks_read import read_parents, state_of
from compiler.tensors.expression import Expression, text_of

Self = TypeVar("Self", bound="WalkCode")


def lines_within(lines: Iterable[Line]) -> Iterable[Line]:
    """All lines, those of walks' bodies too."""
    for line in lines:
        yield line
        if line.op == "loop":
            yield from line.options["body"].lines


def gru_calls(plan: EmissionPlan, key: str) -> tuple[bool, Line | None]:
    """Whether some function makes single steps of a factor, and a line that walks all of them in one call."""
    steps, walked = False, None
    for pattern in plan.patterns:
        for line in lines_within(plan.model.compiled.plan(pattern).lines):
            if line.options.get("factor") == key:
                steps |= line.op == "function"
                walked = line if line.op == "gru" else walked
    return steps, walked


def gru_method(network: str, given: str, arguments: Iterable[str], line: Line) -> str:
    """`along`: all states of a walk. network: its attribute; given: the values that it is told."""
    kinds = ", ".join(f"{argument}: Tensor" for argument in arguments)
    back, size = line.options["kind"] == "next", line.options["size"]
    kinds, there = (f"{kinds}, there: Tensor", "there") if line.options["counted"] else (kinds, "None")
    told = f'"""The state of each of {size} elements, {"from the last" if back else "one after the other"}."""'
    code = f"return {network}.along({given}, layout, place, {size}, {there}, back={back})"
    return block(f"def along(self, {kinds}, layout: Lead, place: int) -> Tensor:", told, code)


class WalkCode(CodedContext):
    """A writer of functions, as far as it writes walks. noisy: factors that draw. lines: statements so far."""

    noisy: frozenset[str]
    names: Names
    lines: list[str]

    @abstractmethod
    def code(self, value: Value) -> Expression:
        """Code of a value."""

    @abstractmethod
    def know(self, value: Value, code: Expression) -> None:
        """From here on this is the code of a value."""

    @abstractmethod
    def assign(self, outputs: Sequence[Value], found: Expression) -> None:
        """One statement, and the names that it gives."""

    @abstractmethod
    def within(self: Self, body: Plan) -> Self:
        """A writer of one element of a walk."""

    @abstractmethod
    def statements(self) -> list[str]:
        """Of all lines."""

    def gru_code(self, line: Line) -> Expression:
        """`model.f_h.along(x, Lead(2), 0)`."""
        key, axes = line.options["factor"], line.outputs[0].axes
        factor, graphs = self.modules.factor(key), self.plan.graphs
        read = [name for name in read_parents(graphs, factor) if name != state_of(graphs, factor)]
        arguments = []
        for place, value in enumerate(line.inputs):
            spread = on(value, axes, every=True)
            code = self.code(value) if spread is None else spread(self.code(value))  # type: ignore[arg-type]
            if line.options["counted"] and place == len(line.inputs) - 1:
                arguments.append(f"{code}")
            elif place >= len(read):
                arguments.append(f"{code}.to({self.like()})")
            else:
                arguments.append(f"{code}.detach()" if read[place] in factor.stop_gradient else f"{code}")
        given, walked = ", ".join(arguments), axes.index(line.options["axis"])
        return Expression(f"model.{self.plan.attributes[key]}.along({given}, Lead({len(axes) + 1}), {walked})")

    def write_loop(self, line: Line) -> None:
        """Statements of a walk: where it begins, one element after the other, and what they come to together."""
        body: Plan = line.options["body"]
        shape, index, inner = LoopShape.of(line, body), self.names.fresh("i"), self.within(body)
        for value, outer, place in zip(body.given, line.inputs, shape.places, strict=False):
            code = self.code(outer)
            inner.know(value, code if place is None else code[(*[slice(None)] * place, Expression(index))])
        for value, (name, start) in zip(list(body.given)[len(line.inputs) :], shape.starts, strict=True):
            called = self.plan.identifiers[name]
            self.lines.append(f"{called} = {self.like()}.new_zeros({text_of(start)})")
            inner.know(value, Expression(called))
        each = [self.names.fresh(f"each_{value.name}") for value in line.outputs]
        self.lines.append(f"{', '.join(each)} = {', '.join(['[]'] * len(each))}")
        inside = self._element_noise(inner, index, line)
        inside += inner.statements()
        results = zip(each, outputs_of(body), strict=True)
        inside += [f"{one}.append({inner.code(body.results[name])})" for one, name in results]
        inside.append(inner.handed_on(line))
        back, order = line.options["kind"] == "next", f"range({line.options['size']})"
        self.lines.append(block(f"for {index} in {f'reversed({order})' if back else order}:", *inside))
        for value, one, place in zip(line.outputs, each, shape.joints, strict=True):
            self.assign((value,), Expression(f"put_together({one}{'[::-1]' if back else ''}, {place})"))

    def handed_on(self, line: Line) -> str:
        """What the next element reads, all at once: one may be made of another."""
        body: Plan = line.options["body"]
        pairs = [(self.plan.identifiers[n], str(self.code(body.results[r]))) for n, r, _ in line.options["carry"]]
        names, codes = zip(*pairs, strict=True)
        return f"{', '.join(names)} = {', '.join(codes)}"

    def _element_noise(self, inner: "WalkCode", index: str, line: Line) -> list[str]:
        """What gives an element's noise to networks that draw some, and moves on to it."""
        if not any(each.options.get("factor") in self.noisy for each in line.options["body"].lines):
            return []
        whole = self.noise
        inner.own_noise = self.names.fresh("element_noise")
        self.lines.append(f"{inner.own_noise} = ElementNoise({whole}, {line.options['size']})")
        return [f"{inner.own_noise}.element = {index}"]
