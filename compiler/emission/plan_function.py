"""A plan as a function of the emitted file: a statement a line, in the order in which the model runs them.

What an operation looks like is told by its row of the table (`compiler.plan.ops`). Here: names, comments, arguments,
and which lines are written where their value is read.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from compiler.emission.emission_plan import EmissionPlan, PatternCode, TensorKind
from compiler.emission.objective_weights import WeightKind, WeightName, weight_code
from compiler.emission.text import INDENT, Names, comment, docstring, statement
from compiler.emission.writing import refused
from compiler.families.family_code import FamilyCode, coded_family
from compiler.plan.ops import OPERATIONS
from compiler.plan.plan import Given, Line, Plan, Value, needed_lines
from compiler.plan.running import gaps
from compiler.symbolic.axis_names import SAMPLES
from compiler.symbolic.code_text import split_top
from compiler.symbolic.printing import observed_text
from compiler.symbolic.program import Axes
from graphspec.diagnostics import SpecError
from graphspec.graphs.graph import Factor, Variable

EXTRAS = {
    "epoch": "float", "rho": "float", "data_rows": "int | None", "labelled_rows": "int | None",
    "unlabelled_rows": "int | None",
}  # fmt: skip
"""Arguments that some weights and terms need, and their types."""

CALL = re.compile(r"[\w.]+\([^()]*(\([^()]*\)[^()]*)*\)")


@dataclass(frozen=True)
class BoundCode:
    """A pattern's function, the tensors it takes (variable and kind -> name), and what else it needs."""

    lines: list[str]
    arguments: dict[tuple[str, TensorKind], str]
    extras: tuple[str, ...]
    weights: tuple[WeightName, ...]


def write_bound(plan: EmissionPlan, code: PatternCode, noisy: frozenset[str]) -> BoundCode:
    """The function of one pattern. Raises SpecError (GS090) for a line that has no code yet."""
    whole = plan.model.compiled.plan(code.pattern)
    total = {"total": whole.results["total"]}
    writer = FunctionWriter(plan, noisy, _with_notes_kept(whole, replace(whole, results=total, terms={})))
    body = writer.body()
    first = writer.like()
    extras = tuple(name for name in EXTRAS if name in writer.extras)
    order = list(plan.tensors)
    place = list(plan.identifiers).index
    arguments = dict(sorted(writer.arguments.items(), key=lambda item: (place(item[0][0]), order.index(item[0]))))
    listed = [f"{name}: Tensor" for name in arguments.values()]
    listed += ["generator: torch.Generator", *(f"{name}: {EXTRAS[name]}" for name in extras)]
    lines = [
        *statement(f"def {code.function}({', '.join(['model: Model', *listed])}) -> Tensor:", 0),
        *docstring(f"{observed_text(code.program)} of {code.pattern}, nats [B]; larger is better."),
        *([f"{INDENT}batch = len({first})", ""] if writer.uses_batch else []),
        *body,
    ]
    return BoundCode(lines, arguments, extras, tuple(writer.weights))


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


class FunctionWriter:
    """Writes one plan; the operations' texts see it as `Writing`.

    given: names of what the plan is given, where it is a function within another. level: of indentation.
    """

    def __init__(
        self, plan: EmissionPlan, noisy: frozenset[str], written: Plan, outer: "FunctionWriter | None" = None
    ) -> None:
        self.plan, self.noisy, self.written, self.outer = plan, noisy, written, outer
        self.names: Names = plan.names.inner() if outer is None else outer.names
        self.samples, self.level = "SAMPLES", 1
        self.lines: list[str] = []
        self.arguments: dict[tuple[str, TensorKind], str] = {}
        self.weights: list[WeightName] = []
        self.extras: set[str] = set()
        self.uses_batch = False
        self._code: dict[str, str] = {}
        self._scalars: set[str] = set() if outer is None else outer._scalars
        self._note = ""
        readers = Counter(value.name for line in written.lines for value in line.inputs)
        apart = {value.name for value in self._summands()}
        self._once = {name for name, count in readers.items() if count == 1} - apart
        self._read = {*readers, *(value.name for value in written.results.values())}

    def _summands(self) -> Sequence[Value]:
        """The contributions, each of which has a statement of its own."""
        makers = {value: line for line in self.written.lines for value in line.outputs}
        last = makers.get(self.written.results["total"])
        if last is not None and last.op in ("score", "scores"):
            last = makers.get(last.inputs[0])
        return last.inputs if last is not None and last.op == "add" else ()

    def body(self) -> list[str]:
        """Statements from the first value to what is returned."""
        for line in self.written.lines:
            self._take(line)
        if self.lines and self.lines[-1]:
            self.lines.append("")
        self.write(f"return {self.code(self.written.results['total'])}")
        return self.lines

    def _take(self, line: Line) -> None:
        """Write a line, or keep its expression for the one that reads it."""
        self._note = line.note or self._note
        operation = OPERATIONS[line.op]
        if self._is_given(line):
            return
        if operation.text is None:
            raise self._without_code(line)
        total = self.written.results["total"]
        once = operation.inline == "once" and line.outputs[0].name in self._once
        if once or operation.inline == "always" or line.outputs == (total,):
            self._code[line.outputs[0].name] = operation.text(line, self)
            return
        self._begin()
        code = operation.text(line, self)
        if line.op == "even_log_prob" and not line.inputs:
            self._scalars.add(line.outputs[0].name)
        self._assign(line.outputs, code)

    def _assign(self, outputs: Sequence[Value], code: str) -> None:
        names = [self._named(value) for value in outputs]
        self._code |= {value.name: name for value, name in zip(outputs, names, strict=True)}
        scalar = outputs[0].name in self._scalars
        unread = [value.name not in self._read for value in outputs]
        if len(outputs) > 1 and any(unread) and not code.startswith("model."):
            ((place, name),) = [(i, name) for i, (name, gone) in enumerate(zip(names, unread, strict=True)) if not gone]
            parts = split_top(code, ", ")
            code, names = (parts[place] if len(parts) > 1 else f"{code}[{place}]"), [name]
        shown = ["S" if axis == SAMPLES else axis for axis in outputs[0].axes]
        remark = f"[{', '.join([*shown, 'B'])}]" if shown and not scalar else ""
        self.lines += statement(f"{', '.join(names)} = {code}", self.level, remark)

    def _named(self, value: Value) -> str:
        """The value's name in the plan, with the names that its variables have in the file."""
        if value.name in self.plan.identifiers:
            return self.plan.identifiers[value.name]
        words = value.name.rstrip("_")
        for name, identifier in self.plan.identifiers.items():
            if name != identifier:
                words = re.sub(rf"(?<![^\W_]){re.escape(name)}(?![^\W_])", identifier, words)
        return self.fresh(words)

    def _begin(self) -> None:
        """A blank line and a comment, where a new thought begins."""
        if self._note:
            if self.lines and self.lines[-1]:
                self.lines.append("")
            self.remark(self._note)
            self._note = ""

    def _is_given(self, line: Line) -> bool:
        """A standard prior's parameters are written in place; the context of a root's flow is empty."""
        if line.op != "parameters" or line.inputs:
            return False
        key = line.options["factor"]
        if self.prior(key) is not None:
            self._code |= {value.name: "" for value in line.outputs}
            return True
        if self.family(key) is None:
            self._code[line.outputs[0].name] = f"{self.like()}.new_zeros(1, 0)"
            return True
        return False

    def _without_code(self, line: Line) -> SpecError:
        return refused(self.plan.graphs, ("objective",), f"{line.op} of the objective")

    # what the operations ask for

    def code(self, value: Value) -> str:
        """Code of a value: a name, or the expression that stands in its place."""
        if value.name not in self._code:
            self._code[value.name] = self._argument(self.written.given[value])
        return self._code[value.name]

    def _argument(self, given: Given) -> str:
        if given.kind == "result":
            assert self.outer is not None, "only a function within another is given results"
            return self.outer._code[given.variable]
        kinds: Mapping[str, TensorKind] = {"value": "value", "given": "given", "present": "given", "known": "known"}
        kind = kinds[given.kind]
        if kind == "known" and self.plan.graphs.variables[given.variable].role == "supervised":
            kind = "label"
        return self.argument(given.variable, kind)

    def argument(self, name: str, kind: TensorKind = "value") -> str:
        """A tensor that the function is given; its Python name."""
        top = self if self.outer is None else self.outer
        top.arguments[name, kind] = self.plan.tensors[name, kind]
        return self.plan.tensors[name, kind]

    def on(self, value: Value, axes: Axes, *, every: bool = False) -> str:
        """Code that broadcasts over `axes`: axes in front come by themselves unless `every` one is asked for."""
        code = self.code(value)
        places = gaps(value.axes, axes, every=every)
        if not places or value.name in self._scalars or code.startswith("-math.log("):
            return code
        index = ["None" if place in places else ":" for place in range(places[-1] + 1)]
        return f"{_indexable(code)}[{', '.join(index)}]"

    def given(self, variable: str) -> str:
        """[B, *shape] bool, which elements are there."""
        return self.argument(variable, "given")

    def like(self) -> str:
        """A floating tensor of the function's own dtype and device."""
        return self.argument(self.plan.graphs.observed[0])

    def batch(self) -> str:
        """The number of rows."""
        self.uses_batch = True
        return "batch"

    def weight(self, kind: str, variable: str) -> str:
        """Code of a number of the objective."""
        top = self if self.outer is None else self.outer
        known: WeightKind = kind  # type: ignore[assignment]
        if (known, variable) not in top.weights:
            top.weights.append((known, variable))
        code, needs = weight_code(self.plan, known, variable)
        top.extras |= needs
        return code

    def data_rows(self, *, labelled: bool) -> str:
        """How many training rows there are of a kind."""
        size = "data_rows"
        if self.plan.graphs.supervised:
            size = "labelled_rows" if labelled else "unlabelled_rows"
        self.extras.add(size)
        return size

    def variable(self, name: str) -> Variable:
        """A variable of the graphs."""
        return self.plan.graphs.variables[name]

    def identifier(self, name: str) -> str:
        """Its name in Python."""
        return self.plan.identifiers[name]

    def factor(self, key: str) -> Factor:
        """A factor of the graphs."""
        return self.plan.model.compiled.modules.factor(key)

    def hot(self, variable: str) -> bool:
        """Whether its values are class weights."""
        return variable in self.plan.hot

    def family(self, key: str) -> FamilyCode | None:
        """A factor's family; None for a flow."""
        factor = self.factor(key)
        return coded_family(factor, self.plan.graphs.variables[factor.variable])

    def prior(self, key: str) -> str | None:
        """A standard prior that is written in place of a module."""
        return self.plan.prior(self.factor(key))

    def flow(self, key: str) -> str:
        """The map of a flow."""
        return f"model.{self.plan.attributes[key]}.flow"

    def call(self, key: str, arguments: Sequence[str], axes: Axes) -> str:
        """`model.q_z(h, y)`."""
        given = list(arguments)
        if key in self.noisy:
            sampled = ", sampled=True" if axes and axes[0] == SAMPLES else ""
            given.append(f"Layout({len(axes) + 1}, Noise(generator, {self.batch()}){sampled})")
        return f"model.{self.plan.attributes[key]}({', '.join(given)})"

    def fresh(self, wanted: str) -> str:
        """A local name that is not taken."""
        return self.names.fresh(wanted)

    def write(self, text: str, *, deeper: bool = False) -> None:
        """One statement."""
        self.lines += statement(text, self.level + deeper)

    def remark(self, text: str) -> None:
        """A comment."""
        self.lines += comment(text, self.level)

    def function(self, plan: Plan, wanted: str) -> tuple[str, list[str]]:
        """A function of the draws within this one; its name, and those of the values with samples that it takes."""
        drawn = [value for value in plan.given if SAMPLES in value.axes and value.name not in self._scalars]
        sampled = [self.code(value) for value in drawn]
        name = self.fresh(wanted)
        inner = FunctionWriter(self.plan, self.noisy, plan, self)
        inner.level, inner.samples = self.level + 1, f"len({sampled[0]})" if sampled else "SAMPLES"
        self.lines.append("")
        self.write(f"def {name}({', '.join(f'{each}: Tensor' for each in sampled)}) -> Tensor:")
        self.lines += docstring("The bound [B] from these draws.", inner.level)
        self.lines += [*inner.body(), ""]
        return name, sampled

    def refuse(self, key: str, what: str) -> SpecError:
        """A located GS090."""
        factor = self.factor(key)
        kind = "" if factor.family is None else f" of {factor.family.name}"
        return refused(self.plan.graphs, (factor.side, factor.variable), what + kind)


def _indexable(code: str) -> str:
    """In parentheses unless it is a name or one call."""
    return code if code.isidentifier() or CALL.fullmatch(code) else f"({code})"
