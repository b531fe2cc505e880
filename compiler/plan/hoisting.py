"""What the networks in a walk make of inputs that no element hands on: one product for all elements, before the walk.

A first layer is a sum of one map for each parent. The share of what stands outside of the walk waits for no element;
the walk adds to it what it makes of the element before, as torch's own gru does.
"""

from dataclasses import dataclass, field, replace

from compiler.plan.modules import Modules
from compiler.plan.plan import Given, Line, Plan, Value, entered_name, fresh_name
from compiler.plan.verify import verify

IN_WALKS = ("parameters", "function")
"""Operations in the body of a walk that call a factor's module."""


def with_inputs_entered(plan: Plan, modules: Modules) -> Plan:
    """The plan with these maps in front of its walks; itself where there are none."""
    names = {value.name for value in plan.values()}
    bodies = (line.options["body"] for line in plan.lines if line.op == "loop")
    names |= {value.name for body in bodies for value in body.values()}
    lines = [each for line in plan.lines for each in _entered(line, modules, names)]
    return plan if len(lines) == len(plan.lines) else verify(replace(plan, lines=tuple(lines)))


def _entered(line: Line, modules: Modules, names: set[str]) -> list[Line]:
    return _Walk(line, modules, names).lines() if line.op == "loop" else [line]


@dataclass
class _Walk:
    """A line of a walk. names: what values of the plan are called. made: of a factor and the place of a parent, what
    its first layers make of it: outside for all elements, and one element of that."""

    line: Line
    modules: Modules
    names: set[str]
    before: list[Line] = field(default_factory=list)
    made: dict[tuple[str, int], list[tuple[Value, Value]]] = field(default_factory=dict)

    def lines(self) -> list[Line]:
        """The walk, behind what enters its networks beforehand."""
        body: Plan = self.line.options["body"]
        inside, count = list(body.given), len(self.line.inputs)
        outside = dict(zip(inside, self.line.inputs))  # noqa: B905 - what is carried comes last and from no outside
        lines = tuple(self._with_entered(each, outside) for each in body.lines)
        if not self.before:
            return [self.line]
        pairs = [pair for pairs in self.made.values() for pair in pairs]
        told = {own: Given(whole.name, "result") for whole, own in pairs}
        given = {value: body.given[value] for value in inside[:count]} | told
        given |= {value: body.given[value] for value in inside[count:]}
        inputs = (*self.line.inputs, *(whole for whole, _ in pairs))
        options = {**self.line.options, "body": replace(body, given=given, lines=lines)}
        return [*self.before, replace(self.line, inputs=inputs, options=options)]

    def _with_entered(self, line: Line, outside: dict[Value, Value]) -> Line:
        key = line.options.get("factor")
        if line.op not in IN_WALKS or key not in self.modules.independent:
            return line
        inputs, entered = list[Value](), list[tuple[int, int]]()
        for place, value in enumerate(line.inputs):
            whole, count = outside.get(value), self.modules.shared(key, place)
            if whole is None or not count:
                inputs.append(value)
                continue
            entered.append((place, count))
            inputs += [own for _, own in self._enter(key, place, whole, value)]
        options = {**line.options, "entered": tuple(entered)} if entered else line.options
        return replace(line, inputs=tuple(inputs), options=options)

    def _enter(self, factor: str, place: int, whole: Value, own: Value) -> list[tuple[Value, Value]]:
        if (factor, place) not in self.made:
            wanted = entered_name(own, factor)
            named = [fresh_name(wanted, self.names) for _ in range(self.modules.shared(factor, place))]
            outputs = tuple(Value(each, whole.axes, whole.rows) for each in named)
            options = {"factor": factor, "place": place}
            self.before.append(Line("enter", outputs, (whole,), options, group=self.line.group))
            ones = [Value(fresh_name(f"one_{each.name}", self.names), own.axes, own.rows) for each in outputs]
            self.made[factor, place] = [*zip(outputs, ones, strict=True)]
        return self.made[factor, place]
