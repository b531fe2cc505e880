"""A function of the emitted file on its way: statements, local names, arguments, tensors with named axes as code."""

import re
from dataclasses import dataclass

from compiler.emission.emission_plan import EmissionPlan, PatternCode, TensorKind
from compiler.emission.objective_weights import WeightKind, WeightName, weight_code
from compiler.emission.text import Names, comment, statement
from compiler.emission.writing import refused
from compiler.symbolic.axis_names import SAMPLES
from compiler.symbolic.program import Axes
from graphspec.diagnostics import SpecError
from graphspec.graphs.graph import Factor

CALL = re.compile(r"[\w.]+\([^()]*(\([^()]*\)[^()]*)*\)")


@dataclass(frozen=True)
class Symbol:
    """Code of a tensor [*axes, B, *event] (leading dimensions may be absent where nothing varies), and its axes."""

    axes: Axes
    code: str

    @property
    def atomic(self) -> bool:
        """A name."""
        return self.code.isidentifier()


class FunctionText:
    """`lines`: statements so far. `arguments`: tensors that the function is given, by variable and kind.

    level: of indentation. samples: code of the number of draws.
    """

    def __init__(self, plan: EmissionPlan, code: PatternCode) -> None:
        self.plan, self.pattern, self.program = plan, code, code.program
        self.names: Names = plan.names.inner()
        self.lines: list[str] = []
        self.arguments: dict[tuple[str, TensorKind], str] = {}
        self.level = 1
        self.samples = "SAMPLES"
        self.uses_batch = False
        self.weights: list[WeightName] = []
        self.extras: set[str] = set()

    def refuse(self, factor: Factor, what: str) -> SpecError:
        """A located GS090."""
        return refused(self.plan.graphs, (factor.side, factor.variable), what)

    def write(self, text: str, remark: str = "") -> None:
        """One statement."""
        self.lines += statement(text, self.level, remark)

    def assign(self, wanted: str, code: str, axes: Axes = ()) -> str:
        """A new local variable; the remark tells its leading axes."""
        name = self.names.fresh(wanted)
        self.write(f"{name} = {code}", self.remark(axes))
        return name

    def note(self, text: str) -> None:
        """A comment that begins a paragraph."""
        if self.lines and self.lines[-1]:
            self.lines.append("")
        self.remarks(text)

    def remarks(self, text: str) -> None:
        """A comment."""
        self.lines += comment(text, self.level)

    def remark(self, axes: Axes) -> str:
        """`[y, B]`; nothing without axes."""
        shown = ["S" if axis == SAMPLES else axis for axis in self.plan.axes(axes)]
        return f"[{', '.join([*shown, 'B'])}]" if shown else ""

    def argument(self, name: str, kind: TensorKind = "value") -> str:
        """A tensor that the function is given; its Python name."""
        identifier = self.plan.tensors[name, kind]
        self.arguments[name, kind] = identifier
        return identifier

    def like(self) -> str:
        """A floating tensor of the function's own dtype and device."""
        return self.argument(self.plan.graphs.observed[0])

    def weight(self, kind: WeightKind, name: str) -> str:
        """Code of a number of the objective."""
        if (kind, name) not in self.weights:
            self.weights.append((kind, name))
        code, needs = weight_code(self.plan, kind, name)
        self.extras |= needs
        return code

    def placed(self, symbol: Symbol, onto: Axes, *, whole: bool = False) -> str:
        """Code that broadcasts over `onto`: axes in front come by themselves (not where the whole layout is asked for),
        others need a None."""
        own, target = self.plan.axes(symbol.axes), self.plan.axes(onto)
        missing = [axis not in own for axis in target]
        while missing and missing[0] and not whole:
            missing.pop(0)
        while missing and not missing[-1]:
            missing.pop()
        if not any(missing) or not (own or whole):
            return symbol.code
        index = ", ".join("None" if gone else ":" for gone in missing)
        return f"{_indexable(symbol.code)}[{index}]"


def _indexable(code: str) -> str:
    """In parentheses unless it is a name or one call."""
    return code if code.isidentifier() or CALL.fullmatch(code) else f"({code})"
