"""A plan as a function of the emitted file: a statement a line, in the order in which the model runs them.

A line's right side is what its operation makes of code (`compiler.plan.ops`). Here: names, comments, arguments, which
lines are written where their value is read, and the calls of modules.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from compiler.emission.emission_plan import ROW, EmissionPlan, TensorKind
from compiler.emission.objective_weights import WeightName
from compiler.emission.text import Names, block, comment, docstring, remarked
from compiler.emission.walk_code import WalkCode
from compiler.emission.writing import refused
from compiler.families.entry import Extras
from compiler.plan.ops import OPERATIONS
from compiler.plan.plan import Given, Line, Plan, Value, needed_lines
from compiler.plan.running import on
from compiler.symbolic.axis_names import SAMPLES, is_plate
from compiler.symbolic.networks_read import read_parents
from compiler.symbolic.printing import observed_text
from compiler.symbolic.program import Pattern
from compiler.tensors.expression import Expression, text_of

EXTRAS = {
    "epoch": "float", "rho": "float", "data_rows": "int | None", "labelled_rows": "int | None",
    "unlabelled_rows": "int | None",
}  # fmt: skip
"""Arguments that some weights and terms need, and their types."""

NOTHING = Expression("")
"""A parameter of a standard prior, which is left out."""


@dataclass(frozen=True)
class BoundCode:
    """A pattern's function, its code, the tensors it takes (variable and kind -> name), and what else it needs."""

    pattern: Pattern
    function: str
    code: str
    arguments: dict[tuple[str, TensorKind], str]
    extras: tuple[str, ...]
    weights: tuple[WeightName, ...]


def write_bound(plan: EmissionPlan, pattern: Pattern, noisy: frozenset[str]) -> BoundCode:
    """The function of one pattern. Raises SpecError (GS090) for a line that has no code yet."""
    whole, function = plan.model.compiled.plan(pattern), plan.patterns[pattern]
    total = {"total": whole.results["total"]}
    writer = FunctionWriter(plan, noisy, _with_notes_kept(whole, replace(whole, results=total, terms={})))
    body = writer.body()
    rows = writer.row_count()
    extras = tuple(name for name in EXTRAS if name in writer.extras)
    order = list(plan.tensors)
    place = [*plan.identifiers, ROW[0]].index
    arguments = dict(sorted(writer.arguments.items(), key=lambda item: (place(item[0][0]), order.index(item[0]))))
    listed = ["model: Model", *(f"{name}: Tensor" for name in arguments.values())]
    listed += ["generator: torch.Generator", *(f"{name}: {EXTRAS[name]}" for name in extras)]
    told = f"{observed_text(plan.model.program(pattern)[0])} of {pattern}, nats [B]; larger is better."
    noise = [f"noise = Noise(generator, {rows})", ""] if writer.draws else []
    code = block(f"def {function}({', '.join(listed)}) -> Tensor:", docstring(told), *noise, *body)
    return BoundCode(pattern, function, code, arguments, extras, tuple(writer.weights))


def _with_notes_kept(whole: Plan, part: Plan) -> Plan:
    """The lines of `whole` that `part` needs; comments of the others stand above the line that follows."""
    needed = {id(line) for line in needed_lines(part)}
    kept, note = [], ""
    for line in whole.lines:
        note = line.note or note
        if id(line) in needed:
            kept.append(replace(line, note=note))
            note = ""
    return replace(part, lines=tuple(kept))


class FunctionWriter(WalkCode):
    """Writes one plan; operations see it as the context in which they run.

    outer: writer of the function that this one stands in. samples: how many draws there are. level: of indentation.
    """

    def __init__(
        self, plan: EmissionPlan, noisy: frozenset[str], written: Plan, outer: "FunctionWriter | None" = None
    ) -> None:
        super().__init__(plan, outer)
        self.noisy, self.written, self.outer = noisy, written, outer
        self.names: Names = plan.names.inner() if outer is None else outer.names
        self.samples, self.level = Expression("SAMPLES"), 1
        self.lines: list[str] = []
        self._code: dict[str, Expression] = {}
        self._note = ""
        readers = Counter(value.name for line in written.lines for value in line.inputs)
        apart = {value.name for value in (*self._summands(), *written.results.values())}
        apart |= {value.name for line in written.lines if line.op == "loop" for value in line.inputs}
        self._once = {name for name, count in readers.items() if count == 1} - apart
        self._read = {*readers, *(value.name for value in written.results.values())}

    def _summands(self) -> Sequence[Value]:
        """The contributions, each of which has a statement of its own."""
        makers = {value: line for line in self.written.lines for value in line.outputs}
        total = self.written.results.get("total")
        last = None if total is None else makers.get(total)
        if last is not None and last.op in ("score", "scores"):
            last = makers.get(last.inputs[0])
        return last.inputs if last is not None and last.op == "add" else ()

    def within(self, body: Plan) -> "FunctionWriter":
        inner = FunctionWriter(self.plan, self.noisy, body, self)
        inner.level, inner.samples, inner.own_noise = self.level + 1, self.samples, self.own_noise
        return inner

    def know(self, value: Value, code: Expression) -> None:
        self._code[value.name] = Expression(code.code, _dims(value), scalar=code.scalar)

    def statements(self) -> list[str]:
        for line in self.written.lines:
            self._take(line)
        return self.lines

    def body(self) -> list[str]:
        """Statements from the first value to what is returned."""
        self.statements()
        if self.lines and self.lines[-1]:
            self.lines.append("")
        code = self.code(self.written.results["total"])
        if code.scalar:
            self.lines.append(f"return {self.like()}.new_full(({self.row_count()},), {code})")
        else:
            self.lines.append(f"return {code}" if self._varies() else f"return ({code}).expand({self.row_count()})")
        return self.lines

    def _varies(self) -> bool:
        """Whether the result surely has a number for every row: something given has a density, or a draw is made."""
        given = self.written.given
        lines = self.written.lines
        return any(line.op == "noise" or (line.op == "log_prob" and line.inputs[0] in given) for line in lines)

    def _take(self, line: Line) -> None:
        """Write a line, or keep its expression for the one that reads it."""
        self._note = line.note or self._note
        inline, total = OPERATIONS[line.op].inline, self.written.results.get("total")
        if self._is_given(line):
            return
        if line.op == "loop":
            self._begin()
            self.write_loop(line)
            return
        once = inline == "once" and line.outputs[0].name in self._once
        if once or inline == "always" or line.outputs == (total,):
            self._code[line.outputs[0].name] = self._right_side(line)
            return
        self._begin()
        code = self._right_side(line)
        self.assign(line.outputs, code)

    def _right_side(self, line: Line) -> Expression:
        """What the line's operation makes of code."""
        if special := self._special.get(line.op):
            return special(line)
        if line.op == "pairs" and self.modules.family(line.options["factor"])[0].joint_axes(Extras((1,))):
            factor = self.modules.factor(line.options["factor"])
            assert factor.family is not None
            what = f"the total correlation of {factor.family.name}"
            raise refused(self.plan.graphs, (factor.side, factor.variable), what)
        if line.options.get("samples") is not None:
            line = replace(line, options={**line.options, "samples": self.samples})
        self.labelled = line.options.get("labelled", False)
        run = OPERATIONS[line.op].run(line, self.modules)
        inputs = (self.code(value) for value in line.inputs)
        found: Expression = run(self, *(code for code in inputs if code is not NOTHING))
        return found

    @property
    def _special(self) -> Mapping[str, Callable[[Line], Expression]]:
        """Operations whose code is not what they compute: calls of modules, and what takes statements of its own."""
        return {
            "function": self._call, "parameters": self._call, "weigh_draws": self._weigh_draws, "scores": self._scores,
            "gru": self.gru_code,
            "zero": lambda line: Expression(f"{self.like()}.new_zeros({self.row_count()})"),
        }  # fmt: skip

    def _call(self, line: Line) -> Expression:
        """`model.q_z(h, y, Lead(1))`: every parent on all axes of the call, flags of blanks as numbers."""
        key, axes = line.options["factor"], line.outputs[0].axes
        factor, arguments = self.modules.factor(key), []
        read = read_parents(self.plan.graphs, factor)
        for place, value in enumerate(line.inputs):
            spread = on(value, axes, every=True)
            code = self.code(value) if spread is None else spread(self.code(value))  # type: ignore[arg-type]
            if place >= len(read):
                arguments.append(f"{code}.to({self.like()})")
            else:
                arguments.append(f"{code}.detach()" if read[place] in factor.stop_gradient else f"{code}")
        if key in self.noisy:
            places = tuple(place for place, axis in enumerate(axes) if axis == SAMPLES or is_plate(axis))
            drawn = f", {text_of(places)}" if places else ""
            arguments.append(f"Layout({len(axes) + 1}, {self.noise}{drawn})")
        elif arguments:
            arguments.append(f"Lead({len(axes) + 1})")
        return Expression(f"model.{self.plan.attributes[key]}({', '.join(arguments)})")

    def _weigh_draws(self, line: Line) -> Expression:
        total, log_weights = (self.code(value) for value in line.inputs)
        self.remark("each draw's gradient is scaled by its weight (doubly reparameterised, Tucker et al. 2019)")
        weight = self.names.fresh("weight")
        self.lines.append(f"{weight} = torch.softmax({log_weights}.detach(), dim=0)")
        for name, rank in line.options["draws"]:
            drawn = self.plan.identifiers[name]
            scaled = weight + (f"[{', '.join(['...', *['None'] * rank])}]" if rank else "")
            hook = f"{drawn}.register_hook(lambda gradient: gradient * {scaled})"
            self.lines.append(block(f"if {drawn}.requires_grad:", hook))
        return total

    def _scores(self, line: Line) -> Expression:
        """All log densities first, then their estimate as a function of the draws: each draw is left out once."""
        bound, log_q = (self.code(value) for value in line.inputs[:2])
        estimate: Plan = line.options["estimate"]
        given = [(value, self.code(value)) for value in estimate.given if SAMPLES in value.axes]
        sampled = [str(code) for _, code in given if not code.scalar]
        name = self.names.fresh("estimate")
        inner = FunctionWriter(self.plan, self.noisy, estimate, self)
        inner.level, inner.samples = self.level + 1, Expression(f"len({sampled[0]})")
        head = f"def {name}({', '.join(f'{each}: Tensor' for each in sampled)}) -> Tensor:"
        told = docstring("The bound [B] from these draws.", inner.level)
        self.lines += ["", block(head, told, *inner.body()), ""]
        return Expression(f"with_scores({', '.join([str(bound), name, str(log_q), *sampled])})")

    def assign(self, outputs: Sequence[Value], found: Expression) -> None:
        names, code = [self._named(value) for value in outputs], found.code
        self._code |= {
            value.name: Expression(name, _dims(value), scalar=found.scalar)
            for value, name in zip(outputs, names, strict=True)
        }
        unread = [value.name not in self._read for value in outputs]
        if len(outputs) > 1 and any(unread) and not code.startswith("model."):
            ((place, name),) = [(i, name) for i, (name, gone) in enumerate(zip(names, unread, strict=True)) if not gone]
            code, names = f"{code}[{place}]", [name]
        shown = ["S" if axis == SAMPLES else axis for axis in outputs[0].axes]
        remark = f"[{', '.join([*shown, 'B'])}]" if shown and not found.scalar else ""
        self.lines.append(remarked(f"{', '.join(names)} = {code}", remark, self.level))

    def _named(self, value: Value) -> str:
        """The value's name in the plan, with the names that its variables have in the file."""
        if value.name in self.plan.identifiers:
            return self.plan.identifiers[value.name]
        words = value.name.rstrip("_")
        for name, identifier in self.plan.identifiers.items():
            if name != identifier:
                words = re.sub(rf"(?<![^\W_]){re.escape(name)}(?![^\W_])", identifier, words)
        return self.names.fresh(words)

    def _begin(self) -> None:
        """A blank line and a comment, where a new thought begins."""
        if self._note:
            if self.lines and self.lines[-1]:
                self.lines.append("")
            self.remark(self._note)
            self._note = ""

    def _is_given(self, line: Line) -> bool:
        """A standard prior's parameters are left out; the context of a root's flow is empty."""
        if line.op != "parameters" or line.inputs:
            return False
        factor = self.modules.factor(line.options["factor"])
        assert factor.family is not None
        if self.plan.prior(factor) is not None:
            self._code |= {value.name: NOTHING for value in line.outputs}
        elif factor.family.flow:
            self._code[line.outputs[0].name] = Expression(f"{self.like()}.new_zeros(1, 0)", 2)
        else:
            return False
        return True

    def code(self, value: Value) -> Expression:
        if value.name not in self._code:
            self._code[value.name] = self._argument(self.written.given[value], _dims(value))
        return self._code[value.name]

    def _argument(self, given: Given, dims: int) -> Expression:
        if given.kind == "result":
            assert self.outer is not None, "only a function within another is given results"
            return self.outer._code[given.variable]
        kinds: Mapping[str, TensorKind] = {"value": "value", "given": "given", "present": "given", "known": "known"}
        kind = kinds[given.kind]
        if kind == "known" and self.plan.graphs.variables[given.variable].role == "supervised":
            kind = "label"
        return Expression(self.argument(given.variable, kind), dims)

    def remark(self, text: str) -> None:
        """A comment."""
        self.lines.append(comment(text, self.level))


def _dims(value: Value) -> int:
    return len(value.axes) + 1 + value.rank
