"""Where the operations of a plan run on code: modules and a context that answer with expressions."""

from collections.abc import Sequence
from typing import Any

from compiler.emission.emission_plan import ROW, EmissionPlan, TensorKind
from compiler.emission.objective_weights import WeightName, weight_code
from compiler.families import Extras, FamilyEntry, extras_of
from compiler.families.flows import FlowEntry
from compiler.plan.modules import Modules
from compiler.tensors.expression import Expression, text_of
from graphspec.language.objective import NumberKind


class CodedModules(Modules):
    """The modules of a model as an emitted file has them."""

    plan: EmissionPlan

    @classmethod
    def of(cls, plan: EmissionPlan) -> "CodedModules":
        """Those of the file's model."""
        own = plan.model.compiled.modules
        made = cls(own.graphs, own.dtype, own.factors, own.independent, own.light)
        object.__setattr__(made, "plan", plan)
        return made

    def family(self, key: str) -> tuple[FamilyEntry, Extras]:
        """The map of a flow is an attribute of its factor's module."""
        factor = self.factor(key)
        assert factor.family is not None, f"{key} is deterministic"
        if not factor.family.flow:
            return super().family(key)
        flow: Any = Expression(f"model.{self.plan.attributes[key]}.flow")
        return FlowEntry(transform=flow), extras_of(factor.family, factor.options, self.variable(key))


class CodedContext:
    """What a run asks of its context (`plan.running.Context`), as code; and what the function needs for it.

    top: the context of the outermost function. arguments: tensors that it takes. weights, extras: numbers of the
    objective, and further arguments. draws: it draws noise. labelled: the line at hand is of rows with labels.
    own_noise: what gives an element of a walk its noise.
    """

    choosing = None

    def __init__(self, plan: EmissionPlan, outer: "CodedContext | None") -> None:
        self.plan, self.modules = plan, CodedModules.of(plan)
        self.top: CodedContext = self if outer is None else outer
        self.arguments: dict[tuple[str, TensorKind], str] = {}
        self.weights: list[WeightName] = []
        self.extras: set[str] = set()
        self.draws = self.labelled = False
        self.own_noise = ""

    @property
    def noise(self) -> Expression:
        """The function's source of noise."""
        self.top.draws = True
        return Expression(self.own_noise or "noise")

    @property
    def dtype(self) -> Expression:
        """As the model's."""
        return Expression(f"{self.like()}.dtype")

    @property
    def device(self) -> Expression:
        """Of the rows."""
        return Expression(f"{self.like()}.device")

    @property
    def floating(self) -> Expression:
        """A tensor of the function's own type."""
        return Expression(self.like())

    @property
    def rows_of_data(self) -> Expression:
        """How many training rows there are of a kind."""
        size = "data_rows"
        if self.plan.graphs.supervised:
            size = "labelled_rows" if self.labelled else "unlabelled_rows"
        self.top.extras.add(size)
        return Expression(size)

    def room(self, axis: str, size: int) -> int:
        """A file computes all elements that a plate has, as its rows hold them."""
        return size

    def number(self, kind: str, variable: str) -> Expression:
        """A number of the objective."""
        known: NumberKind = kind  # type: ignore[assignment]
        if (known, variable) not in self.top.weights:
            self.top.weights.append((known, variable))
        code, needs = weight_code(self.plan, known, variable)
        self.top.extras |= needs
        return Expression(code)

    def full(self, value: Expression, shape: Sequence[int] = ()) -> Expression:
        """The number itself, which lies on any axes; a tensor where axes of plates may come between its own."""
        if not (shape and self.plan.graphs.plates):
            return value
        return Expression(f"{self.like()}.new_full({text_of(tuple(shape))}, {value})", len(shape))

    def log(self, number: object) -> Expression:
        """Of a number that is known beforehand."""
        return Expression(f"math.log({number})", scalar=True)

    def argument(self, name: str, kind: TensorKind = "value") -> str:
        """A tensor that the function is given; its Python name."""
        self.top.arguments[name, kind] = self.plan.tensors[name, kind]
        return self.plan.tensors[name, kind]

    def like(self) -> str:
        """A floating tensor of the function's own dtype and device."""
        name = self._number()
        return self.argument(*ROW) if name is None else self.argument(name)

    def row_count(self) -> str:
        """How many rows the function is given."""
        name = self._number()
        plates = 0 if name is None else len(self.plan.graphs.variables[name].plates)
        return f"{self.like()}.shape[{plates}]" if plates else f"len({self.like()})"

    def _number(self) -> str | None:
        """An observed variable that is no category, if there is one."""
        variables = self.plan.graphs.variables
        return next((name for name in self.plan.graphs.observed if variables[name].domain != "category"), None)
